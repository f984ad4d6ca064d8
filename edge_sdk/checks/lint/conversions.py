"""Ops between types and layouts that a converter left behind."""

from __future__ import annotations

from collections.abc import Iterator

from edge_sdk.artifact.compute import compute_type
from edge_sdk.artifact.idle_padding import unread
from edge_sdk.artifact.model import Op, Tensor
from edge_sdk.checks.lint.scene import EIGHT_BITS, Mark, Rule, Scene, named, values_of
from edge_sdk.findings import Severity

_RELAYOUTS = frozenset({(0, 2, 3, 1), (0, 3, 1, 2)})
_FLOATS = frozenset({"float32", "hybrid_int8"})
_PAIR, _MUCH = 2, 0.05
_NAMED = 4
_INTEGERS = EIGHT_BITS | {"int16"}


def float_island(scene: Scene) -> Iterator[Mark]:
    """Float ops between a DEQUANTIZE and a QUANTIZE, in the midst of a quantized graph."""
    for ops in _float_regions(scene):
        starts, ends = _borders(scene, ops)
        if not starts or not ends:
            continue
        names = ", ".join(op.name for op in ops[:_NAMED]) + (" ..." if len(ops) > _NAMED else "")
        message = f"DEQUANTIZE, {names}, QUANTIZE: {len(ops)} float op{'s' if len(ops) > 1 else ''} among integer ones"
        yield Mark("warning", message, ops[0], found=f"{len(ops)} float ops", limit="0", share=scene.share(*ops))


def _float_regions(scene: Scene) -> Iterator[list[Op]]:
    """Float ops that are joined by float tensors, in order."""
    floats = {op.index: op for op in scene.graph.ops if compute_type(scene.graph, op) in _FLOATS}
    waiting = dict(floats)
    while waiting:
        front = [waiting.pop(next(iter(waiting)))]
        region: list[Op] = []
        while front:
            op = front.pop()
            region.append(op)
            front += [waiting.pop(other.index) for other in _neighbours(scene, op) if other.index in waiting]
        yield sorted(region, key=lambda op: op.index)


def _neighbours(scene: Scene, op: Op) -> list[Op]:
    before = [scene.producers[index] for index in op.inputs if index in scene.producers]
    after = [reader for index in op.outputs for reader in scene.readers.get(index, ())]
    return [*{other.index: other for other in (*before, *after)}.values()]


def _borders(scene: Scene, ops: list[Op]) -> tuple[bool, bool]:
    """Whether all that enters comes from integers, and all that leaves goes to integers; once at least."""
    inside = {op.index for op in ops}
    computed = [i for op in ops for i in op.inputs if i >= 0 and not scene.graph.tensors[i].is_stored]
    sources = [scene.producers.get(i) for i in computed]
    outer = [op for op in sources if op is None or op.index not in inside]
    readers = [r for op in ops for i in op.outputs for r in scene.readers.get(i, ()) if r.index not in inside]
    leaves = any(scene.is_output(scene.graph.tensors[i]) for op in ops for i in op.outputs if i >= 0)
    starts = bool(outer) and all(op is not None and _from_integers(scene, op) for op in outer)
    ends = bool(readers) and not leaves and all(op.name == "QUANTIZE" for op in readers)
    return starts, ends


def _from_integers(scene: Scene, op: Op) -> bool:
    source = scene.tensor(op.inputs, 0)
    return op.name == "DEQUANTIZE" and source is not None and not source.is_stored


def conversion_pair(scene: Scene) -> Iterator[Mark]:
    """QUANTIZE and DEQUANTIZE one after the other."""
    for op in scene.graph.ops:
        before = scene.producers.get(op.inputs[0]) if op.name in {"QUANTIZE", "DEQUANTIZE"} and op.inputs else None
        if before is None or {before.name, op.name} != {"QUANTIZE", "DEQUANTIZE"}:
            continue
        source, result = scene.tensor(before.inputs, 0), scene.tensor(op.outputs, 0)
        if source is None or result is None or source.is_stored or (source.dtype, result.dtype) == ("int8", "int16"):
            continue  # LiteRT's QUANTIZE has no kernel from int8 to int16, see artifact/borders.py
        what = "rounds a float to 8 bits and back" if op.name == "DEQUANTIZE" else "goes through float for nothing"
        message = f"{before.name} then {op.name} on {named(source)}: {what}"
        yield Mark("warning", message, op, source, f"{before.name}, {op.name}", "neither, or one QUANTIZE")


