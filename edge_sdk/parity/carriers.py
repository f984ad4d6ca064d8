"""Whether a few samples hold most of an output's error: what is rare in the data, or outside what was calibrated on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

# Fewer samples than that tell nothing; so few of them are rare; so much of the error is most of it.
_ENOUGH, _RARE, _MOST = 20, 0.05, 0.75


@dataclass(frozen=True)
class Carriers:
    """A few samples with most of the error.

    Attributes:
        samples: their places, the worst first.
        share: of the error's power that they hold, 0 to 1.
        sqnr_db: of all other samples; None where those are equal.
    """

    samples: tuple[int, ...]
    share: float
    sqnr_db: float | None

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def carriers_of(errors: Sequence[float], powers: Sequence[float]) -> Carriers | None:
    """The few samples that hold three quarters of the error; None where it is spread, or nothing can be told.

    Args:
        errors: power of the error of each sample.
        powers: of the reference's values.
    """
    whole = sum(errors)
    if len(errors) < _ENOUGH or not 0 < whole < math.inf:
        return None
    order = np.argsort(errors)[::-1]
    most = max(1, int(_RARE * len(errors)))
    shares = np.cumsum([errors[place] for place in order[:most]]) / whole
    if shares[-1] < _MOST:
        return None
    count = int(np.argmax(shares >= _MOST)) + 1
    chosen = [int(place) for place in order[:count]]
    left, power = whole - sum(errors[p] for p in chosen), sum(powers) - sum(powers[p] for p in chosen)
    level = 10 * math.log10(power / left) if left > 0 and power > 0 else None
    return Carriers(tuple(chosen), float(shares[count - 1]), level)
