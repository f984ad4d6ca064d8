"""Dynamic range and weight-only int8, and full integer files, by ai-edge-quantizer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.artifact.model import Artifact, Op, read_artifact
from edge_sdk.converters.quantize.kept import kept_ops, result_name
from edge_sdk.converters.workers.child import running, tool_version
from edge_sdk.engines.observe import Observation
from edge_sdk.errors import MissingDependencyError
from edge_sdk.findings import Finding
from edge_sdk.recipe import Recipe, recipe_from_json

_TOOL = "ai-edge-quantizer"
_NO_QUANTIZE = "no_quantize"
_BITS = {"int8": 8, "int16": 16}


def quantize(path: str, target: str, recipe: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Weights in int8: used in int8 kernels (dynamic range), or expanded to float32 before use (weight-only).

    Needs no samples.
    """
    wanted = recipe_from_json(recipe)
    artifact = read_artifact(path)
    kept = [op for _, op in kept_ops(artifact, wanted)]
    findings = []
    if wanted.mode == "dynamic_range" and wanted.weights.granularity == "per_tensor":
        depthwise = [op for op in artifact.main.ops if op.name == "DEPTHWISE_CONV_2D"]
        if depthwise:
            kept += depthwise
            findings.append(
                Finding(
                    "per-tensor-depthwise-kept-float",
                    "warning",
                    f"{len(depthwise)} depthwise convolutions stay float32",
                    "DEPTHWISE_CONV_2D",
                    "TFLite's dynamic range kernel reads one scale for each channel of them",
                ).as_json()
            )
    quantizer = _quantizer(path, wanted, artifact, kept)
    with running(_TOOL, "quantizing weights"):
        data = quantizer.quantize().quantized_model
    Path(target).write_bytes(bytes(data))
    return {"tool": f"{_TOOL} {tool_version(_TOOL)}", "findings": findings}


def quantize_static(path: str, target: str, recipe: Recipe, observations: Mapping[int, Observation]) -> dict[str, Any]:
    """int8 weights and int16 or int8 activations on ranges observed elsewhere.

    The quantizer's own calibration keeps moving averages of the extremes, which clips; the ranges given here are
    the extremes themselves.
    """
    artifact = read_artifact(path)
    quantizer = _quantizer(path, recipe, artifact, [op for _, op in kept_ops(artifact, recipe)])
    tensors = artifact.main.tensors
    ranges = {
        tensors[index].name: {
            "min": _shaped(seen.minimum, len(tensors[index].shape)),
            "max": _shaped(seen.maximum, len(tensors[index].shape)),
        }
        for index, seen in observations.items()
    }
    with running(_TOOL, f"quantizing to {recipe.activations.dtype} activations"):
        data = quantizer.quantize(ranges).quantized_model
    Path(target).write_bytes(bytes(data))
    return {"tool": f"{_TOOL} {tool_version(_TOOL)}", "findings": []}


def _shaped(value: float, rank: int) -> Any:
    return np.full([1] * max(1, rank), value, np.float32)


def _quantizer(path: str, recipe: Recipe, artifact: Artifact, kept: list[Op]) -> Any:
    try:
        from ai_edge_quantizer import qtyping
        from ai_edge_quantizer.quantizer import Quantizer
    except ImportError as error:
        raise MissingDependencyError(_TOOL, extra="keras", why=f"recipe {recipe.name}") from error
    every = qtyping.TFLOperationName.ALL_SUPPORTED
    granularity = {
        "per_channel": qtyping.QuantGranularity.CHANNELWISE,
        "per_tensor": qtyping.QuantGranularity.TENSORWISE,
    }[recipe.weights.granularity]
    with running(_TOOL, "reading the float model"):
        quantizer = Quantizer(path)
        if recipe.mode == "dynamic_range":
            quantizer.add_dynamic_config(".*", every, 8, granularity=granularity)
        elif recipe.mode == "weight_only":
            quantizer.add_weight_only_config(".*", every, 8, granularity=granularity)
        else:
            quantizer.add_static_config(".*", every, _BITS[recipe.activations.dtype], 8, weight_granularity=granularity)
            if not recipe.integer_only:
                for end in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
                    quantizer.update_quantization_recipe(".*", end, None, _NO_QUANTIZE)
        for op in kept:
            name = re.escape(result_name(artifact.main, op))
            quantizer.update_quantization_recipe(f"^{name};?$", every, None, _NO_QUANTIZE)
    return quantizer
