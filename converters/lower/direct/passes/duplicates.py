"""Ops that compute what another has computed."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor, inner_graphs, with_ops

_STATEFUL = frozenset(
    {"ASSIGN_VARIABLE", "CALL_ONCE", "RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM", "MULTINOMIAL", "VAR_HANDLE"}
)
_SHORT_BYTES = 1024


def merge_equal(graph: Graph) -> Graph:
    """Before: ``a = RELU(x)    b = RELU(x)    y = ADD(a, b)``. After: ``a = RELU(x)    y = ADD(a, a)``."""
    seen: dict[Hashable, Op] = {}
    renamed: dict[Tensor, Tensor] = {}
    kept = []
    outputs = set(graph.outputs)
    for op in graph.ops:
        now = op.reading(*(renamed.get(t, t) if t is not None else None for t in op.inputs))
        first = seen.setdefault(_key(now), now) if _may_merge(op) else now
        if first is now or any(tensor in outputs for tensor in op.outputs):
            kept.append(op)
        else:
            renamed.update(zip(op.outputs, first.outputs, strict=True))
    return with_ops(graph, kept, renamed) if renamed else graph


def _may_merge(op: Op) -> bool:
    return op.kind not in _STATEFUL and not inner_graphs(op)


def _key(op: Op) -> Hashable:
    options = tuple(sorted((name, _plain(value)) for name, value in op.options.items()))
    return op.kind, tuple(map(_operand, op.inputs)), options, tuple((t.shape, t.dtype) for t in op.outputs)


def _plain(value: object) -> str:
    return repr(value.tolist() if isinstance(value, np.ndarray) else value)


def _operand(tensor: Tensor | None) -> Hashable:
    """Small constants are compared by their numbers."""
    if tensor is None or tensor.data is None or tensor.data.nbytes > _SHORT_BYTES or tensor.quantization is not None:
        return tensor
    return tensor.dtype, tensor.shape, tensor.data.tobytes()
