"""Vectors brought to length 1, in ops that integers have.

Before, as ``torch.nn.functional.normalize`` and attention by cosines are exported::

    n = SQRT(s)    m = MAXIMUM(n, eps)    y = DIV(x, m)

After::

    c = MAXIMUM(s, eps * eps)    i = RSQRT(c)    y = MUL(x, i)

The same in real numbers; SQRT and DIV have no kernel of 8 bits. It is for files without any float: elsewhere the tail
in float is exact, and as fast.
"""

from __future__ import annotations

import numpy as np

from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.model import Op, Subgraph


def inverse_roots(graph: Subgraph, kept: set[int], edit: GraphEdit) -> int:
    """Writes divisions by a SQRT anew; returns how many.

    Args:
        graph: the float graph.
        kept: indices of ops that must stay as they are; a division by the result of one of them does.
        edit: takes the changes.
    """
    found = (op for op in graph.ops if op.name == "DIV" and op.index not in kept)
    return sum(_rewrite(graph, op, kept, edit) for op in found)


def _rewrite(graph: Subgraph, op: Op, kept: set[int], edit: GraphEdit) -> bool:
    clamp, least = _clamp(graph, op.inputs[1])
    root = graph.makers.get(op.inputs[1] if clamp is None else _other(clamp, graph))
    ops = [one for one in (root, clamp) if one is not None]
    if root is None or root.name != "SQRT" or kept.intersection(one.index for one in ops):
        return False
    name = graph.tensors[op.outputs[0]].name
    squares = root.inputs[0]
    if clamp is not None:
        bound = edit.add_constant(np.array(least**2, np.float32), f"{name}_least")
        clamped = edit.add_tensor(squares, f"{name}_clamped")
        edit.put_before(op.index, "MAXIMUM", [squares, bound], [clamped])
        squares = clamped
    inverse = edit.add_tensor(squares, f"{name}_inverse")
    edit.put_before(op.index, "RSQRT", [squares], [inverse])
    edit.become(op.index, "MUL", (op.inputs[0], inverse))
    for one in ops:
        edit.drop_if_unread(one.index)
    return True


def _clamp(graph: Subgraph, index: int) -> tuple[Op | None, float]:
    """The MAXIMUM of a result and one positive number, and the number."""
    maker = graph.makers.get(index)
    if maker is None or maker.name != "MAXIMUM":
        return None, 0.0
    numbers = [graph.tensors[one] for one in maker.inputs if graph.tensors[one].constant is not None]
    if len(numbers) != 1 or numbers[0].elements != 1:
        return None, 0.0
    least = float(numbers[0].values().reshape(-1)[0])
    return (maker, least) if least > 0 and float(np.float32(least**2)) > 0 else (None, 0.0)


def _other(clamp: Op, graph: Subgraph) -> int:
    return next(index for index in clamp.inputs if graph.tensors[index].constant is None)
