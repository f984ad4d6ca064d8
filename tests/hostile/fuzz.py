"""``python -m tests.hostile.fuzz``: mutants through every lane for some minutes, in children, and what broke counted.

``make fuzz MINUTES=60``. Exit status 1 where anything broke; the seeds printed break it again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_sdk.engines import trying
from tests.hostile.lanes import LANES, in_folder, outcome
from tests.hostile.models import FILES

# Of processor time, of this process and of those that it started and waited for: a busy machine changes nothing of it.
CPU_S = 10.0
# Of the clock, for what sleeps for ever.
_CLOCK_S = 120
# And ten times the file, for this process and for the one that tries files, each beyond what it had before. Nothing may
# be mapped to be written beyond it (RLIMIT_DATA), whether it is touched or not.
MEMORY_BYTES = 1 << 30
# Seeds of one child: its toolchains take as long to load as a hundred mutants of the quickest lane.
_EACH = 2000
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
    """More than :data:`CPU_S` seconds: no error that a lane may take for its own."""


def child(lane: str, first: int, count: int, corpus: str = "") -> None:
    """Prints a line before and after each seed."""
    if corpus:
        FILES.take(Path(corpus))
    _warm_up()
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, _hang)
    held = Held()
    seeds = range(first, first + count)
    if lane == "bundle":
        in_folder(seeds, lambda seed, act: _one(seed, act, held))
    else:
        for seed in seeds:
            _one(seed, LANES[lane], held)


class Held:
    """Processes that may take so much memory for a file, beyond what they had before the first."""

    def __init__(self) -> None:
        self._before: dict[int, int] = {}

    def to(self, file_bytes: int) -> None:
        """Sets the limits for a file of that size."""
        trial = trying._TRIALS._child
        for process in (os.getpid(), trial.pid if trial is not None and trial.poll() is None else 0):
            if process:
                before = self._before.setdefault(process, _mapped_bytes(process))
                bound = before + MEMORY_BYTES + 10 * file_bytes
                resource.prlimit(process, resource.RLIMIT_DATA, (bound, resource.RLIM_INFINITY))


def _warm_up() -> None:
    """What every lane loads once: toolchains of the first mutant are not that mutant's."""
    for lane in LANES.values():
        with contextlib.suppress(Exception):
            lane(0)


def _mapped_bytes(process: int) -> int:
    """What a process may write to by now, as RLIMIT_DATA counts it."""
    text = Path(f"/proc/{process}/status").read_text()
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return 1024 * int(lines["VmData"].split()[0])


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _one(seed: int, lane: Callable[[int], str], held: Held) -> None:
    print(seed, flush=True)
    held.to(len(FILES.of(seed)))
    others = _children_s()
    signal.alarm(_CLOCK_S)
    signal.setitimer(signal.ITIMER_PROF, CPU_S)
    # Python's own signals wait for a call in C to return, and a loop in a file may never end: the system ends that.
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + 2 * CPU_S) + 1, resource.RLIM_INFINITY))
    try:
        became = outcome(lane, seed)
    except (Exception, HangError) as error:  # whatever broke is what is looked for
        became = f"broken {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.alarm(0)
    if (took := _children_s() - others) > CPU_S:
        became = f"broken HangError: {took:.1f} s of processor time in children"
    print(became, flush=True)


def _hang(number: int, _: object) -> None:
    what = f"{CPU_S:.0f} s of processor time" if number == signal.SIGPROF else f"{_CLOCK_S} s"
    raise HangError(f"more than {what}")


def run(lane: str, *, first: int, count: int, seconds: float, corpus: str = "") -> Tally:
    """Some mutants of a lane; a child that dies is counted, and another goes on behind the seed it died of.

    Args:
        lane: its name.
        first: the first seed.
        count: how many at most.
        seconds: no new one after them.
        corpus: a folder of files that are changed as well as those made by code; empty for none.
    """
    tally = Tally(next_seed=first)
    end = time.monotonic() + seconds
    while tally.next_seed < first + count and time.monotonic() < end:
        _run_child(lane, tally, min(_EACH, first + count - tally.next_seed), end, corpus)
    return tally


def _run_child(lane: str, tally: Tally, count: int, end: float, corpus: str) -> None:
    words = [lane, str(tally.next_seed), str(count), corpus]
    command = [sys.executable, "-W", "ignore", "-m", "tests.hostile.fuzz", "--child", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    # What sleeps in C for ever uses no processor time.
    watch = threading.Timer(0, lambda: None)
    seed = None
    for line in process.stdout:
        watch.cancel()
        watch = threading.Timer(2 * _CLOCK_S, process.kill)
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
    if status in (-signal.SIGXCPU, -signal.SIGKILL) and lane == "session" and seed is not None:
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
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
        return 0
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=10**9, help="Of mutants in each lane, at most.")
    parser.add_argument("--lanes", nargs="*", default=list(_SHARES), choices=list(_SHARES))
    parser.add_argument("--corpus", default="", help="A folder of .tflite files: every second mutant begins with one.")
    asked = parser.parse_args()
    whole = sum(_SHARES[lane] for lane in asked.lanes)
    broken = 0
    for lane in asked.lanes:
        seconds = _SHARES[lane] / whole * asked.minutes * 60
        tally = run(lane, first=asked.first, count=asked.count, seconds=seconds, corpus=asked.corpus)
        print(json.dumps({lane: tally.as_json()}, indent=2), flush=True)
        broken += len(tally.broken)
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
