"""What a recogniser's steps read as: each step's best class, repeats joined, the blank left out (CTC's greedy path).

Source: Graves et al., Connectionist Temporal Classification, ICML 2006, section 3.2. The blank is the first class or
the last; steps are told from other rows by values: a fifth or more of them are blank, and no other class lasts long.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_BLANK, _LASTING = 0.2, 3.0
# Below, what looks like strings may be anything.
_STEPS, _CLASSES = 4, 5


@dataclass(frozen=True)
class Reading:
    """Strings of an output, over all samples.

    Attributes:
        same: strings that are equal on both sides.
        strings: that were read.
        symbols: of the reference's strings together.
        blank: the class that stands for none.
    """

    same: int
    strings: int
    symbols: int
    blank: int

    @property
    def share(self) -> float:
        """Of strings that are equal."""
        return self.same / self.strings

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def __str__(self) -> str:
        return f"reads as the source in {self.same} of {self.strings}"


class ReadingSums:
    """Collects strings run by run, for either blank."""

    def __init__(self) -> None:
        self._first, self._last = _Strings(), _Strings()
        self._classes = 0

    def add(self, reference: npt.NDArray[Any], candidate: npt.NDArray[Any]) -> None:
        """One run's scores of both sides, ``[batch, steps, classes]``; ``[steps, 1, classes]`` is one string."""
        want, got = (_paths(values) for values in (reference, candidate))
        self._classes = reference.shape[-1]
        for one, other in zip(want, got, strict=True):
            self._first.add(one, other, 0)
            self._last.add(one, other, self._classes - 1)

    def found(self) -> Reading | None:
        """None where steps do not look like a recogniser's."""
        if self._classes < _CLASSES:
            return None
        one, blank = max([(self._first, 0), (self._last, self._classes - 1)], key=lambda pair: pair[0].blanks)
        return Reading(one.same, one.strings, one.symbols, blank) if one.likely else None


class _Strings:
    def __init__(self) -> None:
        self.same = self.strings = self.symbols = self.blanks = 0
        self._steps = 0

    def add(self, want: npt.NDArray[Any], got: npt.NDArray[Any], blank: int) -> None:
        read = _collapsed(want, blank)
        self.same += int(np.array_equal(read, _collapsed(got, blank)))
        self.strings += 1
        self.symbols += len(read)
        self.blanks += int(np.sum(want == blank))
        self._steps += len(want)

    @property
    def likely(self) -> bool:
        if self._steps < _STEPS * self.strings or not self.symbols:
            return False
        return self.blanks >= _BLANK * self._steps and self._steps - self.blanks <= _LASTING * self.symbols


def _paths(scores: npt.NDArray[Any]) -> npt.NDArray[Any]:
    best = np.asarray(scores.argmax(-1))
    return best.T if best.shape[1] == 1 else best


def _collapsed(path: npt.NDArray[Any], blank: int) -> npt.NDArray[Any]:
    kept = np.ones(len(path), np.bool_)
    kept[1:] = path[1:] != path[:-1]
    return np.asarray(path[kept & (path != blank)])
