"""Operands of logarithms, roots and divisors that int8 drowns, left in float as far back as they need it.

Before: ``MUL(x, x) -> FULLY_CONNECTED (mel) -> LOG``, or ``MUL(d, d) -> MEAN -> ADD -> RSQRT``, all int8. Such ops
spread small values far apart: where an operand spans decades, int8 keeps the largest two, and what is below half a step
is zero, of which a reciprocal is infinite. After: float from where int8 still holds what is computed:

- from the squares on, whose operands have half the decades (a power in 8 bits is an amplitude in 4);
- from the inputs on, for a logarithm that even amplitudes in int8 drown, where that is no large share of the file;
- for a divisor, what it is summed up of, and the products with a reciprocal that int8 drowns in its turn.

How much is drowned is taken from the values that were seen, by what a rounded operand moves the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import Op, Subgraph
from edge_sdk.converters.quantize.kept import kinds_in_words, result_name
from edge_sdk.engines.observe import Observation
from edge_sdk.findings import Finding
from edge_sdk.recipe import Recipe

Seen = Mapping[int, Observation]

_ROOTS = frozenset({"LOG", "SQRT"})
_DIVISORS = frozenset({"DIV", "RSQRT"})
_THROUGH = frozenset(
    {"ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "RELU", "RESHAPE", "SLICE", "SQUEEZE", "STRIDED_SLICE", "TRANSPOSE"}
)
_SUMS = frozenset({"MEAN", "SUM"})
# Between a divisor and its squares: ``d / SQRT(MEAN(d * d))``.
_TO_DIVISORS = _SUMS | {"SQRT"}
_STEPS = 255.0
# Noise of a result by the steps of its operand, of its own variance or power: 20 dB.
_LOUD = 0.01
# Of a divisor, which scales all that it divides: 30 dB.
_LOUD_DIVISOR = 0.001
# More multiply-accumulates than these, of all, are no front end but the network.
_MOST = 0.5
# A product between a square and a logarithm goes along where it is so small a share of all.
_CHEAP = 0.05
_PLAIN = "--forms plain leaves every op in integers"


@dataclass(frozen=True)
class Drowned:
    """Ops in float, in order, by how far back they reach; none is in two.

    Attributes:
        front: from the inputs to the features behind a logarithm.
        spectra: from squares to their roots and logarithms.
        divisors: sums, divisors, and products with their reciprocals.
    """

    front: tuple[Op, ...]
    spectra: tuple[Op, ...]
    divisors: tuple[Op, ...]

    @property
    def ops(self) -> tuple[Op, ...]:
        """All of them."""
        return (*self.front, *self.spectra, *self.divisors)

    def told(self, graph: Subgraph, recipe: Recipe, seen: Seen) -> list[Finding]:
        """What is in float, and why."""
        rows = (
            ("front-end-in-float", self.front, self._front_in_words(graph, seen)),
            ("spectra-in-float", self.spectra, self._spectra_in_words()),
            ("divisors-in-float", self.divisors, self._divisors_in_words(graph, seen)),
        )
        return [Finding(rule, "info", text, recipe.name, _PLAIN) for rule, ops, text in rows if ops]

    def _front_in_words(self, graph: Subgraph, seen: Seen) -> str:
        logarithms = [op for op in self.front if op.name == "LOG"]
        if not logarithms:
            return ""
        worst = max(logarithms, key=lambda op: noise(op, seen))
        return (
            f"{len(self.front)} ops from the inputs to `{result_name(graph, self.front[-1])}` compute in float: LOG "
            f"`{result_name(graph, worst)}` reads values up to {seen[worst.inputs[0]].maximum:.3g}, of which int8's "
            f"step would be noise at {-10 * np.log10(noise(worst, seen)):.0f} dB"
        )

    def _spectra_in_words(self) -> str:
        listing = kinds_in_words(op.name for op in self.spectra)
        return f"{listing} from squares to their roots and logarithms compute in float: a square has twice the decibels"

    def _divisors_in_words(self, graph: Subgraph, seen: Seen) -> str:
        divisors = [op for op in self.divisors if op.name in _DIVISORS]
        if not divisors:
            return ""
        listing = kinds_in_words(op.name for op in self.divisors)
        worst = max(divisors, key=lambda op: noise(op, seen))
        operand = seen[_operand(worst)]
        return (
            f"{listing} around divisors compute in float: {worst.name} `{result_name(graph, worst)}` divides by values "
            f"from {operand.minimum:.3g} to {operand.maximum:.3g}, of which int8 makes the small ones zero"
        )


def drowned(graph: Subgraph, seen: Seen) -> Drowned:
    """What stands before a logarithm, root or divisor that int8 drowns.

    Args:
        graph: the float graph.
        seen: ranges and histograms by tensor index.
    """
    ways = _Ways(graph)
    limits = dict.fromkeys(_ROOTS, _LOUD) | dict.fromkeys(_DIVISORS, _LOUD_DIVISOR)
    loud = [op for op in graph.ops if op.name in limits and noise(op, seen) > limits[op.name]]
    spectra: dict[int, Op] = {}
    deeper: list[Op] = []
    for op in loud:
        way, squares = ways.back(op)
        if op.name == "LOG" and not (squares and noise(op, seen, amplitudes=True) <= _LOUD):
            deeper.append(op)
        if op.name in _ROOTS and squares:
            spectra |= way
    front = ways.front(deeper)
    divisors: dict[int, Op] = {}
    for op in (op for op in loud if op.name in _DIVISORS):
        divisors |= ways.back(op)[0] | ways.scaled(op, seen)
    kept = front.keys() | spectra.keys()
    return Drowned(
        _in_order(front.values()),
        _in_order(op for index, op in spectra.items() if index not in front),
        _in_order(op for index, op in divisors.items() if index not in kept),
    )


def noise(op: Op, seen: Seen, *, amplitudes: bool = False) -> float:
    """Mean square error of a result whose operand is rounded to int8, of its variance or power; at most 1.

    An operand off by a step's ``s^2 / 12`` moves ``y = log x`` by ``s^2 / (12 x^2)``, a root by ``s^2 / (48 y^2)``, and
    a reciprocal of ``x``, or of its root, by a share of itself that is infinite where ``x`` becomes zero.

    Args:
        op: LOG, SQRT, RSQRT or DIV.
        seen: of its operand and result.
        amplitudes: a logarithm's operand is a square, and rounded before it is squared.
    """
    operand, result = seen.get(_operand(op)), seen.get(op.outputs[0])
    if operand is None or result is None or not np.isfinite([operand.maximum, result.minimum, result.maximum]).all():
        return 0.0
    if op.name in _DIVISORS:
        # A root halves what its operand is off by.
        return 1.0 if _becomes_zero(operand) else _relative(operand) / (4 if op.name == "RSQRT" else 1)
    ends = np.array([result.minimum, result.maximum], np.float64)
    values, share = (ends, np.full(2, 0.5)) if result.histogram is None else result.histogram.points()
    variance = float(np.sum(share * values**2) - np.sum(share * values) ** 2)
    if variance <= 0:
        return 0.0
    if op.name == "SQRT":
        error = _step(operand) ** 2 / 48 / np.maximum(values**2, 1e-30)
    elif amplitudes:
        error = 4 * (2 * np.sqrt(max(operand.maximum, 0.0)) / _STEPS) ** 2 / 12 * _exp(-values)
    else:
        error = _step(operand) ** 2 / 12 * _exp(-2 * values)
    return float(np.sum(share * np.minimum(error, variance))) / variance


def _becomes_zero(one: Observation) -> bool:
    return one.minimum <= 0 <= one.maximum or _smallest(one) < _step(one) / 2


def _relative(one: Observation) -> float:
    """Mean square of what rounding to int8 takes from values, each by its own size; at most 1."""
    ends = np.array([one.minimum, one.maximum], np.float64)
    values, share = (ends, np.full(2, 0.5)) if one.histogram is None else one.histogram.points()
    part = _step(one) ** 2 / 12 / np.maximum(values**2, max(_smallest(one) ** 2, 1e-30))
    return min(1.0, float(np.sum(share * part)))


def _smallest(one: Observation) -> float:
    return min(abs(one.minimum), abs(one.maximum))


def _step(one: Observation) -> float:
    return (max(one.maximum, 0.0) - min(one.minimum, 0.0)) / _STEPS


def _exp(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = np.exp(np.minimum(values, 600.0))
    return found


def _operand(op: Op) -> int:
    """The tensor whose small values count."""
    return op.inputs[1] if op.name == "DIV" else op.inputs[0]


def _in_order(ops: Iterable[Op]) -> tuple[Op, ...]:
    return tuple(sorted(ops, key=lambda op: op.index))


class _Ways:
    """Ways back from an op, and on from it, in one graph."""

    def __init__(self, graph: Subgraph) -> None:
        self._graph = graph
        self._makers = graph.makers
        self._all = sum(macs(graph, op) for op in graph.ops)

    def back(self, root: Op) -> tuple[dict[int, Op], int]:
        """Ops from the squares, or where sums begin, to a root or divisor; and how many squares there are."""
        way, squares = {root.index: root}, 0
        waiting = [_operand(root)]
        while waiting:
            op = self._makers.get(waiting.pop())
            if op is None or op.index in way or not self._goes_along(root, op):
                continue
            way[op.index] = op
            if is_square(op):
                squares += 1
            else:
                waiting += self._read(op)
        return way, squares

    def _read(self, op: Op) -> list[int]:
        """What to go on with behind an op: of a sum squares alone, for what it sums up is as large as the network."""
        if op.name in _SUMS:
            maker = self._makers.get(op.inputs[0])
            return [op.inputs[0]] if maker is not None and is_square(maker) else []
        return list(op.inputs[:1] if macs(self._graph, op) else op.inputs)

    def front(self, logarithms: Sequence[Op]) -> dict[int, Op]:
        """Ops from the inputs to the last product-free op behind logarithms; none where they are the network."""
        found: dict[int, Op] = {}
        waiting = list(logarithms)
        while waiting:
            one = waiting.pop()
            if one.index not in found:
                found[one.index] = one
                waiting += [self._makers[index] for index in one.inputs if index in self._makers]
        if sum(macs(self._graph, op) for op in found.values()) > _MOST * self._all:
            return {}
        made = {index for op in found.values() for index in op.outputs}
        for op in self._graph.ops if found else ():
            read = {index for index in op.inputs if index in self._makers}
            if read and read <= made and not macs(self._graph, op):
                found[op.index] = op
                made |= set(op.outputs)
        return found

    def scaled(self, divisor: Op, seen: Seen) -> dict[int, Op]:
        """Products with a reciprocal that int8 drowns in its turn, up to that with what is no constant."""
        found: dict[int, Op] = {}
        result = seen.get(divisor.outputs[0])
        if divisor.name != "RSQRT" or result is None or _relative(result) <= _LOUD_DIVISOR:
            return found
        waiting = [divisor.outputs[0]]
        while waiting:
            index = waiting.pop()
            for op in (op for op in self._graph.readers.get(index, ()) if op.name == "MUL"):
                found[op.index] = op
                others = [other for other in op.inputs if other != index]
                if all(self._graph.tensors[other].constant is not None for other in others):
                    waiting += op.outputs
        return found

    def _goes_along(self, root: Op, op: Op) -> bool:
        products = macs(self._graph, op)
        if products:
            return root.name == "LOG" and products <= _CHEAP * self._all
        return op.name in _THROUGH or (op.name in _TO_DIVISORS and root.name in _DIVISORS) or is_square(op)


def is_square(op: Op) -> bool:
    """Whether an op multiplies what it reads, or a difference, by itself."""
    if op.name in ("SQUARE", "SQUARED_DIFFERENCE"):
        return True
    return op.name == "MUL" and len(op.inputs) == 2 and op.inputs[0] == op.inputs[1]