def requantize_chain(scene: Scene) -> Iterator[Mark]:
    """One integer scale to another and to a third."""
    for op in scene.graph.ops:
        before = scene.producers.get(op.inputs[0]) if _requantizes(scene, op) else None
        if before is None or not _requantizes(scene, before):
            continue
        tensor = scene.tensor(op.inputs, 0)
        if tensor is not None and scene.readers_of(tensor) == (op,):
            message = f"rounds {named(tensor)} twice, from scale to scale to scale"
            yield Mark("info", message, op, tensor, "2 QUANTIZE in a row", "one")


def _requantizes(scene: Scene, op: Op) -> bool:
    source, result = scene.tensor(op.inputs, 0), scene.tensor(op.outputs, 0)
    return op.name == "QUANTIZE" and source is not None and result is not None and source.dtype in _INTEGERS


def layout_transpose(scene: Scene) -> Iterator[Mark]:
    """NCHW to NHWC or back, left around layers."""
    found = [(op, t) for op in scene.graph.ops if (t := _relaid(scene, op)) is not None]
    if not found:
        return
    moved = sum(2 * tensor.size_bytes for _, tensor in found)
    total = sum(t.size_bytes for op in scene.graph.ops for t in (*scene.graph.operands(op), *scene.graph.results(op)))
    share = moved / max(1, total)
    inner = [pair for pair in found if not _at_an_end(scene, pair[0])]
    op, tensor = max(inner or found, key=lambda pair: pair[1].size_bytes)
    count = f"{len(found)} TRANSPOSE{'s' if len(found) > 1 else ''}"
    message = f"{count} between NCHW and NHWC, {len(inner)} of them between layers, move {share:.0%} of the bytes that"
    message += f" ops read and write; the largest is of {named(tensor)}"
    severity: Severity = "warning" if len(inner) >= _PAIR and share >= _MUCH else "info"
    yield Mark(severity, message, op, tensor, count, "none between layers", share)


def _relaid(scene: Scene, op: Op) -> Tensor | None:
    tensor, order = scene.tensor(op.inputs, 0), values_of(scene.tensor(op.inputs, 1))
    if op.name != "TRANSPOSE" or tensor is None or tensor.is_stored or order is None:
        return None
    permutation = tuple(int(axis) for axis in order.ravel())
    return tensor if permutation in _RELAYOUTS and _moves(tensor, permutation) else None


def _moves(tensor: Tensor, permutation: tuple[int, ...]) -> bool:
    """Not a mere change of shape: two dimensions or more above 1 change places."""
    kept = [axis for axis in permutation if axis < len(tensor.shape) and tensor.shape[axis] != 1]
    return kept != sorted(kept)


def _at_an_end(scene: Scene, op: Op) -> bool:
    """Next to the file's inputs or outputs, but for conversions."""
    inputs = scene.graph.inputs
    before = scene.producers.get(op.inputs[0])
    if op.inputs[0] in inputs or (before and before.name in {"QUANTIZE", "DEQUANTIZE"} and before.inputs[0] in inputs):
        return True
    result = scene.tensor(op.outputs, 0)
    if result is None:
        return False
    after = [i for r in scene.readers_of(result) if r.name in {"QUANTIZE", "DEQUANTIZE"} for i in r.outputs]
    return scene.is_output(result) or any(scene.is_output(scene.graph.tensors[i]) for i in after)


def idle_padding(scene: Scene) -> Iterator[Mark]:
    """SAME convolutions that leave a row or column unread, which older XNNPACKs compute wrongly."""
    for op in scene.graph.ops:
        left = unread(scene.graph, op)
        kernel = scene.tensor(op.inputs, 1)
        if left is None or max(left) <= 0 or kernel is None or kernel.shape[1:3] == (1, 1):
            continue
        message = f"SAME padding, but windows leave {max(left)} rows or columns unread: XNNPACK up to ai-edge-litert "
        yield Mark("warning", f"{message}2.1.5 computes it wrongly", op, found="SAME", limit="VALID")


RULES = (
    Rule(
        "idle-padding",
        idle_padding,
        "convert again with edge-sdk, which writes VALID where it is the same; or 2.2.0 on",
    ),
    Rule("float-island", float_island, "replace these ops in the source by ones that have an integer form"),
    Rule("conversion-pair", conversion_pair, "convert again from float; do not quantize a quantized file"),
    Rule("requantize-chain", requantize_chain, "let the tensors between share one scale"),
    Rule("layout-transpose", layout_transpose, "in the source: shuffles and flattening on NHWC, or an export in NHWC"),
)
