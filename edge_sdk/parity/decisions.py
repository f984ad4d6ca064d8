"""Values from 0 to 1 that are each a yes or a no: masks, voice, labels that exclude nothing. Compared at one half."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

THRESHOLD = 0.5


@dataclass(frozen=True)
class Decisions:
    """Of an output with values from 0 to 1, over all samples.

    Attributes:
        wanted: values of the reference above one half.
        got: of the candidate.
        both: in the same places.
    """

    wanted: int
    got: int
    both: int

    @property
    def overlap(self) -> float:
        """Places where both are above one half, over those where either is."""
        return self.both / (self.wanted + self.got - self.both)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def __str__(self) -> str:
        others = f", {self.got - self.both} others" if self.got > self.both else ""
        return f"above 0.5: {self.both} of {self.wanted} values again{others} (IoU {self.overlap:.3f})"


class DecisionSums:
    """Counts run by run, for as long as the reference stays between 0 and 1."""

    def __init__(self) -> None:
        self._between = True
        self._below = False
        self._wanted = self._got = self._both = 0

    def add(self, reference: npt.NDArray[Any], candidate: npt.NDArray[Any]) -> None:
        """One run's output of both sides."""
        self._between &= reference.dtype.kind == "f" and bool(np.all((reference >= 0) & (reference <= 1)))
        if not self._between:
            return
        want, got = reference > THRESHOLD, candidate > THRESHOLD
        self._below |= not bool(want.all())
        self._wanted += int(want.sum())
        self._got += int(got.sum())
        self._both += int((want & got).sum())

    def found(self) -> Decisions | None:
        """None where values leave 0 to 1, or stay on one side of one half."""
        if not (self._between and self._below and self._wanted):
            return None
        return Decisions(self._wanted, self._got, self._both)
