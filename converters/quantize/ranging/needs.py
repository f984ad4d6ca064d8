"""How much of a tensor's range the ops that read it can tell apart: beyond a clamp every value is the same.

Before: ``CONV_2D -> HARD_SWISH``, whose operand goes from -40 to 12: three of four levels stand for what becomes 0.
After: the same with the range [-3, 12], in which the convolution saturates where the HARD_SWISH is 0: nothing is lost,
whatever the values. Likewise before a RELU or a clamp that is an op of its own, and before a shift or a positive factor
in front of one. Of a curve that levels off the same holds for int8 alone: before a GELU or ``x * LOGISTIC(x)`` what
becomes less than a quarter of a step of its result, so that it is zero wherever it saturates; before a LOGISTIC or
TANH, whose steps are fixed, what becomes less than half a one from its end, if products follow. A tail without any may
be left in float, which tells more apart. A gate may multiply what it reads by a factor for each channel first
(:mod:`..weights.evened`): then the channel with the least factor counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import Op, Subgraph
from edge_sdk.converters.quantize.ranging.clipping import Ends
from edge_sdk.engines.observe import Observation

Floats = npt.NDArray[np.float64]

_ALL: Ends = (-math.inf, math.inf)
_NONE: Ends = (math.inf, -math.inf)
_RELU6 = 3
# By TFLite's number of a fused activation.
_FUSED = {1: (0.0, math.inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
_CLAMPS = {
    "RELU": (0.0, math.inf),
    "RELU6": (0.0, 6.0),
    "RELU_0_TO_1": (0.0, 1.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "HARD_SWISH": (-3.0, math.inf),
}
# Where the fixed steps of 1/256 and 1/128 leave less than half a one to their ends.
_LEVEL = {"LOGISTIC": math.log(511), "TANH": math.atanh(1 - 1 / 256)}
_STEPS = 255
_DISTANCES = np.arange(0.0, 24.0, 0.05)
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
    for index, (low, high) in _Needs(graph, seen).found().items():
        if index not in wanted:
            continue
        ends = min(0.0, max(seen[index].minimum, low)), max(0.0, min(seen[index].maximum, high))
        was = min(0.0, seen[index].minimum), max(0.0, seen[index].maximum)
        if ends != was and ends[0] < ends[1]:
            seen[index] = replace(seen[index], minimum=ends[0], maximum=ends[1])
            found.add(index)
    return frozenset(found)


class _Needs:
    """Tensor to the range beyond which no reader tells values apart."""

    def __init__(self, graph: Subgraph, seen: Mapping[int, Observation]) -> None:
        self._graph = graph
        self._seen = seen
        self._needs: dict[int, Ends] = dict.fromkeys(graph.outputs, _ALL)
        self._ahead: set[int] = set()
        self._gates = {product.index: gate for product in graph.ops if (gate := _gate(graph, product)) is not None}
        self._silent = {index for gate in self._gates.values() for index in gate.silent}

    def found(self) -> dict[int, Ends]:
        """Readers come after what they read."""
        for op in reversed(self._graph.ops):
            for index, need in self._of_operands(op):
                low, high = self._needs.get(index, _NONE)
                self._needs[index] = min(low, need[0]), max(high, need[1])
            if macs(self._graph, op) or self._ahead & set(op.outputs):
                self._ahead |= set(op.inputs)
        return self._needs

    def _of_operands(self, op: Op) -> Iterator[tuple[int, Ends]]:
        x = op.inputs[0] if op.inputs else -1
        result = self._needs.get(op.outputs[0], _ALL) if len(op.outputs) == 1 else _ALL
        if op.name in _MOVED:
            yield x, result
        elif op.name in _CLAMPS:
            # Past a HARD_SWISH's curve values are others than before it: what is needed behind it tells nothing.
            behind = _ALL if op.name == "HARD_SWISH" else result
            yield x, _within(_CLAMPS[op.name], behind)
        elif op.index in self._silent:
            for index in op.inputs:
                yield index, _NONE
        elif op.index in self._gates:
            gate = self._gates[op.index]
            yield gate.x, (self._nothing_below(op, gate), math.inf)
            yield next(index for index in op.inputs if index != gate.x), _ALL
        elif op.name == "GELU":
            yield x, (-self._flat(op, _gelu), math.inf)
        elif op.name in _LEVEL and self._ahead & set(op.outputs):
            yield x, (-_LEVEL[op.name], _LEVEL[op.name])
        elif (number := _scalar(self._graph, op)) is not None:
            place = 0 if self._graph.tensors[op.inputs[0]].constant is None else 1
            yield op.inputs[place], _before(op, number, result, first=place == 0)
        else:
            for index in op.inputs:
                yield index, _ALL

    def _nothing_below(self, op: Op, gate: _Gate) -> float:
        """Below which value of what is gated its product is zero; by channel, and the furthest of those."""
        if gate.shift is not None:
            return float(np.min(-gate.shift / gate.factors))
        return -max(self._flat(op, _swish, float(by)) / float(by) for by in np.unique(gate.factors))

    def _flat(self, op: Op, curve: Callable[[Floats], Floats], factor: float = 1.0) -> float:
        """From which distance below zero on int8 takes a curve for zero, and not by the last half of a step.

        With a factor, of what is that much smaller than the curve.
        """
        seen = self._seen.get(op.outputs[0])
        if seen is None or op.options.get("fused_activation_function"):
            return math.inf
        zero = (max(seen.maximum, 0.0) - min(seen.minimum, 0.0)) / _STEPS / 4 * factor
        within = np.abs(curve(-_DISTANCES)) <= zero
        # Curves dip once: from the last that is further on.
        beyond = np.flatnonzero(~within)
        place = int(beyond[-1]) + 1 if len(beyond) else 0
        return float(_DISTANCES[place]) if place < len(_DISTANCES) else math.inf


@dataclass(frozen=True)
class _Gate:
    """Of a product ``x * g(x * factors)``.

    Attributes:
        x: what is gated.
        factors: of each channel, positive.
        shift: that of ``RELU6(x + shift)``; None for a LOGISTIC.
        silent: ops of the gate that tell nothing more apart than the product does.
    """

    x: int
    factors: Floats
    shift: float | None
    silent: tuple[int, ...]


def _gate(graph: Subgraph, product: Op) -> _Gate | None:
    """That of ``x * LOGISTIC(x)`` and ``x * RELU6(x + 3)``, where nothing else reads it."""
    if product.name != "MUL" or len(set(product.inputs)) != 2 or product.options.get("fused_activation_function"):
        return None
    for x, result in (product.inputs, product.inputs[::-1]):
        op = graph.makers.get(result)
        if op is None or len(graph.readers.get(result, ())) != 1 or result in graph.outputs:
            continue
        shift = (
            _scalar(graph, op) if op.name == "ADD" and op.options.get("fused_activation_function") == _RELU6 else None
        )
        if op.name != "LOGISTIC" and (shift is None or shift <= 0):
            continue
        read = next(index for index in op.inputs if graph.tensors[index].constant is None)
        scaling = graph.makers.get(read)
        if read == x:
            return _Gate(x, np.ones(1), shift, (op.index,) if shift is None else ())
        factors = _factors(graph, scaling, x) if scaling is not None else None
        if factors is not None and scaling is not None and len(graph.readers.get(read, ())) == 1:
            return _Gate(x, factors, shift, (scaling.index,))
    return None


def _factors(graph: Subgraph, op: Op, x: int) -> Floats | None:
    """The positive constants that an op multiplies a tensor by."""
    if op.name != "MUL" or x not in op.inputs or op.options.get("fused_activation_function"):
        return None
    other = graph.tensors[op.inputs[1] if op.inputs[0] == x else op.inputs[0]]
    if other.constant is None or other.dtype != "float32":
        return None
    values = other.values().astype(np.float64).reshape(-1)
    return values if (values > 0).all() else None


def _swish(x: Floats) -> Floats:
    made: Floats = x / (1 + np.exp(-x))
    return made


def _gelu(x: Floats) -> Floats:
    return np.array([value * math.erfc(-value / math.sqrt(2)) / 2 for value in x])


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
