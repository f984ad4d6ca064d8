"""What bytes cost by where they are: a run that goes through more than a cache holds finds little of it there.

A kernel alone is run over and over, and its weights stay as near as they fit. In a network they come from wherever all
that one run touches fits; and where its results go was last written to long before, while the operands come from the op
before and are still near. How much more a byte costs then is measured, by rows of layers of growing size that do next
to nothing but read weights once; no size of any cache is assumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_sdk.checks.timing.amounts import Vector
from edge_sdk.checks.timing.table import Timed
from edge_sdk.checks.timing.work import Work

GROUP = "stream"
"""Of the table's files that are such rows."""


@dataclass(frozen=True)
class Streams:
    """Rates by the bytes that a run goes through.

    Attributes:
        sizes: octaves of bytes, ascending, shape (n,).
        rates: microseconds a byte, never falling, shape (n,).
    """

    sizes: Vector
    rates: Vector

    def more_us(self, work: Work, run_bytes: int) -> float:
        """Microseconds that an op's weights and results take longer in a run of so many bytes than alone."""
        alone = work.weight_bytes + work.read_bytes + work.written_bytes
        if run_bytes <= alone or not len(self.sizes):
            return 0.0
        return (work.weight_bytes + work.written_bytes) * (self._rate(run_bytes) - self._rate(alone))

    def _rate(self, size: int) -> float:
        return float(np.interp(np.log2(max(1, size)), self.sizes, self.rates))


def streams_of(timed: Sequence[Timed], invoke_us: float) -> Streams:
    """The rates that a table's rows of layers show; a table without any has none, and adds nothing."""
    rows = sorted((sum(work.weight_bytes for work in one.work), one.us) for one in timed if one.group == GROUP)
    sizes = np.array([size for size, _ in rows], np.float64)
    rates = np.array([(us - invoke_us) / size for size, us in rows], np.float64)
    return Streams(np.log2(sizes), np.maximum.accumulate(rates) if len(rates) else rates)


def run_bytes(works: Sequence[Work]) -> int:
    """What one run goes through: all weights, and the values that are live where most are."""
    values = max((work.read_bytes + work.written_bytes for work in works), default=0)
    return sum(work.weight_bytes for work in works) + values
