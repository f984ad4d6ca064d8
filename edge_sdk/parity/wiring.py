"""Right, edge by edge: every op of a file reads what its float file's op reads.

An op that is fed another tensor of the same shape computes rightly what it is given, and holds the constants that it
should, so that neither look sees it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from edge_sdk.artifact.model import Artifact, Op
from edge_sdk.parity.pairing import OpPair, pair_ops

_COMMUTE = frozenset({"ADD", "MUL", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "LOGICAL_AND", "LOGICAL_OR", "EQUAL"})
# The same values, laid out or stored otherwise: an integer kernel that does so itself is fed without such an op.
_LAYING_OUT = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "QUANTIZE", "DEQUANTIZE", "CAST"})
_NAMED = 60
# Behind an op without a pair stand those before it.
_SOME = 2
_Origin: TypeAlias = "tuple[str, int, int]"
"""``op``, its index in the float file and which of its results; or ``input``, the place of its name, 0."""
_Ends: TypeAlias = "frozenset[_Origin]"
_Key: TypeAlias = "tuple[str, tuple[_Ends, ...], int]"


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
    pairs = pair_ops(reference, candidate, past_folded=True)
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
    if wrong and op.name in _COMMUTE and all(_alike(*ends) for ends in zip(want, reversed(got), strict=True)):
        return
    for place in wrong:
        name = candidate.main.tensors[op.outputs[0]].name
        there, here = (sides[0].text(min(ends)) for ends in (want[place], got[place]))
        what = f"operand {place} comes from {here}, in the float file from {there}"
        yield WiringFault(op.name, op.index, name, what)


def _both(pair: OpPair) -> tuple[Op, Op]:
    return pair.reference, pair.candidate


def _apart(want: _Ends, got: _Ends) -> bool:
    return bool(want and got) and want.isdisjoint(got)


def _alike(want: _Ends, got: _Ends) -> bool:
    """Whether operands that changed places are the same: both constants, one op's, or behind some of the same."""
    if len(want) < _SOME or len(got) < _SOME:
        return want == got
    return not want.isdisjoint(got)


class _Origins:
    """Where tensors of one file come from, in the float file's numbers.

    Args:
        file: one of the two.
        names: of the float file's inputs.
        numbers: its ops that have a pair, and the float file's number of each.
    """

    def __init__(self, file: Artifact, names: Sequence[str], numbers: Mapping[int, int]) -> None:
        self._graph, self._numbers, self._names = file.main, numbers, names
        given = ((name, t.index) for name, t in file.signature.inputs.items() if name in names)
        self._inputs = {index: frozenset({("input", names.index(name), 0)}) for name, index in given}
        # What is computed twice is found in the first pass, and counts as the same in the second.
        self._same: dict[_Key, _Ends] = {}
        self._known = self._followed()
        self._same = self._alike()
        self._known = self._followed()

    def of(self, index: int) -> _Ends:
        """The op or input that a tensor is of; behind ops without a pair, those before them; nothing of a constant.

        What only lays values out counts as what it lays out; an op without a pair also as those that compute the same.
        """
        return self._known.get(index, frozenset())

    def _followed(self) -> dict[int, _Ends]:
        """Of each tensor, in the order in which ops compute."""
        self._known = dict(self._inputs)
        for op in self._graph.ops:
            read = [self.of(index) for index in op.inputs if index >= 0]
            for place, index in enumerate(op.outputs):
                if op.name in _LAYING_OUT:
                    self._known[index] = read[0]
                elif op.index in self._numbers:
                    self._known[index] = frozenset({("op", self._numbers[op.index], place)})
                else:
                    self._known[index] = self._same.get(_key(op, read, place), frozenset()).union(*read)
        return self._known

    def _alike(self) -> dict[_Key, _Ends]:
        """Ops with a pair by their kind and by what they read: a converter computes once what stands there twice."""
        found: dict[_Key, _Ends] = {}
        for op in self._graph.ops:
            read = [self.of(index) for index in op.inputs if index >= 0]
            for place, index in enumerate(op.outputs if op.index in self._numbers else ()):
                key = _key(op, read, place)
                found[key] = found.get(key, frozenset()) | self.of(index)
        return found

    def text(self, origin: _Origin) -> str:
        """In words; of the float file's own side alone."""
        kind, number, _ = origin
        if kind == "input":
            return f"input `{self._names[number]}`"
        op = self._graph.ops[number]
        return f"`{self._graph.tensors[op.outputs[0]].name[-_NAMED:]}`"


def _key(op: Op, read: Sequence[_Ends], place: int) -> _Key:
    return op.name, tuple(read), place
