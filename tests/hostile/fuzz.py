"""``python -m tests.hostile.fuzz``: mutants through every lane for some minutes, in children, and what broke counted.

``make fuzz MINUTES=60``. Exit status 1 where anything broke; the seeds printed break it again.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.hostile.lanes import LANES, in_folder, outcome

# 10 s where nothing else runs, and here others may.
HANG_S = 20
# Of virtual memory: what Python, numpy and an engine map before they do anything, and 1 GB.
_MEMORY_BYTES = 3 << 30
_SHARES = {"read": 0.2, "check": 0.3, "session": 0.35, "bundle": 0.15}


@dataclass
class Tally:
    """What became of the mutants of one lane."""

    counts: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    next_seed: int = 0

    def as_json(self) -> dict[str, Any]:
        return {**self.counts, "broken": self.broken}


class HangError(BaseException):
    """More than :data:`HANG_S` seconds: no error that a lane may take for its own."""


def child(lane: str, first: int, count: int) -> None:
    """Prints a line before and after each seed."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    signal.signal(signal.SIGALRM, _hang)
    seeds = range(first, first + count)
    if lane == "bundle":
        in_folder(seeds, _one)
    else:
        for seed in seeds:
            _one(seed, LANES[lane])


def _one(seed: int, lane: Callable[[int], str]) -> None:
    print(seed, flush=True)
    signal.alarm(HANG_S)
    try:
        became = outcome(lane, seed)
    except (Exception, HangError) as error:  # whatever broke is what is looked for
        became = f"broken {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    signal.alarm(0)
    print(became, flush=True)


def _hang(*_: object) -> None:
    raise HangError(f"more than {HANG_S} s")


def run(lane: str, *, first: int, count: int, seconds: float) -> Tally:
    """Some mutants of a lane; a child that dies is counted, and another goes on behind the seed it died of."""
    tally = Tally(next_seed=first)
    end = time.monotonic() + seconds
    while tally.next_seed < first + count and time.monotonic() < end:
        _run_child(lane, tally, min(500, first + count - tally.next_seed), end)
    return tally


def _run_child(lane: str, tally: Tally, count: int, end: float) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "tests.hostile.fuzz", lane, str(tally.next_seed), str(count)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    # Python's own alarm waits for a call in C to return, and a loop in a file may never end.
    watch = threading.Timer(0, lambda: None)
    seed = None
    for line in process.stdout:
        watch.cancel()
        watch = threading.Timer(2 * HANG_S, process.kill)
        watch.start()
        word = line.rstrip("\n")
        if seed is None:
            seed = int(word)
            continue
        _count(tally, word, seed)
        seed = None
        if time.monotonic() > end:
            process.kill()
            break
    watch.cancel()
    process.stdout.close()
    status = process.wait()
    if status == -signal.SIGKILL and lane == "session" and seed is not None:
        # A mutant's own loop runs on: that a file ends on every input is not for a session to know.
        _count(tally, "endless", seed)
    elif status and time.monotonic() < end:
        _count(tally, f"broken death: status {status}", tally.next_seed if seed is None else seed)


def _count(tally: Tally, became: str, seed: int) -> None:
    tally.counts[became.split(maxsplit=1)[0]] += 1
    tally.next_seed = seed + 1
    if became.startswith("broken"):
        tally.broken.append(f"{seed}: {became.removeprefix('broken ')}")


def main() -> int:
    """All lanes for some minutes, or in a child one of them."""
    if len(sys.argv) == 4 and not sys.argv[1].startswith("-"):
        child(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
        return 0
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    seconds = {lane: share * asked.minutes * 60 for lane, share in _SHARES.items()}
    found = {lane: run(lane, first=asked.first, count=10**9, seconds=budget) for lane, budget in seconds.items()}
    print(json.dumps({lane: tally.as_json() for lane, tally in found.items()}, indent=2))
    return int(any(tally.broken for tally in found.values()))


if __name__ == "__main__":
    sys.exit(main())
