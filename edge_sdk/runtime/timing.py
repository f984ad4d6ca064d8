"""Latency of files side by side: interleaved in one run, so that a noisy machine is noisy for all of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge_sdk.runtime.runner import Runner

_RESAMPLES = 400
_MAX_ROUNDS = 2000


@dataclass(frozen=True)
class Timing:
    """Measured latencies of one file on this machine.

    ``ratio`` is its median over the first file's, of the same interleaved run; ``ratio_low`` and ``ratio_high``
    bound it at 95 % (bootstrap over rounds).
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
    """Times one invoke of each file in turn, round after round; the first file is the base of the ratios.

    Inputs are zeros: TFLite's CPU kernels take the same time for any values. The order within a round alternates,
    so that no file always runs on a cache that another has warmed.

    Args:
        paths: .tflite files.
        seconds: measure so long in all, or 2,000 rounds if they take less.
        min_rounds: at least so many rounds, however slow the files.
        threads: CPU threads.
    """
    runners = [Runner(path, threads=threads) for path in paths]
    for runner in runners:
        runner.run({spec.name: np.zeros(spec.static_shape, spec.dtype) for spec in runner.inputs})
    samples: list[list[float]] = []
    deadline = time.perf_counter() + seconds
    while len(samples) < min_rounds or (time.perf_counter() < deadline and len(samples) < _MAX_ROUNDS):
        samples.append(_round(runners, backwards=len(samples) % 2 == 1))
    return _timings(paths, np.array(samples), threads, runners[0])


def _round(runners: Sequence[Runner], *, backwards: bool) -> list[float]:
    order = range(len(runners))
    took = [0.0] * len(runners)
    for index in reversed(order) if backwards else order:
        begin = time.perf_counter()
        runners[index].invoke()
        took[index] = time.perf_counter() - begin
    return took


def _timings(paths: Sequence[str], samples: Any, threads: int, runner: Runner) -> list[Timing]:
    medians = np.median(samples, axis=0)
    generator = np.random.default_rng(0)
    picks = generator.integers(0, len(samples), (_RESAMPLES, len(samples)))
    resampled = np.median(samples[picks], axis=1)
    ratios = resampled / resampled[:, :1]
    low, high = np.percentile(ratios, [2.5, 97.5], axis=0)
    engine = f"{runner.engine.name} {runner.engine.version}"
    return [
        Timing(
            path=str(path),
            median_us=float(medians[i] * 1e6),
            ratio=float(medians[i] / medians[0]),
            ratio_low=float(low[i]),
            ratio_high=float(high[i]),
            rounds=len(samples),
            threads=threads,
            engine=engine,
        )
        for i, path in enumerate(paths)
    ]
