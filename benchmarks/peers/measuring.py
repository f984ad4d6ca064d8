"""Peers against edge-sdk's file: processes side by side, asked for some runs in turn, opened anew several times."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import files
from benchmarks.peers.environments import python_of
from benchmarks.peers.models import MODELS
from edge_sdk.measure.clock import Clock
from edge_sdk.measure.conditions import Watch
from edge_sdk.measure.records import Conditions
from edge_sdk.measure.statistics import ratio_of_sittings
from edge_sdk.measure.validity import machine_reasons

_WORKER = Path(__file__).parent / "worker.py"
_TURN_NS, _WARM_NS = 20e6, 300e6
Ask = Callable[[int], list[int]]


def rows(
    threads: Sequence[int], sittings: int, rounds: int, say: Callable[[str], None], only: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """A row for each model, number of threads and way.

    Args:
        threads: on the CPU.
        sittings: how often all are started anew.
        rounds: turns of each in a sitting.
        say: hears of progress, and of what does not work.
        only: names of models; all if empty.
    """
    for name in only or MODELS:
        ways = [one for one in files.made(name, say) if _starts(name, *one, say)]
        for count in threads:
            yield from _compared(name, ways, count, sittings, rounds)


def _starts(name: str, way: files.Way, path: Path, say: Callable[[str], None]) -> bool:
    """Whether the peer runs its own file: onnx2tf's may hold ops that LiteRT lacks."""
    try:
        with _worker(way, path, 1) as ask:
            ask(1)
    except RuntimeError as error:
        say(f"{name}: {error}")
        return False
    return True


def _compared(
    name: str, ways: Sequence[tuple[files.Way, Path]], threads: int, sittings: int, rounds: int
) -> Iterator[dict[str, Any]]:
    watch, clock, draw = Watch(children=True), Clock(), np.random.default_rng(0)
    begin = clock.now_ns() / 1e9
    watch.look(0.0, begin)
    before = watch.look(0.0, begin)
    medians = np.array([_sitting(ways, threads, rounds, draw) for _ in range(sittings)])
    now = clock.now_ns() / 1e9
    conditions = Conditions(before, (), watch.look(now - begin, now))
    reasons = machine_reasons(conditions, cpus=os.cpu_count() or 1, sustained=False)
    for index, (way, _) in enumerate(ways):
        ratio = ratio_of_sittings(list(medians[:, 0]), list(medians[:, index]))
        yield {
            "model": name,
            "threads": threads,
            "way": way.name,
            "median_us": round(float(np.median(medians[:, index])) / 1e3, 1),
            "ratio": round(ratio.value, 3),
            "ratio_95": [round(ratio.low or ratio.value, 3), round(ratio.high or ratio.value, 3)],
            "sittings": sittings,
            "valid": not reasons,
            "reasons": [reason.rule for reason in reasons],
        }


def _sitting(
    ways: Sequence[tuple[files.Way, Path]], threads: int, rounds: int, draw: np.random.Generator
) -> list[float]:
    """Medians in ns. What is planned for one process is asked of all, in an order drawn for each round."""
    with ExitStack() as stack:
        asks = [stack.enter_context(_worker(way, path, threads)) for way, path in ways]
        runs = [_warm(ask) for ask in asks]
        took: list[list[int]] = [[] for _ in asks]
        for _ in range(rounds):
            for index in draw.permutation(len(asks)):
                # The first finds the caches as another left them.
                took[index] += asks[index](runs[index] + 1)[1:]
    return [float(np.median(values)) for values in took]


def _warm(ask: Ask) -> int:
    """Runs that fill a turn."""
    one = float(np.median(ask(5)))
    one = float(np.median(ask(max(5, min(2000, int(_WARM_NS / one))))))
    return max(1, min(2000, int(_TURN_NS / one)))


@contextmanager
def _worker(way: files.Way, path: Path, threads: int) -> Iterator[Ask]:
    command = [str(python_of(way.peer)), "-W", "ignore", str(_WORKER), way.peer, str(path), _inputs(path), str(threads)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    child = subprocess.Popen(command, text=True, env=environment, **pipes)  # type: ignore[call-overload]

    def ask(count: int) -> list[int]:
        child.stdin.write(f"{count}\n")
        child.stdin.flush()
        took: list[int] = json.loads(child.stdout.readline())
        return took

    try:
        for line in child.stdout:
            if line == "ready\n":
                break
        else:
            raise RuntimeError(f"{way.name} did not start on {path}: {' '.join(command)}")
        yield ask
    finally:
        child.stdin.close()
        child.wait()
        child.stdout.close()


def _inputs(path: Path) -> str:
    return str(path.parent / "calibration.npz")
