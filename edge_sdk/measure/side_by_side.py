"""Latency of files side by side, in short: what conversion says of a quantized file against its float one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.engines.runner import Runner
from edge_sdk.measure.clock import Clock
from edge_sdk.measure.statistics import ratio_in_blocks
from edge_sdk.measure.steady import settle
from edge_sdk.measure.taking import Taken, Turn, overhead_ns, round_of, turn_for
from edge_sdk.measure.taking import batch_for as batch_of

_PATIENCE_S = 0.5


@dataclass(frozen=True)
class Timing:
    """Measured latencies of one file on this machine.

    ``ratio`` is its median over the first file's, of the same interleaved run; ``ratio_low`` and ``ratio_high``
    bound it at 95 % (block bootstrap).
    """

    path: str
    median_us: float
    ratio: float
    ratio_low: float
    ratio_high: float
    rounds: int
    threads: int
    engine: str

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def time_side_by_side(
    paths: Sequence[str], *, seconds: float = 2.0, min_rounds: int = 20, threads: int = 1
) -> list[Timing]:
    """Times each file in turn, round after round, once it is warm; the first file is the base of the ratios.

    Inputs are zeros: TFLite's CPU kernels take the same time for any values. The order in a round is drawn by lot.

    Args:
        paths: .tflite files.
        seconds: measure so long in all.
        min_rounds: at least so many rounds, however slow the files.
        threads: CPU threads.
    """
    there = _half(paths, seconds / 2, -(-min_rounds // 2), threads)
    # The other way round: where a file comes to lie in memory depends on what was opened before it.
    back = _half(paths[::-1], seconds / 2, -(-min_rounds // 2), threads)
    samples = [np.concatenate(both) / 1e3 for both in zip(there.took, back.took[::-1], strict=True)]
    rounds, engine = there.rounds + back.rounds, there.engine
    made = []
    for path, values in zip(paths, samples, strict=True):
        ratio = ratio_in_blocks(samples[0], values)
        low = ratio.value if ratio.low is None else ratio.low
        high = ratio.value if ratio.high is None else ratio.high
        made.append(
            Timing(str(path), float(np.median(values)), ratio.value, low, high, rounds, threads=threads, engine=engine)
        )
    return made


@dataclass(frozen=True)
class _Half:
    took: list[npt.NDArray[np.float64]]
    rounds: int
    engine: str


def _half(paths: Sequence[str], seconds: float, min_rounds: int, threads: int) -> _Half:
    """Files opened in this order, timed in turn."""
    runners = [Runner(path, threads=threads) for path in paths]
    for runner in runners:
        runner.run({spec.name: np.zeros(spec.static_shape, spec.dtype) for spec in runner.inputs})
    taken, rounds = _take([runner.invoke for runner in runners], seconds, min_rounds)
    engine = f"{runners[0].engine.name} {runners[0].engine.version}"
    return _Half([np.frombuffer(one.took, np.float64) for one in taken], rounds, engine)


def _take(runs: Sequence[Callable[[], object]], seconds: float, min_rounds: int) -> tuple[list[Taken], int]:
    clock, draw = Clock(), np.random.default_rng(0)
    overhead = overhead_ns(clock)
    turns: list[Turn] = []
    for run in runs:
        _, query_ns = settle(run, clock, patience_s=_PATIENCE_S)
        turns.append(turn_for(run, Taken(batch_of(query_ns, overhead)), query_ns, alone=False))
    rounds, deadline = 0, clock.now_ns() + seconds * 1e9
    while rounds < min_rounds or clock.now_ns() < deadline:
        round_of(turns, clock, draw)
        rounds += 1
    return [turn.taken for turn in turns], rounds
