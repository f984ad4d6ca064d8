"""What a file is as a whole, where a runtime or delegate minds: size, signatures, state, types at the ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from edge_sdk.artifact.model import Artifact
from edge_sdk.checks.delegation import Placed
from edge_sdk.checks.memory.callees import callees
from edge_sdk.checks.memory.footprint import variable_bytes
from edge_sdk.findings import Finding
from edge_sdk.profile.records import Delegate

FILE_LIMIT_BYTES = 2**31 - 1
"""``FLATBUFFERS_MAX_BUFFER_SIZE``: offsets inside a file are signed and have 32 bits."""
_FLOATS = frozenset({"float32", "float16", "float64", "bfloat16"})
_CONTROL = frozenset({"CALL_ONCE", "IF", "WHILE"})
_KIB = 1 << 10
# XNNPACK's src/configs/dwconv-config.c.
_MOST_TAPS = 25


def traits(artifact: Artifact, placed: Sequence[tuple[Delegate, Placed | None]]) -> Iterator[Finding]:
    """Findings on the file, then on what single delegates make of it."""
    yield from _size(artifact)
    yield from _signatures(artifact)
    yield from _state(artifact)
    yield from _custom(artifact)
    for delegate, where in placed:
        yield from _ends(artifact, delegate)
        yield from _cache(delegate, where)
    for delegate, where in placed[:1]:
        yield from _windows(delegate, where)


def _size(artifact: Artifact) -> Iterator[Finding]:
    if artifact.size_bytes > FILE_LIMIT_BYTES:
        message = f"has {artifact.size_bytes} bytes, a TFLite file can have {FILE_LIMIT_BYTES}"
        yield Finding("file-too-large", "error", message, "file", "int8 weights, or split the model")


def _signatures(artifact: Artifact) -> Iterator[Finding]:
    names = [signature.key for signature in artifact.signatures]
    others = [signature.key for signature in artifact.signatures if signature.subgraph != artifact.main.index]
    if len(names) > 1:
        message = f"has the signatures {', '.join(names)}"
        message += f"; nothing is predicted for {', '.join(others)}, which other subgraphs run" if others else ""
        yield Finding("several-signatures", "warning" if others else "info", message, "file")


def _state(artifact: Artifact) -> Iterator[Finding]:
    if held := variable_bytes(artifact):
        message = f"keeps {held} bytes of variables from run to run; a new interpreter starts without them"
        yield Finding("resource-variables", "info", message, "file")
    calls = Counter(op.name for _, op in artifact.all_ops() if op.name in _CONTROL)
    if calls:
        ops = ", ".join(f"{count} x {name}" for name, count in sorted(calls.items()))
        message = f"{ops} run {len(callees(artifact)) - 1} other subgraphs; all numbers count each of them once"
        yield Finding("control-flow", "info", message, "file")


def _custom(artifact: Artifact) -> Iterator[Finding]:
    names = sorted({op.name.partition(":")[2] for _, op in artifact.all_ops() if op.name.startswith("CUSTOM:")})
    for name in names:
        message = f"`{name}` is a custom op: a runtime runs it only with a kernel that was registered for it"
        yield Finding("custom-op", "info", message, "file")


def _ends(artifact: Artifact, delegate: Delegate) -> Iterator[Finding]:
    """An integer-only accelerator leaves what turns float into integers to the CPU."""
    if _takes_floats(delegate):
        return
    signature = artifact.signature
    sides = (("input", signature.inputs), ("output", signature.outputs))
    for side, ends in sides:
        for one in ends.values():
            if one.dtype in _FLOATS:
                message = f"{side} `{one.name}` is {one.dtype}, which it does not take: the CPU converts it in each run"
                hint = "convert with integer inputs and outputs"
                yield Finding("float-io", "warning", message, f"{delegate.rules} on {delegate.accelerator}", hint)


def _takes_floats(delegate: Delegate) -> bool:
    return any(precision in _FLOATS for precision in delegate.precision)


def _cache(delegate: Delegate, placed: Placed | None) -> Iterator[Finding]:
    limit = delegate.parameter_cache_kib
    if placed is None or limit is None:
        return
    stored = {(graph.index, tensor.index): tensor for graph, op in placed.claimed for tensor in graph.operands(op)}
    weights = sum(tensor.size_bytes for tensor in stored.values() if tensor.is_stored)
    if weights > limit * _KIB:
        message = f"takes {weights / _KIB:.0f} KiB of weights, {limit} stay on the chip: the rest is sent in each run"
        yield Finding("weights-beyond-cache", "warning", message, f"{delegate.rules} on {delegate.accelerator}")


def _windows(delegate: Delegate, placed: Placed | None) -> Iterator[Finding]:
    """Depthwise convolutions that XNNPACK, where it comes first, takes without a depthwise kernel."""
    if placed is None or delegate.rules != "xnnpack":
        return
    sizes: Counter[str] = Counter()
    for graph, op in placed.claimed:
        if op.name == "DEPTHWISE_CONV_2D":
            data, kernel = (graph.tensors[index].shape for index in op.inputs[:2])
            if data[3] == kernel[3] and kernel[1] * kernel[2] > _MOST_TAPS:
                sizes[f"{kernel[1]}x{kernel[2]}"] += 1
    if sizes:
        listing = ", ".join(f"{count} of {size}" for size, count in sizes.most_common())
        message = (
            f"{sizes.total()} DEPTHWISE_CONV_2D ({listing}) have more than {_MOST_TAPS} taps, for which it has no "
            "depthwise kernel: they take 3 to 20 times as long as sums of narrow ones"
        )
        hint = "convert again, without --forms plain and with this device or none as --profile"
        where = f"{delegate.rules} on {delegate.accelerator}"
        yield Finding("wide-windows", "warning", message, where, hint)
