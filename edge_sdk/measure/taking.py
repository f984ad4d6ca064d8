"""Taking samples: subjects run in turn, in an order drawn anew for each round, timed with as little as can be."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge_sdk.measure.clock import Clock

_TURN_NS, _ALONE_NS = 20_000_000, 500_000_000
_MOST_PER_TURN = 10_000
# A sample lasts so many times what reading the clock takes, so that this hardly shows.
_CLOCK_SHARE = 200
_EMPTY_RUNS = 2000
_LEAST_NS = 1


@dataclass
class Taken:
    """Samples of one subject: when each began and what one query took, in ns of the clock; one row for each sitting.

    Attributes:
        batch: queries timed together.
        runs: of the model in one query, side by side.
        began: of each sample, over all sittings.
        took: likewise, for one query.
        sittings: samples before each sitting.
        backwards: samples that took less than nothing; they are not kept.
    """

    batch: int
    runs: int = 1
    began: array[int] = field(default_factory=lambda: array("q"))
    took: array[float] = field(default_factory=lambda: array("d"))
    sittings: list[int] = field(default_factory=list)
    timed_ns: int = 0
    backwards: int = 0

    @property
    def queries(self) -> int:
        """So far."""
        return len(self.took) * self.batch

    def medians(self) -> list[float]:
        """Time per run in each sitting that has samples, ns."""
        values = np.frombuffer(self.took, np.float64)
        ends = [*self.sittings[1:], len(values)]
        return [float(np.median(values[a:b])) / self.runs for a, b in zip(self.sittings, ends, strict=True) if b > a]


@dataclass(frozen=True)
class Turn:
    """How a subject takes its turn: so many samples, the first of a turn unkept where others ran before it."""

    run: Callable[[], object]
    taken: Taken
    samples: int
    unkept: int


def batch_for(query_ns: float, overhead_ns: float) -> int:
    """Queries that are timed together, so that the clock takes a 200th of a sample at most."""
    return max(1, math.ceil(_CLOCK_SHARE * overhead_ns / max(query_ns, _LEAST_NS)))


def overhead_ns(clock: Clock, batch: int = 1) -> float:
    """What timing adds to one query: the same loop round an empty function, median."""
    taken = Taken(batch)
    take(Turn(_nothing, taken, _EMPTY_RUNS, 0), clock)
    return float(np.median(np.frombuffer(taken.took, np.float64)))


def turn_for(run: Callable[[], object], taken: Taken, query_ns: float, *, alone: bool) -> Turn:
    """A turn lasts 20 ms, or half a second where nobody else waits; a query that takes longer is a turn of its own.

    What others left in the caches makes the first queries of a short turn slower than they are in a row: the first
    sample is not kept there.
    """
    length = _ALONE_NS if alone else _TURN_NS
    samples = min(_MOST_PER_TURN, max(1, math.ceil(length / max(query_ns * taken.batch, _LEAST_NS))))
    return Turn(run, taken, samples, 1 if query_ns < _TURN_NS else 0)


def take(turn: Turn, clock: Clock) -> None:
    """One turn."""
    for _ in range(turn.unkept):
        turn.run()
    if turn.taken.batch == 1:
        _take_single(turn, clock)
    else:
        _take_batches(turn, clock)


def round_of(turns: Sequence[Turn], clock: Clock, draw: np.random.Generator) -> None:
    """A turn of each, in an order drawn by lot."""
    for index in draw.permutation(len(turns)):
        take(turns[index], clock)


def _take_single(turn: Turn, clock: Clock) -> None:
    run, now, taken = turn.run, clock.now_ns, turn.taken
    for _ in range(turn.samples):
        before = now()
        run()
        after = now()
        _keep(taken, before, after, 1)


def _take_batches(turn: Turn, clock: Clock) -> None:
    run, now, taken, batch = turn.run, clock.now_ns, turn.taken, turn.taken.batch
    for _ in range(turn.samples):
        before = now()
        for _ in range(batch):
            run()
        after = now()
        _keep(taken, before, after, batch)


def _keep(taken: Taken, before: int, after: int, batch: int) -> None:
    if after < before:
        taken.backwards += 1
        return
    taken.began.append(before)
    taken.took.append((after - before) / batch)
    taken.timed_ns += after - before


def _nothing() -> None:
    """What costs nothing but the call."""
