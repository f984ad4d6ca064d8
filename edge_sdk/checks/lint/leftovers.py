"""What a file carries or computes for nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edge_sdk.artifact.compute import CONTROL_OPS
from edge_sdk.artifact.equal_bytes import EqualBytes
from edge_sdk.artifact.model import Op, Tensor
from edge_sdk.checks.lint.scene import Mark, Rule, Scene, named, values_of
from edge_sdk.findings import Severity

_KEPT = CONTROL_OPS | {"HASHTABLE", "HASHTABLE_IMPORT", "HASHTABLE_FIND", "HASHTABLE_SIZE", "STABLEHLO_COMPOSITE"}
_SMALL, _LARGE = 0.01, 0.05
_LEAST_BYTES = 1024
_EXPANDS = frozenset({"DEQUANTIZE", "DENSIFY"})
_LAYERS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"})
_ACTIVATIONS = frozenset({"RELU", "RELU6", "RELU_N1_TO_1"})


def unused_op(scene: Scene) -> Iterator[Mark]:
    """Ops whose results nobody reads; the engine runs them all the same."""
    needed, useful = {*scene.graph.outputs}, set()
    needed |= {t.index for t in scene.graph.tensors if scene.is_output(t)}
    for op in reversed(scene.graph.ops):
        if _acts(scene, op) or any(index in needed for index in op.outputs):
            useful.add(op.index)
            needed.update(op.inputs)
    for op in scene.graph.ops:
        if op.index not in useful:
            message = "computes what nobody reads, in every run"
            yield Mark("warning", message, op, scene.tensor(op.outputs, 0), "0 readers", "1", scene.share(op))


def _acts(scene: Scene, op: Op) -> bool:
    tensors = (*scene.graph.operands(op), *scene.graph.results(op))
    return (
        op.name in _KEPT
        or op.name.startswith("CUSTOM:")
        or any(t.dtype in {"resource", "variant"} or t.is_variable for t in tensors)
    )


def unused_constant(scene: Scene) -> Iterator[Mark]:
    """Constants that no op of any subgraph reads."""
    artifact = scene.artifact
    stored: dict[int, Tensor] = {}
    read: set[int] = set()
    for graph in artifact.subgraphs:
        used = {index for op in graph.ops for index in op.inputs} | set(graph.outputs)
        used |= {t.blockwise.scales for t in graph.tensors if t.blockwise}
        for tensor in graph.tensors:
            if tensor.constant is not None:
                stored.setdefault(tensor.buffer, tensor)
                read |= {tensor.buffer} if tensor.index in used else set()
    wasted = [tensor for buffer, tensor in stored.items() if buffer not in read]
    yield from _waste(scene, wasted, "constants that no op reads")


def duplicate_constant(scene: Scene) -> Iterator[Mark]:
    """The same bytes stored more than once."""
    buffers = {t.buffer: t for g in scene.artifact.subgraphs for t in g.tensors if t.constant is not None}
    stored = EqualBytes[Tensor]()
    copies = []
    for tensor in buffers.values():
        data = tensor.constant
        if data is None or data.nbytes < _LEAST_BYTES:
            continue
        if stored.first(data, tensor) is not tensor:
            copies.append(tensor)
    yield from _waste(scene, copies, "constants that are stored elsewhere already")


def _waste(scene: Scene, tensors: list[Tensor], what: str) -> Iterator[Mark]:
    size = sum(t.constant.nbytes for t in tensors if t.constant is not None)
    share = size / max(1, scene.artifact.size_bytes)
    if size < _LEAST_BYTES and share < _SMALL:
        return
    severity: Severity = "warning" if share >= _LARGE else "info"
    largest = max(tensors, key=lambda t: t.constant.nbytes if t.constant is not None else 0)
    message = f"{len(tensors)} {what}: {size} bytes, {share:.0%} of the file; the largest is {named(largest)}"
    yield Mark(severity, message, tensor=largest, found=f"{size} bytes", limit="0", share=share)


def unfolded_constant(scene: Scene) -> Iterator[Mark]:
    """Ops on constants only, done anew in every run; delegates want weights that are stored."""
    known = {t.index for t in scene.graph.tensors if t.is_stored}
    for op in scene.graph.ops:
        inputs = [index for index in op.inputs if index >= 0]
        if not inputs or not all(index in known for index in inputs) or _acts(scene, op):
            continue
        known.update(op.outputs)
        widened = op.name in _EXPANDS and all(scene.graph.tensors[index].is_stored for index in inputs)
        result = scene.tensor(op.outputs, 0)
        if widened or result is None:
            continue
        layers = [reader for reader in scene.readers_of(result) if reader.name in _LAYERS]
        severity: Severity = "warning" if layers else "info"
        message = f"computes {named(result)} from constants in every run"
        message += (
            f"; it holds weights of a {layers[0].name}, which delegates take only where they are stored"
            if layers
            else ""
        )
        yield Mark(severity, message, op, result, "at run time", "stored", scene.share(*layers))


def idle_op(scene: Scene) -> Iterator[Mark]:
    """Ops whose result is their input."""
    for op in scene.graph.ops:
        source, result = scene.tensor(op.inputs, 0), scene.tensor(op.outputs, 0)
        if source is None or result is None or source.is_stored or source.dtype != result.dtype:
            continue
        if _is_idle(scene, op, source, result) and source.quantization == result.quantization:
            yield Mark(
                "info", f"hands {named(source)} on as it is", op, source, "the same shape and values", "an effect"
            )


def _is_idle(scene: Scene, op: Op, source: Tensor, result: Tensor) -> bool:
    if op.name in {"RESHAPE", "CAST", "SQUEEZE"}:
        return source.shape_signature == result.shape_signature and source.shape == result.shape
    second = values_of(scene.tensor(op.inputs, 1))
    if op.name == "TRANSPOSE":
        return second is not None and second.ravel().tolist() == list(range(len(source.shape)))
    if op.name == "PAD":
        return second is not None and not second.any()
    neutral = {"ADD": 0.0, "SUB": 0.0, "MUL": 1.0, "DIV": 1.0}.get(op.name)
    plain = not op.options.get("fused_activation_function") and source.shape == result.shape
    return bool(neutral is not None and plain and source.dtype == "float32" and _all(second, neutral))


def _all(values: object, number: float) -> bool:
    return isinstance(values, np.ndarray) and values.size > 0 and bool((values == number).all())


def unfused_activation(scene: Scene) -> Iterator[Mark]:
    """A RELU behind a layer that could carry it; in int8 the layer's result spends levels on what is cut off."""
    for op in scene.graph.ops:
        source = scene.tensor(op.inputs, 0)
        before = scene.producers.get(op.inputs[0]) if op.name in _ACTIVATIONS and op.inputs else None
        if before is None or source is None or before.name not in _LAYERS - {"TRANSPOSE_CONV"}:
            continue
        if scene.readers_of(source) == (op,) and not before.options.get("fused_activation_function"):
            cost = "; half of its levels may be spent on what is cut off" if source.dtype in {"int8", "uint8"} else ""
            message = f"stands behind a {before.name} that could carry it{cost}"
            yield Mark("info", message, op, source, op.name, f"fused into {before.name}", scene.share(before))


