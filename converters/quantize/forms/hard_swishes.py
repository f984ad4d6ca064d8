"""Hard swishes that an exporter took apart, as one op.

Before: ``MUL(MUL(x, RELU6(x + 3)), c)``, as Paddle's exporters write it, with a factor of the network's own in ``c``:
in int8 each is rounded, and the first product has six times the range. After: ``HARD_SWISH(x)``, and ``MUL(.., 6 c)``
where that is not one: rounded once, or in XNNPACK a row of 256 values (:mod:`.islands`).

The same in real numbers.
"""

from __future__ import annotations

import numpy as np

from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.model import Op, Subgraph
from edge_sdk.converters.quantize.forms.norms import is_clipped

_RELU6 = 3
_ONE = 1e-6


def joined_hard_swishes(graph: Subgraph, kept: set[int], edit: GraphEdit) -> int:
    """Writes hard swishes as one op.

    Args:
        graph: the float graph, without divisions by constants.
        kept: indices of ops that must stay as they are.
        edit: takes the changes.

    Returns:
        How many there were.
    """
    finder = _Finder(graph, kept)
    return sum(_join(graph, edit, *found) for op in graph.ops if (found := finder.around(op)))


def _join(graph: Subgraph, edit: GraphEdit, gate: Op, product: Op, scaled: Op, factor: float) -> bool:
    x = next(index for index in product.inputs if index != gate.outputs[0])
    edit.become(product.index, "HARD_SWISH", (x,))
    edit.drop_if_unread(gate.index)
    if abs(6 * factor - 1) <= _ONE:
        edit.write(product.index, scaled.outputs)
        edit.remove(scaled.index)
    else:
        name = f"{graph.tensors[scaled.outputs[0]].name}_factor"
        edit.read(scaled.index, (product.outputs[0], edit.add_constant(np.array(6 * factor, np.float32), name)))
    return True


class _Finder:
    def __init__(self, graph: Subgraph, kept: set[int]) -> None:
        self._graph = graph
        self._kept = kept
        self._makers = graph.makers

    def around(self, product: Op) -> tuple[Op, Op, Op, float] | None:
        """The gate, the product with it, what scales that and by how much; None where a MUL is no such product."""
        if product.name != "MUL" or is_clipped(product) or len(set(product.inputs)) != 2:
            return None
        scaled = self._only_reader(product)
        makers = (self._makers.get(index) for index in product.inputs)
        gate = next((gate for gate in makers if gate is not None and self._is_gate(gate, product)), None)
        if gate is None or scaled is None or scaled.name != "MUL":
            return None
        if {gate.index, product.index, scaled.index} & self._kept:
            return None
        factor = self._number(scaled, product.outputs[0])
        return None if factor is None else (gate, product, scaled, factor)

    def _is_gate(self, gate: Op, product: Op) -> bool:
        """Whether an op is ``RELU6(x + 3)`` of the other operand ``x``, for this product alone."""
        if gate.name != "ADD" or gate.options.get("fused_activation_function") != _RELU6:
            return False
        x = next(index for index in product.inputs if index != gate.outputs[0])
        return x in gate.inputs and self._only_reader(gate) is product and self._number(gate, x) == 3

    def _number(self, op: Op, index: int) -> float | None:
        """The one number that a binary op combines a tensor with."""
        other = self._graph.tensors[op.inputs[1] if op.inputs[0] == index else op.inputs[0]]
        if other.constant is None or other.elements != 1 or other.dtype != "float32":
            return None
        return float(other.values().reshape(-1)[0])

    def _only_reader(self, op: Op) -> Op | None:
        index = op.outputs[0]
        readers = self._graph.readers.get(index, ())
        return readers[0] if len(readers) == 1 and index not in self._graph.outputs else None
