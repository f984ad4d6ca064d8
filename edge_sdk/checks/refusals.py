"""Files that no engine opens as they are, however it would place them: what TFLite refuses as it reads and prepares.

Tried on ai-edge-litert 2.1.0 and 2.3.0 and on tflite-runtime 2.14.0 (``tests/core/checks/test_refusals.py``), which
agree. Mistakes that a public file had are here, not every one that a damaged file may have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from edge_sdk.artifact.model import Artifact, Op, Subgraph, Tensor
from edge_sdk.findings import Finding

_VALID = 1
_KEEP_EXTENTS = frozenset(
    {"CAST", "DEQUANTIZE", "EXPAND_DIMS", "QUANTIZE", "RELU", "RELU6", "SQUEEZE", "TRANSPOSE", "LOGISTIC", "TANH"}
)
_OPEN = "give open inputs a size first: resize_tensor_input before allocate_tensors, or convert with that size"
_DAMAGED = "convert it again with a current converter: what wrote it, or what edited it, left it so"


def refusals(artifact: Artifact) -> Iterator[Finding]:
    """The first mistake of each kind, in words; each by itself keeps every engine from opening the file."""
    seen: set[str] = set()
    for finding in _all(artifact):
        if finding.rule not in seen:
            seen.add(finding.rule)
            yield finding


def _all(artifact: Artifact) -> Iterator[Finding]:
    for graph in artifact.subgraphs:
        for tensor in graph.tensors:
            yield from _stored(tensor)
            yield from _scales(tensor)
        for op in graph.ops:
            if op.name in _OPS:
                yield from _OPS[op.name](_Seen(graph, op))


def _stored(tensor: Tensor) -> Iterator[Finding]:
    if tensor.is_variable and tensor.constant is not None:
        message = f"tensor {tensor.index} `{tensor.name}` is a variable and has data: every engine refuses the file"
        yield Finding("variable-with-data", "error", message, "file", _DAMAGED)


def _scales(tensor: Tensor) -> Iterator[Finding]:
    """``ParseQuantization`` of TFLite's ``interpreter_builder.cc``: one scale too is held to its dimension."""
    known = tensor.quantization
    if known is None or not tensor.shape:
        return
    where = f"tensor {tensor.index} `{tensor.name}` of shape {list(tensor.shape)}"
    if not 0 <= known.axis < len(tensor.shape):
        message = f"{where} is quantized along dimension {known.axis}: every engine refuses the file"
        yield Finding("quantized-dimension", "error", message, "file", _DAMAGED)
    elif known.per_channel and len(known.scale) != tensor.shape[known.axis]:
        message = f"{where} has {len(known.scale)} scales along dimension {known.axis}: every engine refuses the file"
        yield Finding("quantized-dimension", "error", message, "file", _DAMAGED)


class _Seen(NamedTuple):
    """An op in its subgraph."""

    graph: Subgraph
    op: Op

    @property
    def source(self) -> Tensor | None:
        """The first operand."""
        inputs = self.op.inputs
        return self.graph.tensors[inputs[0]] if inputs and inputs[0] >= 0 else None


def _windowed(seen: _Seen) -> Iterator[Finding]:
    """A window that leaves no room for one value, along height or width, without padding."""
    op, source, window = seen.op, seen.source, _window(seen)
    if op.options.get("padding") != _VALID or source is None or len(source.shape) != 4 or window is None:
        return
    if not _is_known(seen, source):
        return
    strides = [int(op.options.get(f"stride_{side}", 1)) for side in "hw"]
    for extent, size, stride in zip(source.shape[1:3], window, strides, strict=True):
        if size > extent and stride > 0:
            # The kernel divides towards 0: less than a step too small gives an output without values.
            refused = extent - size + stride <= -stride
            so = "no engine prepares it" if refused else "it computes nothing"
            message = f"{op.name} {op.index} has a window of {size} for {extent} of `{source.name}`: at the sizes "
            message += f"that the file states {so}"
            yield Finding("window-beyond-input", "error" if refused else "warning", message, "file", _OPEN)
            return


def _window(seen: _Seen) -> tuple[int, int] | None:
    op = seen.op
    kernel = seen.graph.tensors[op.inputs[1]].shape if len(op.inputs) > 1 and op.inputs[1] >= 0 else ()
    if len(kernel) != 4:
        return None
    steps = (op.options.get(f"dilation_{side}_factor", 1) for side in "hw")
    high, wide = ((size - 1) * int(step) + 1 for size, step in zip(kernel[1:3], steps, strict=True))
    return high, wide


def _is_known(seen: _Seen, tensor: Tensor) -> bool:
    """Whether the engine too has these extents here: what an op computes may be stated as 1 where it was not known."""
    for _ in range(len(seen.graph.ops) + 1):
        op = seen.graph.makers.get(tensor.index)
        if op is None:
            return tensor.index in seen.graph.inputs
        if op.name not in _KEEP_EXTENTS or not op.inputs or op.inputs[0] < 0:
            return False
        tensor = seen.graph.tensors[op.inputs[0]]
    return False


def _squeezed(seen: _Seen) -> Iterator[Finding]:
    """Dimensions that are dropped are there, and 1; a shape of rank 0 may be one that is not known."""
    source, dropped = seen.source, seen.op.options.get("squeeze_dims")
    if source is None or dropped is None or not source.shape or -1 in source.shape_signature:
        return
    for stated in dropped:
        axis = int(stated) + len(source.shape) * (stated < 0)
        extent = source.shape[axis] if 0 <= axis < len(source.shape) else 0
        if extent != 1:
            message = f"SQUEEZE {seen.op.index} drops dimension {stated} of {list(source.shape)}: no engine prepares it"
            yield Finding("shape-contradiction", "error", message, "file", _DAMAGED)
            return


def _optionless(seen: _Seen) -> Iterator[Finding]:
    if not seen.op.options:
        message = f"{seen.op.name} {seen.op.index} has no options: every engine refuses the file"
        yield Finding("options-missing", "error", message, "file", _DAMAGED)


_OPS: Mapping[str, Callable[[_Seen], Iterator[Finding]]] = MappingProxyType(
    {
        "CONV_2D": _windowed,
        "DEPTHWISE_CONV_2D": _windowed,
        "LSTM": _optionless,
        "SQUEEZE": _squeezed,
    }
)
