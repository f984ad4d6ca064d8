"""``python -m tests.hostile.soak``: one session from 8 threads for ten minutes, and 10,000 openings. ``make soak``.

Memory may grow by 5 MB, and no value may be another than the first run's. What as many of the engine's own interpreters
leave behind when they are opened and closed is measured beside it and does not count: LiteRT 2.1.0 keeps 0.3 to 0.8 kB
of each (``GetSignatureDefs`` returns one reference too many), and a session opens two, one of them for its self-test.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk import Session
from edge_sdk.engines.installed import find_engine
from tests.graphs import conv_model

THREADS = 8
MOST_GROWTH = 5_000_000
# What the first runs and openings allocate for good is no growth.
_WARM_RUNS, _WARM_OPENINGS = 2000, 200


def resident_bytes() -> int:
    """What this process holds now."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def samples() -> list[dict[str, Any]]:
    """Inputs of the model, one for each thread."""
    draw = np.random.default_rng(0)
    return [{"image": draw.standard_normal((1, 8, 8, 3)).astype(np.float32)} for _ in range(THREADS)]


def runs(seconds: float, *, replicas: int = 1) -> dict[str, Any]:
    """One session at full speed from all threads."""
    given = samples()
    with Session.open(conv_model(), replicas=replicas) as session:
        expected = [session.run(one)["scores"] for one in given]
        for place in range(_WARM_RUNS):
            session.run(given[place % THREADS])
        _together(session, given, expected, 1.0)
        before = resident_bytes()
        began = time.monotonic()
        counts, wrong = _together(session, given, expected, seconds)
        return {
            "replicas": replicas,
            "seconds": round(time.monotonic() - began, 1),
            "runs": counts,
            "wrong": wrong,
            "growth_bytes": resident_bytes() - before,
        }


def _together(session: Session, given: list[dict[str, Any]], expected: list[Any], seconds: float) -> tuple[int, int]:
    counts, wrong = [0] * THREADS, [0] * THREADS
    end = time.monotonic() + seconds

    def use(place: int) -> None:
        while time.monotonic() < end:
            wrong[place] += not np.array_equal(session.run(given[place])["scores"], expected[place])
            counts[place] += 1

    users = [threading.Thread(target=use, args=(place,)) for place in range(THREADS)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    return sum(counts), sum(wrong)


def openings(count: int) -> dict[str, Any]:
    """Sessions opened, run and closed, one after the other."""
    content, given = conv_model(), samples()[0]
    expected = _opened(content, given)
    for _ in range(_WARM_OPENINGS):
        _opened(content, given)
    before = resident_bytes()
    began, wrong = time.monotonic(), 0
    for _ in range(count):
        wrong += not np.array_equal(_opened(content, given), expected)
    return {
        "openings": count,
        "seconds": round(time.monotonic() - began, 1),
        "wrong": wrong,
        "growth_bytes": resident_bytes() - before,
        "engine_growth_bytes": bare_openings(2 * count),
    }


def bare_openings(count: int) -> int:
    """What the engine's own interpreter leaves behind, opened and closed so often."""
    module, content = find_engine().module, conv_model()

    def once() -> None:
        interpreter = module.Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
        interpreter.invoke()

    for _ in range(_WARM_OPENINGS):
        once()
    before = resident_bytes()
    for _ in range(count):
        once()
    return resident_bytes() - before


def _opened(content: bytes, given: dict[str, Any]) -> Any:
    with Session.open(content) as session:
        return session.run(given)["scores"]


def main() -> int:
    """All of it, and 1 where memory grew or a value was wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--openings", type=int, default=10_000)
    asked = parser.parse_args()
    found: list[dict[str, Any]] = []
    parts: tuple[Callable[[], dict[str, Any]], ...] = (
        lambda: runs(asked.seconds),
        lambda: runs(asked.seconds / 10, replicas=2),
        lambda: openings(asked.openings),
    )
    for part in parts:
        found.append(part())
        print(json.dumps(found[-1]), flush=True)
    return int(
        any(one["wrong"] or one["growth_bytes"] - one.get("engine_growth_bytes", 0) > MOST_GROWTH for one in found)
    )


if __name__ == "__main__":
    sys.exit(main())
