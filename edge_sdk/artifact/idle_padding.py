"""Convolutions that are padded to keep their size, and have nothing to pad: windows fit, and leave a border unread."""

from __future__ import annotations

from collections.abc import Iterator

from edge_sdk.artifact.model import Op, Subgraph

SAME, VALID = 0, 1
_KINDS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})


def unread(graph: Subgraph, op: Op) -> tuple[int, int] | None:
    """How many rows and columns of its input a SAME convolution leaves unread; negative: are padded; None: is none."""
    if op.name not in _KINDS or op.options.get("padding") != SAME or len(op.inputs) < 2:
        return None
    data, kernel, result = (graph.tensors[index].shape for index in (op.inputs[0], op.inputs[1], op.outputs[0]))
    if not len(data) == len(kernel) == len(result) == 4:
        return None
    made = []
    for axis, side in ((1, "h"), (2, "w")):
        stride, dilation = op.options.get(f"stride_{side}", 1), op.options.get(f"dilation_{side}_factor", 1)
        made.append(data[axis] - ((result[axis] - 1) * stride + (kernel[axis] - 1) * dilation + 1))
    return made[0], made[1]


def idle_paddings(graph: Subgraph) -> Iterator[Op]:
    """SAME convolutions that compute the same as VALID ones, with a row or column unread."""
    for op in graph.ops:
        found = unread(graph, op)
        if found is not None and min(found) >= 0 and max(found) > 0:
            yield op
