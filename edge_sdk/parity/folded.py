"""Ops that a quantizer folds into what they read: changes of shape, and clips, which become a fused activation."""

from __future__ import annotations

import math
from typing import TypeAlias

from edge_sdk.artifact.apart import expansions
from edge_sdk.artifact.model import Op, Subgraph

Range: TypeAlias = "tuple[float, float]"
SHAPING = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
WHOLE: Range = (-math.inf, math.inf)
_RELUS: dict[str, Range] = {
    "RELU": (0.0, math.inf),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU_0_TO_1": (0.0, 1.0),
}


def folded_data(graph: Subgraph, op: Op) -> int | None:
    """The tensor that an op only lays out otherwise, or clips; None of any other op."""
    if op.name in SHAPING or op.name in _RELUS:
        return op.inputs[0]
    return _clipped(graph, op)[0]


def clip_of(graph: Subgraph, op: Op) -> Range | None:
    """What an op clips values to; None of an op that does anything else."""
    if op.name in _RELUS:
        return _RELUS[op.name]
    data, limit = _clipped(graph, op)
    if data is None:
        return None
    return (limit, math.inf) if op.name == "MAXIMUM" else (-math.inf, limit)


def _clipped(graph: Subgraph, op: Op) -> tuple[int | None, float]:
    """Of MAXIMUM and MINIMUM with one number: what else they read, and the number."""
    if op.name not in ("MAXIMUM", "MINIMUM"):
        return None, 0.0
    stored = expansions(graph)
    for place, index in enumerate(op.inputs):
        tensor = stored.get(index, graph.tensors[index])
        if tensor.constant is not None and tensor.elements == 1 and tensor.dtype == "float32":
            return op.inputs[1 - place], float(tensor.values().reshape(()))
    return None, 0.0
