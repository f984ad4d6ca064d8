"""Inputs that have few levels, as decoded pictures do: a grid of int8 that holds each of them exactly.

A byte times a scale less a mean has 256 values, evenly apart. Where zero is one of them, int8's scale and zero point
can be that very grid, and rounding the input costs nothing; a range of what was seen, or cut off, is another grid. A
mean of half a level (127.5) has none: zero lies between two levels, and int8 must hold zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.quantize.ranging.clipping import Ends
from edge_sdk.signature import Arrays

_STEPS = 255
# Fewer do not tell steps from steps between them that no sample had.
_FEWEST = 64
# Of a step: float32 in the last place of values of up to 255 steps is far less.
_OFF = 1e-2


class Levels:
    """Values of each float input over samples, for as long as they are few."""

    def __init__(self) -> None:
        self._seen: dict[str, npt.NDArray[np.float32] | None] = {}

    def watched(self, samples: Iterable[Arrays]) -> Iterator[Arrays]:
        """The samples, looked at on their way."""
        for sample in samples:
            for name, values in sample.items():
                self._add(name, values)
            yield sample

    def ends(self) -> dict[str, Ends]:
        """By input, the range whose int8 grid holds all of its values; only for those that have one."""
        grids = {name: grid_ends(values) for name, values in self._seen.items() if values is not None}
        return {name: ends for name, ends in grids.items() if ends is not None}

    def _add(self, name: str, values: npt.NDArray[np.generic]) -> None:
        known = self._seen.get(name, np.empty(0, np.float32))
        if known is None:
            return
        every = np.union1d(known, values) if values.dtype == np.float32 else None
        self._seen[name] = None if every is None or len(every) > _STEPS + 1 else every.astype(np.float32)


def grid_ends(values: npt.NDArray[np.float32]) -> Ends | None:
    """The ends of 255 steps, one of them zero, on which all values lie; None where there are none.

    Args:
        values: sorted, each once.
    """
    if len(values) < _FEWEST or not np.isfinite(values).all():
        return None
    wide = values.astype(np.float64)
    places = np.rint(wide / np.diff(wide).min())
    step = float(np.dot(places, wide) / np.dot(places, places))
    low, high = int(min(places[0], 0)), int(max(places[-1], 0))
    if high - low > _STEPS or np.max(np.abs(wide / step - places)) > _OFF:
        return None
    # Levels that no sample had are beyond both ends, but not beyond zero.
    spare = _STEPS - (high - low)
    first = 0 if low == 0 else -_STEPS if high == 0 else low - spare // 2
    return first * step, (first + _STEPS) * step
