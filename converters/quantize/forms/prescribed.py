"""Results of a prescribed scale, apart from what gives its operands its own.

Before::

    g = LOGISTIC(x)    y = CONCATENATION(a, g)

After::

    g = LOGISTIC(x)    h = MUL(g, 1)    y = CONCATENATION(a, h)

ai-edge-quantizer gives all that a join reads the join's scale, past what its maker's kernel takes (LOGISTIC: 1/32768 in
int16), and the engine refuses the file. The product is rounded to the join's scale, as a QUANTIZE between would.
"""

from __future__ import annotations

import numpy as np

from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.model import Op, Subgraph
from edge_sdk.artifact.ties import FIXED, MOVING

# They want one scale of all float operands.
_JOINS = frozenset({"CONCATENATION", "MAXIMUM", "MINIMUM", "PACK", "PADV2", "SELECT", "SELECT_V2"})


def apart_from_joins(graph: Subgraph, kept: set[int], edit: GraphEdit) -> int:
    """Puts a product by 1 before each join that reads such a result, moved or not; returns how many.

    Args:
        graph: the float graph.
        kept: indices of ops that stay in float: neither their results nor what they read have a scale.
        edit: takes the changes.
    """
    held = _held(graph, kept)
    one: int | None = None
    count = 0
    for op in graph.ops:
        places = [place for place, index in enumerate(op.inputs) if index in held]
        if op.name not in _JOINS or op.index in kept or not places or _is_alike(op, held):
            continue
        if one is None:
            one = edit.add_constant(np.array(1, np.float32), "one")
        inputs = list(op.inputs)
        for place in places:
            inputs[place] = edit.add_tensor(op.inputs[place], f"{graph.tensors[op.outputs[0]].name}_{place}_apart")
            edit.put_before(op.index, "MUL", [op.inputs[place], one], [inputs[place]])
            count += 1
        edit.read(op.index, inputs)
    return count


def _held(graph: Subgraph, kept: set[int]) -> dict[int, str]:
    """Tensors that hold values of a prescribed scale, and of what kind of op."""
    held: dict[int, str] = {}
    for op in graph.ops:
        if op.index in kept:
            continue
        if op.name in FIXED:
            held |= dict.fromkeys(op.outputs, op.name)
        elif op.name in MOVING - _JOINS:
            kind = next((held[index] for index in op.inputs if index in held), None)
            held |= dict.fromkeys(op.outputs, kind) if kind is not None else {}
    return held


def _is_alike(op: Op, held: dict[int, str]) -> bool:
    """A join of nothing but results of one kind has their scale."""
    return len({held.get(index) for index in op.inputs}) == 1
