"""Right, edge by edge: every op of a file reads what its float file's op reads.

An op that is fed another tensor of the same shape computes rightly what it is given, and holds the constants that it
should, so that neither look sees it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from edge_sdk.artifact.model import Artifact, Op
from edge_sdk.parity.pairing import OpPair, Side, pair_ops

_COMMUTE = frozenset({"ADD", "MUL", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "LOGICAL_AND", "LOGICAL_OR", "EQUAL"})
# They lay out the same values in the same order: an integer kernel that flattens its operand is fed without one.
_LAYING_OUT = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
_NAMED = 60
_Origin: TypeAlias = "tuple[str, int, int]"
"""``op``, its index in the float file and which of its results; or ``input``, the place of its name, 0."""


@dataclass(frozen=True)
class WiringFault:
    """An op that reads the result of another op, or another input, than its twin in the float file."""

    op: str
    index: int
    tensor: str
    what: str

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"kind": "wiring", "text": str(self)}

    def __str__(self) -> str:
        return f"{self.op} {self.index} `{self.tensor[-_NAMED:]}`: {self.what}"


def wiring_faults(reference: Artifact, candidate: Artifact) -> list[WiringFault]:
    """Each op with an operand that comes from elsewhere than in the float file.

    What a quantizer rewrote, put in or took out pairs with nothing: then the nearest ops before it count, and an
    operand is wrong where none of them are the float file's.
    """
    pairs = pair_ops(reference, candidate)
    names = list(reference.signature.inputs)
    sides = (
        _Origins(reference, names, {pair.reference.index: pair.reference.index for pair in pairs}),
        _Origins(candidate, names, {pair.candidate.index: pair.reference.index for pair in pairs}),
    )
    return [fault for pair in pairs for fault in _faults(pair, sides, candidate)]


def _faults(pair: OpPair, sides: tuple[_Origins, _Origins], candidate: Artifact) -> Iterator[WiringFault]:
    op = pair.candidate
    want, got = ([side.of(index) for index in one.inputs] for side, one in zip(sides, _both(pair), strict=True))
    if len(want) != len(got):
        return
    wrong = [place for place, ends in enumerate(zip(want, got, strict=True)) if _apart(*ends)]
    if wrong and op.name in _COMMUTE and not any(_apart(*ends) for ends in zip(want, reversed(got), strict=True)):
        return
    for place in wrong:
        name = candidate.main.tensors[op.outputs[0]].name
        there, here = (sides[0].text(min(ends)) for ends in (want[place], got[place]))
        what = f"operand {place} comes from {here}, in the float file from {there}"
        yield WiringFault(op.name, op.index, name, what)


def _both(pair: OpPair) -> tuple[Op, Op]:
    return pair.reference, pair.candidate


def _apart(want: frozenset[_Origin], got: frozenset[_Origin]) -> bool:
    return bool(want and got) and want.isdisjoint(got)


class _Origins:
    """Where tensors of one file come from, in the float file's numbers.

    Args:
        file: one of the two.
        names: of the float file's inputs.
        numbers: its ops that have a pair, and the float file's number of each.
    """

    def __init__(self, file: Artifact, names: Sequence[str], numbers: Mapping[int, int]) -> None:
        self._graph, self._side, self._numbers, self._names = file.main, Side(file.main), numbers, names
        given = file.signature.inputs
        self._inputs = {tensor.index: names.index(name) for name, tensor in given.items() if name in names}
        self._known: dict[int, frozenset[_Origin]] = {}

    def of(self, index: int) -> frozenset[_Origin]:
        """The op or input that a tensor is of; behind ops without a pair, those before them; nothing of a constant.

        What only lays values out counts as what it lays out.
        """
        waiting = [index]
        while waiting:
            one = self._side.origin(waiting[-1]) if waiting[-1] >= 0 else -1
            missing = [] if one in self._known else [i for i in self._behind(one) if i not in self._known]
            if missing:
                waiting += missing
                continue
            self._known.setdefault(one, self._nearest(one))
            self._known[waiting.pop()] = self._known[one]
        return self._known[index]

    def _behind(self, index: int) -> list[int]:
        maker = self._side.maker(index)
        if maker is None or index in self._inputs:
            return []
        if maker.name in _LAYING_OUT:
            return [maker.inputs[0]]
        if maker.index in self._numbers:
            return []
        return [one for one in maker.inputs if one >= 0]

    def _nearest(self, index: int) -> frozenset[_Origin]:
        maker = self._side.maker(index)
        if index in self._inputs:
            return frozenset({("input", self._inputs[index], 0)})
        if maker is None:
            return frozenset()
        if maker.index in self._numbers and maker.name not in _LAYING_OUT:
            return frozenset({("op", self._numbers[maker.index], list(maker.outputs).index(index))})
        return frozenset().union(*(self._known[one] for one in self._behind(index)))

    def text(self, origin: _Origin) -> str:
        """In words; of the float file's own side alone."""
        kind, number, _ = origin
        if kind == "input":
            return f"input `{self._names[number]}`"
        op = self._graph.ops[number]
        return f"`{self._graph.tensors[op.outputs[0]].name[-_NAMED:]}`"
