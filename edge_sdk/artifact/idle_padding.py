"""Borders of convolutions: SAME where there is nothing to pad, and a PAD that is what SAME would do."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

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


def pads_as_same(graph: Subgraph, pad: Op, op: Op) -> bool:
    """Whether a VALID convolution behind a PAD is a SAME one of the PAD's own input.

    Not where a stride is beyond its kernel: XNNPACK of ai-edge-litert 2.1.0 errs on SAME there.
    """
    if pad.name != "PAD" or op.name not in _KINDS or op.options.get("padding") != VALID:
        return False
    border = graph.tensors[pad.inputs[1]]
    if border.constant is None:
        return False
    data, kernel = graph.tensors[pad.inputs[0]].shape, graph.tensors[op.inputs[1]].shape
    if not len(data) == len(kernel) == 4:
        return False
    wanted = [(0, 0)]
    for axis, side in ((1, "h"), (2, "w")):
        stride, dilation = op.options.get(f"stride_{side}", 1), op.options.get(f"dilation_{side}_factor", 1)
        if stride > kernel[axis]:
            return False
        last = (-(-data[axis] // stride) - 1) * stride
        total = max(last + (kernel[axis] - 1) * dilation + 1 - data[axis], 0)
        wanted.append((total // 2, total - total // 2))
    return bool(np.array_equal(border.values().reshape(-1, 2), [*wanted, (0, 0)]))