def unfused_scale(scene: Scene) -> Iterator[Mark]:
    """A constant factor per channel behind a layer: a batch normalization that was not folded."""
    for op in scene.graph.ops:
        source = scene.tensor(op.inputs, 0)
        before = scene.producers.get(op.inputs[0]) if op.name == "MUL" and op.inputs else None
        factor = scene.tensor(op.inputs, 1)
        if before is None or source is None or factor is None or before.name not in _LAYERS:
            continue
        plain = not before.options.get("fused_activation_function") and scene.readers_of(source) == (op,)
        per_channel = (
            factor.is_stored and factor.shape[-1:] == source.shape[-1:] and factor.elements == source.shape[-1]
        )
        if plain and per_channel and factor.elements > 1:
            message = f"multiplies each channel behind a {before.name}; folded into its weights it would cost nothing"
            yield Mark("info", message, op, factor, "MUL", f"folded into {before.name}", scene.share(before))


def flex_op(scene: Scene) -> Iterator[Mark]:
    """Ops of TensorFlow itself, which no plain runtime has."""
    flex = [op for op in scene.graph.ops if op.name.startswith("CUSTOM:Flex")]
    for op in flex[:1]:
        names = ", ".join(sorted({other.name.removeprefix("CUSTOM:Flex") for other in flex}))
        message = f"{len(flex)} ops need TensorFlow's own kernels ({names}), which no LiteRT package carries"
        yield Mark("warning", message, op, found=names, limit="builtin ops", share=scene.share(*flex))


def open_shape(scene: Scene) -> Iterator[Mark]:
    """A dimension of -1 in an input."""
    for tensor in scene.artifact.signature.inputs.values():
        if -1 in tensor.shape_signature:
            message = (
                f"has the open shape {list(tensor.shape_signature)}; what is predicted holds for {list(tensor.shape)}"
            )
            found = str(list(tensor.shape_signature))
            where = f"input `{tensor.name}`"
            yield Mark("warning", message, None, tensor, found, "fixed dimensions", where=where)


RULES = (
    Rule("unused-op", unused_op, "take the op out of the source, or return its result"),
    Rule("unused-constant", unused_constant, "convert again; converters drop what is not read", whole_file=True),
    Rule("duplicate-constant", duplicate_constant, "share the weights in the source", whole_file=True),
    Rule("unfolded-constant", unfolded_constant, "fold it in the source, or convert again with another lowering"),
    Rule("idle-op", idle_op, "nothing; or take it out of the source"),
    Rule("unfused-activation", unfused_activation, "fuse it in the source; in QAT before it is annotated"),
    Rule("unfused-scale", unfused_scale, "fold batch normalizations before export"),
    Rule("flex-op", flex_op, "replace these ops in the source"),
    Rule("open-shape", open_shape, "convert with --batch", whole_file=True),
)
