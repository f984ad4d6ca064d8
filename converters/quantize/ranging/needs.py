"""How much of a tensor's range the ops that read it can tell apart: beyond a clamp every value is the same.

Before: ``CONV_2D -> HARD_SWISH``, whose operand goes from -40 to 12: three of four levels stand for what becomes 0.
After: the same with the range [-3, 12], in which the convolution saturates where the HARD_SWISH is 0: nothing is lost,
whatever the values. Likewise before a RELU or a clamp that is an op of its own, and before a shift or a positive factor
in front of one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import replace

from edge_sdk.artifact.model import Op, Subgraph
from edge_sdk.converters.quantize.ranging.clipping import Ends
from edge_sdk.engines.observe import Observation

_ALL: Ends = (-math.inf, math.inf)
_NONE: Ends = (math.inf, -math.inf)
# By TFLite's number of a fused activation.
_FUSED = {1: (0.0, math.inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
_CLAMPS = {
    "RELU": (0.0, math.inf),
    "RELU6": (0.0, 6.0),
    "RELU_0_TO_1": (0.0, 1.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "HARD_SWISH": (-3.0, math.inf),
}
_MOVED = frozenset({"EXPAND_DIMS", "RESHAPE", "SLICE", "SQUEEZE", "STRIDED_SLICE", "TRANSPOSE"})


def narrow(graph: Subgraph, seen: dict[int, Observation], free: Collection[int]) -> frozenset[int]:
    """Narrows ranges, in place, to what is told apart; returns the tensors whose range is another now.

    Zero stays inside, and a range that nothing is left of stays as it was.

    Args:
        graph: the float graph.
        seen: tensor index to its range.
        free: those that may be changed.
    """
    found = set()
    wanted = frozenset(free)
    for index, (low, high) in _needs(graph).items():
        if index not in wanted:
            continue
        ends = min(0.0, max(seen[index].minimum, low)), max(0.0, min(seen[index].maximum, high))
        was = min(0.0, seen[index].minimum), max(0.0, seen[index].maximum)
        if ends != was and ends[0] < ends[1]:
            seen[index] = replace(seen[index], minimum=ends[0], maximum=ends[1])
            found.add(index)
    return frozenset(found)


def _needs(graph: Subgraph) -> dict[int, Ends]:
    """Tensor to the range beyond which no reader tells values apart; readers come after what they read."""
    needs: dict[int, Ends] = dict.fromkeys(graph.outputs, _ALL)
    for op in reversed(graph.ops):
        for index, need in _of_operands(graph, op, needs):
            low, high = needs.get(index, _NONE)
            needs[index] = min(low, need[0]), max(high, need[1])
    return needs


def _of_operands(graph: Subgraph, op: Op, needs: dict[int, Ends]) -> Iterator[tuple[int, Ends]]:
    x = op.inputs[0] if op.inputs else -1
    result = needs.get(op.outputs[0], _ALL) if len(op.outputs) == 1 else _ALL
    if op.name in _MOVED:
        yield x, result
    elif op.name in _CLAMPS:
        # Past a HARD_SWISH's curve values are others than before it: what is needed behind it tells nothing.
        behind = _ALL if op.name == "HARD_SWISH" else result
        yield x, _within(_CLAMPS[op.name], behind)
    elif (number := _scalar(graph, op)) is not None:
        place = 0 if graph.tensors[op.inputs[0]].constant is None else 1
        yield op.inputs[place], _before(op, number, result, first=place == 0)
    else:
        for index in op.inputs:
            yield index, _ALL


def _scalar(graph: Subgraph, op: Op) -> float | None:
    """The one number that a binary op combines its only other operand with."""
    if op.name not in ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM") or len(op.inputs) != 2:
        return None
    constants = [t for t in graph.operands(op) if t.constant is not None and t.elements == 1 and t.dtype == "float32"]
    return float(constants[0].values().reshape(-1)[0]) if len(constants) == 1 else None


def _before(op: Op, number: float, result: Ends, *, first: bool) -> Ends:
    """What is told apart of a binary op's operand, from what is of its result."""
    if op.name == "MAXIMUM":
        return _within((number, math.inf), result)
    if op.name == "MINIMUM":
        return _within((-math.inf, number), result)
    fused = _FUSED.get(int(op.options.get("fused_activation_function") or 0), _ALL)
    low, high = _within(fused, result)
    if op.name == "ADD":
        return low - number, high - number
    if op.name == "SUB" and first:
        return low + number, high + number
    if op.name == "MUL" and number > 0:
        return low / number, high / number
    return _ALL


def _within(one: Ends, other: Ends) -> Ends:
    """Where both tell values apart; of ranges that do not meet, the first one's nearer end."""
    low, high = max(one[0], other[0]), min(one[1], other[1])
    return (low, high) if low <= high else one
