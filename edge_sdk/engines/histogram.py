"""How often which values of a tensor are seen, in one pass, without knowing its range beforehand."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

BINS = 8192
"""At least 4096 of them cover the largest value: sixteen for each step of int8 where one sign is seen, 32 for both."""


@dataclass
class Histogram:
    """Counts of values in equal bins from ``-limit`` to ``limit``; the limit is doubled when a larger value comes.

    What is neither finite nor a number is left out.
    """

    limit: float = 0.0
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(self, values: npt.NDArray[np.float32]) -> None:
        """Counts values of any shape."""
        flat = values.reshape(-1)
        flat = flat[np.isfinite(flat)]
        if not flat.size:
            return
        self._widen(float(max(flat.max(), -flat.min())))
        places = flat * np.float32(BINS / 2 / self.limit) + np.float32(BINS // 2)
        np.clip(places, 0, BINS - 1, out=places)
        self.counts += np.bincount(places.astype(np.int32), minlength=BINS)

    def points(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Values and the share of all at each, for those that were seen."""
        seen = np.flatnonzero(self.counts)
        width = 2 * self.limit / BINS
        return (seen + 0.5) * width - self.limit, self.counts[seen] / max(1, self.counts.sum())

    def _widen(self, largest: float) -> None:
        if self.limit == 0.0:
            # A power of two, so that halves stay exact; the smallest one for zeros alone.
            self.limit = 2.0 ** max(-100, math.ceil(math.log2(largest)) if largest else -100)
        while self.limit < largest:
            pairs = self.counts.reshape(-1, 2).sum(1)
            self.counts = np.zeros(BINS, np.int64)
            self.counts[BINS // 4 : -BINS // 4] = pairs
            self.limit *= 2
