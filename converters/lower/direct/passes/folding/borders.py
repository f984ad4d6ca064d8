"""Borders before a maximum pool, as zeros where nothing is below zero."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor, with_ops

# Never below zero, whatever they read.
_POSITIVE = frozenset({"ABS", "EXP", "LOGISTIC", "RELU", "RELU6", "SOFTMAX", "SQRT", "SQUARE"})
# Not below zero if nothing that they read is.
_KEEPING = frozenset(
    {"ADD", "AVERAGE_POOL_2D", "CONCATENATION", "MAX_POOL_2D", "MEAN", "MUL", "PAD", "REDUCE_MAX", "RESHAPE"}
    | {"RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "SLICE", "SUM", "TRANSPOSE"}
)


def zero_borders(graph: Graph) -> Graph:
    """Before: ``r = RELU(x); p = PADV2(r, pads, lowest); y = MAX_POOL_2D(p)``. After: ``p = PAD(r, pads)``.

    Delegates and integer forms take PAD, and its zeros are in the range of what they stand beside.
    """
    if all(op.kind != "PADV2" for op in graph.ops):
        return graph
    users, positive = graph.users(), _positive(graph)

    def rewritten(op: Op) -> Op:
        if op.kind != "PADV2" or any(user.kind != "MAX_POOL_2D" for user in users.get(op.output, [])):
            return op
        source, rows, number = op.inputs
        low = number is not None and number.data is not None and bool(number.data < 0)
        if source is None or source.dtype != "float32" or not low or source not in positive:
            return op
        return replace(op, kind="PAD", inputs=(source, rows))

    outputs = set(graph.outputs)
    return with_ops(graph, [op if op.output in outputs else rewritten(op) for op in graph.ops])


def _positive(graph: Graph) -> set[Tensor]:
    """What is made by ops and never below zero."""
    found: set[Tensor] = set()
    for op in graph.ops:
        kept = op.kind in _KEEPING and all(t in found or _is_positive(t) for t in op.inputs if t is not None)
        if kept or op.kind in _POSITIVE:
            found.update(op.outputs)
    return found


def _is_positive(constant: Tensor) -> bool:
    data = constant.data
    return data is not None and bool(data.dtype.kind != "f" or np.all(data >= 0))
