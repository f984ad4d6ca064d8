"""``python -m benchmarks replicas MODEL.tflite``: runs per second of one interpreter, two replicas, two threads."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk import Session

_WAYS: dict[str, dict[str, Any]] = {
    "one": {},
    "2 replicas": {"replicas": 2},
    "2 threads": {"threads": 2},
    "threads=auto": {"threads": "auto"},
}
_TURN_S = 1.0


def rows(model: Path, seconds: float) -> Iterator[dict[str, Any]]:
    """Each way through ``run_many``, values copied in and out, in turns of a second in an order drawn by lot.

    Args:
        model: a .tflite.
        seconds: for each way.

    Yields:
        Runs per second, the median of the turns and the least and most of them, and the median ratio to ``one`` of the
        same round. Outputs are held against those of ``one``: order, and every bit.
    """
    with ExitStack() as stack:
        sessions = {name: stack.enter_context(Session.open(model, **how)) for name, how in _WAYS.items()}
        samples = _samples(sessions["one"])
        expected = [sessions["one"].run(sample) for sample in samples]
        draw = np.random.default_rng(0)
        rates: dict[str, list[float]] = {name: [] for name in sessions}
        for number in range(1 + max(3, round(seconds / _TURN_S))):
            for name in draw.permutation(list(sessions)):
                rate = _rate(sessions[name], samples, expected)
                # The first round warms up.
                if number:
                    rates[name].append(rate)
        for name, found in rates.items():
            ratios = np.array(found) / np.array(rates["one"])
            yield {
                "model": model.name,
                "way": name,
                "threads": sessions[name].receipt.opening.chosen.threads,
                "runs_per_s": round(float(np.median(found)), 1),
                "range": [round(min(found), 1), round(max(found), 1)],
                "ratio": round(float(np.median(ratios)), 3),
                "ratio_range": [round(float(ratios.min()), 3), round(float(ratios.max()), 3)],
            }


def _samples(session: Session) -> list[dict[str, Any]]:
    draw = np.random.default_rng(0)
    return [
        {spec.name: draw.standard_normal(spec.static_shape).astype(spec.dtype) for spec in session.inputs}
        for _ in range(16)
    ]


def _rate(session: Session, samples: list[dict[str, Any]], expected: list[dict[str, Any]]) -> float:
    began, count = time.perf_counter(), 0
    for made, wanted in zip(session.run_many(itertools.cycle(samples)), itertools.cycle(expected), strict=False):
        for name, values in made.items():
            assert np.array_equal(values, wanted[name]), name
        count += 1
        if time.perf_counter() - began > _TURN_S:
            break
    return count / (time.perf_counter() - began)
