"""Post-training quantization of a float .tflite: one stage for every source, one file for each way.

Each function runs in a worker with plain data: ``(path, target, recipe, samples, axes)`` are the float file, the file
to write, the recipe, a folder of calibration samples in the source's layout (or None), and how its arrays are
transposed for the file. It returns ``tool`` and ``findings``.
"""

from __future__ import annotations

from edge_sdk.converters.quantize.quantizer_package import MODULES

QUANTIZERS: dict[str, str] = {
    "float16": "edge_sdk.converters.quantize.float16:quantize",
    "dynamic_range": "edge_sdk.converters.quantize.by_ai_edge_quantizer:quantize",
    "weight_only": "edge_sdk.converters.quantize.by_ai_edge_quantizer:quantize",
    "static_range": "edge_sdk.converters.quantize.static_range:quantize",
}
"""Recipe mode to ``module:function``."""

PRELOAD: dict[str, tuple[str, ...]] = {
    "dynamic_range": MODULES,
    "weight_only": MODULES,
    "static_range": ("tensorflow", "ai_edge_litert.interpreter"),
}
"""Recipe mode to modules worth importing early."""
