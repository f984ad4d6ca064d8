"""Right, edge by edge: every op of a file reads what its float file's op reads.

An op that is fed another tensor of the same shape computes rightly what it is given, and holds the constants that it
should, so that neither look sees it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from edge_sdk.artifact.model import Artifact, Op
from edge_sdk.parity.pairing import OpPair, Side, pair_ops

_COMMUTE = frozenset({"ADD", "MUL", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "LOGICAL_AND", "LOGICAL_OR", "EQUAL"})
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
    """Each op whose operands come from elsewhere than in the float file, where both origins are known in both files.

    What a quantizer rewrote, put in or took out pairs with nothing, and says nothing.
    """
    check = _Check(reference, candidate)
    return [fault for pair in check.pairs for fault in check.pair(pair)]


class _Check:
    def __init__(self, reference: Artifact, candidate: Artifact) -> None:
        self.pairs = pair_ops(reference, candidate)
        self._graphs = reference.main, candidate.main
        self._sides = Side(reference.main), Side(candidate.main)
        # Both sides' ops under the float file's numbers.
        own = {pair.reference.index: pair.reference.index for pair in self.pairs}
        twins = {pair.candidate.index: pair.reference.index for pair in self.pairs}
        self._numbers: tuple[Mapping[int, int], ...] = (own, twins)
        names = list(reference.signature.inputs)
        self._inputs = tuple(
            {t.index: names.index(name) for name, t in file.signature.inputs.items() if name in names}
            for file in (reference, candidate)
        )

    def pair(self, pair: OpPair) -> Iterator[WiringFault]:
        want, got = (self._origins(side, op) for side, op in enumerate((pair.reference, pair.candidate)))
        if len(want) != len(got):
            return
        if pair.candidate.name in _COMMUTE and (None in (*want, *got) or Counter(want) == Counter(got)):
            return
        for place, (one, other) in enumerate(zip(want, got, strict=True)):
            if one is not None and other is not None and one != other:
                name = self._graphs[1].tensors[pair.candidate.outputs[0]].name
                what = f"operand {place} comes from {self._text(other)}, in the float file from {self._text(one)}"
                yield WiringFault(pair.candidate.name, pair.candidate.index, name, what)

    def _origins(self, side: int, op: Op) -> Sequence[_Origin | None]:
        return [self._origin(side, index) if index >= 0 else None for index in op.inputs]

    def _origin(self, side: int, index: int) -> _Origin | None:
        index = self._sides[side].origin(index)
        if index in self._inputs[side]:
            return "input", self._inputs[side][index], 0
        maker = self._sides[side].maker(index)
        number = None if maker is None else self._numbers[side].get(maker.index)
        return None if maker is None or number is None else ("op", number, list(maker.outputs).index(index))

    def _text(self, origin: _Origin) -> str:
        kind, number, _ = origin
        if kind == "input":
            return f"input {number}"
        op = self._graphs[0].ops[number]
        return f"`{self._graphs[0].tensors[op.outputs[0]].name[-_NAMED:]}`"
