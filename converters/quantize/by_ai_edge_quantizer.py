"""Weights in int8 or int4, used as such or expanded, and full integer files, by ai-edge-quantizer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.artifact.borders import by_way_of_float
from edge_sdk.artifact.edit import with_own_names
from edge_sdk.artifact.model import Artifact, Op, Subgraph, parse_artifact, read_artifact
from edge_sdk.artifact.unread import with_typed_parts
from edge_sdk.checks.placement.rule_sets import place_by, rule_set
from edge_sdk.converters.quantize.forms.lookups import with_lookups
from edge_sdk.converters.quantize.kept import int16_ops, kept_ops, result_name
from edge_sdk.converters.quantize.quantizer_package import opened, tool
from edge_sdk.converters.quantize.ranging.powers import off_powers
from edge_sdk.converters.quantize.tuning.tuning import for_tuning
from edge_sdk.converters.quantize.weights.four_bits import four_bit_ops
from edge_sdk.converters.quantize.weights.large_biases import with_large_biases, without_large_biases
from edge_sdk.converters.quantize.weights.narrow_channels import restore, widen
from edge_sdk.converters.quantize.weights.unfused import with_activations_apart
from edge_sdk.converters.workers.child import running
from edge_sdk.engines.observe import Observation
from edge_sdk.findings import Finding
from edge_sdk.recipe import Recipe, recipe_from_json

_TOOL = "ai-edge-quantizer"
_NO_QUANTIZE = "no_quantize"
_BITS = {"int8": 8, "int16": 16}
_GRANULARITIES = {
    "per_channel": "CHANNELWISE",
    "per_tensor": "TENSORWISE",
    "blockwise_32": "BLOCKWISE_32",
    "blockwise_64": "BLOCKWISE_64",
}


def quantize(path: str, target: str, recipe: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Weights in int8 or int4: used in int8 kernels (dynamic range), or expanded to float32 before use (weight-only).

    Needs no samples.
    """
    wanted = recipe_from_json(recipe)
    given = _named_apart(path)
    path = _prepared(given, wanted) if wanted.mode == "dynamic_range" else given
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
    if wanted.mode == "dynamic_range" and (first := _first_factors(artifact.main)):
        kept += first
        message = f"{len(first)} BATCH_MATMUL whose first factor is stored keep it in float32"
        hint = "TFLite's kernel takes integers for the second factor alone, and refuses the file"
        findings.append(Finding("first-factor-kept-float", "info", message, "BATCH_MATMUL", hint).as_json())
    quantizer = _quantizer(path, wanted, artifact, kept)
    with running(_TOOL, "quantizing weights"):
        data = bytes(quantizer.quantize().quantized_model)
    Path(target).write_bytes(data)
    if wanted.weights.dtype == "int4":
        findings += [finding.as_json() for finding in int4_findings(parse_artifact(data).main, wanted.name)]
    made = {"tool": tool(), "findings": findings, "reference": None if path == given else path}
    return made | for_tuning(Path(path).read_bytes(), Path(target)) if wanted.tune else made


def _first_factors(graph: Subgraph) -> list[Op]:
    """Batched products of a constant with a result, which the quantizer would give an integer first factor."""
    products = (op for op in graph.ops if op.name == "BATCH_MATMUL")
    return [op for op in products if graph.tensors[op.inputs[0]].constant is not None]


def int4_findings(graph: Subgraph, recipe: str) -> Iterator[Finding]:
    """Ops with 4-bit weights that XNNPACK leaves to TFLite's kernels, by engine: *predicted* by its rules."""
    four = {t.index for t in graph.tensors if t.is_stored and t.dtype == "int4"}
    # A table that is looked up in computes nothing: it costs the rows that are read, wherever it is.
    ops = [op for op in graph.ops if four & set(op.inputs) and op.name != "EMBEDDING_LOOKUP"]
    told = {}
    for engine in rule_set("xnnpack").engines:
        left = place_by("xnnpack", graph, engine=engine).refused if ops else ()
        refused = Counter(op.name for op in ops if op.index in left)
        if refused:
            told[engine] = ", ".join(f"{count} {name}" for name, count in refused.items())
    for text in dict.fromkeys(told.values()):
        engines = [engine for engine, found in told.items() if found == text]
        yield Finding(
            "int4-outside-delegate",
            "warning",
            f"{text} with 4-bit weights stay outside XNNPACK of ai-edge-litert {engines[0]} to {engines[-1]} "
            "(predicted)",
            recipe,
            "there they save size, not time; int8 weights are faster",
        )


