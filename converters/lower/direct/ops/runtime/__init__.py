"""ONNX Runtime's own ops (domain ``com.microsoft``): what its optimizer and its quantizers write into a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edge_sdk.converters.lower.direct.ops.runtime import fused, packed, transformers

DOMAIN = "com.microsoft"
OPS: Mapping[str, Callable[..., Any]] = {**fused.OPS, **packed.OPS, **transformers.OPS}