def quantize_static(path: str, target: str, recipe: Recipe, observations: Mapping[int, Observation]) -> dict[str, Any]:
    """int8 weights and int16 or int8 activations on ranges observed elsewhere.

    The quantizer's own calibration keeps moving averages of the extremes, which clips; the ranges given here are
    the extremes themselves.
    """
    path = _named_apart(path)
    artifact = read_artifact(path)
    if recipe.activations.dtype == "int16" or recipe.int16:
        observations = off_powers(observations)
    ready, widened = widen(Path(path).read_bytes(), observations, recipe.activations.dtype)
    ready, biases = without_large_biases(ready)
    if widened or biases:
        path = str(Path(path).with_suffix(".widened.tflite"))
        Path(path).write_bytes(ready)
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
    Path(target).write_bytes(
        with_typed_parts(by_way_of_float(with_large_biases(restore(bytes(data), widened), biases)))
    )
    return {"tool": tool(), "findings": []}


def _prepared(path: str, recipe: Recipe) -> str:
    """A file whose tables of embeddings can be stored in integers, and whose activations stand beside blocks."""
    data = Path(path).read_bytes()
    made = with_activations_apart(with_lookups(data, recipe), recipe)
    if made is data:
        return path
    apart = Path(path).with_suffix(f".{recipe.name}.prepared.tflite")
    apart.write_bytes(made)
    return str(apart)


def _named_apart(path: str) -> str:
    """A file whose tensors each have a name of their own: the quantizer takes no other."""
    data = Path(path).read_bytes()
    named = with_own_names(data)
    if named is data:
        return path
    apart = Path(path).with_suffix(".named.tflite")
    apart.write_bytes(named)
    return str(apart)


def _shaped(value: float, rank: int) -> Any:
    return np.full([1] * max(1, rank), value, np.float32)


def _add_int4(add: Callable[..., Any], qtyping: Any, graph: Subgraph, recipe: Recipe) -> None:
    """4 bits where there are kernels for them, 8 for all else: a depthwise convolution has none.

    Raises:
        ConversionError: there is nothing that 4 bits are for.
    """
    ops = four_bit_ops(graph, recipe)
    names, scales = qtyping.TFLOperationName, qtyping.QuantGranularity
    add(".*", names.ALL_SUPPORTED, 8, granularity=scales.CHANNELWISE)
    for op in ops:
        name = re.escape(result_name(graph, op))
        add(f"^{name};?$", names[op.name], 4, granularity=scales[_GRANULARITIES[recipe.weights.granularity]])


def _quantizer(path: str, recipe: Recipe, artifact: Artifact, kept: list[Op]) -> Any:
    quantizer_class, qtyping = opened(f"recipe {recipe.name}")
    every = qtyping.TFLOperationName.ALL_SUPPORTED
    granularity = qtyping.QuantGranularity[_GRANULARITIES[recipe.weights.granularity]]
    with running(_TOOL, "reading the float model"):
        quantizer = quantizer_class(path)
        if recipe.mode in ("dynamic_range", "weight_only"):
            dynamic = recipe.mode == "dynamic_range"
            add = quantizer.add_dynamic_config if dynamic else quantizer.add_weight_only_config
            if recipe.weights.dtype == "int8":
                add(".*", every, 8, granularity=granularity)
            else:
                _add_int4(add, qtyping, artifact.main, recipe)
        else:
            quantizer.add_static_config(".*", every, _BITS[recipe.activations.dtype], 8, weight_granularity=granularity)
            if not recipe.integer_only:
                for end in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
                    quantizer.update_quantization_recipe(".*", end, None, _NO_QUANTIZE)
        for _, op in int16_ops(artifact, recipe):
            name = re.escape(result_name(artifact.main, op))
            quantizer.add_static_config(f"^{name};?$", every, _BITS["int16"], 8, weight_granularity=granularity)
        for op in kept:
            name = re.escape(result_name(artifact.main, op))
            quantizer.update_quantization_recipe(f"^{name};?$", every, None, _NO_QUANTIZE)
    return quantizer
