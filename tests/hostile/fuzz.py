"""``python -m tests.hostile.fuzz``: mutants through every lane for some minutes, in children, and what broke counted.

``make fuzz MINUTES=60``. Exit status 1 where anything broke; the seeds printed break it again.
"""

from __future__ import annotations

import argparse
import contextlib
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
from pathlib import Path
from typing import Any

from tests.hostile.lanes import LANES, in_folder, outcome
from tests.hostile.models import BASES

# Of processor time, of this process and of those that it started and waited for: a busy machine changes nothing of it.
CPU_S = 10.0
# Of the clock, for what sleeps for ever.
_CLOCK_S = 120
# And ten times the file. Nothing may be mapped to be written beyond it (RLIMIT_DATA), whether it is touched or not.
MEMORY_BYTES = 1 << 30
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


def child(lane: str, first: int, count: int) -> None:
    """Prints a line before and after each seed."""
    _warm_up()
    bound = _mapped_bytes() + MEMORY_BYTES + 10 * max(map(len, BASES.values()))
    resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, _hang)
    seeds = range(first, first + count)
    if lane == "bundle":
        in_folder(seeds, _one)
    else:
        for seed in seeds:
            _one(seed, LANES[lane])


def _warm_up() -> None:
    """What every lane loads once: toolchains of the first mutant are not that mutant's."""
    for lane in LANES.values():
        with contextlib.suppress(Exception):
            lane(0)


def _mapped_bytes() -> int:
    """What this process may write to by now, as RLIMIT_DATA counts it."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return 1024 * int(lines["VmData"].split()[0])


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _one(seed: int, lane: Callable[[int], str]) -> None:
    print(seed, flush=True)
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
    if len(sys.argv) == 4 and not sys.argv[1].startswith("-"):
        child(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
        return 0
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=10**9, help="Of mutants in each lane, at most.")
    asked = parser.parse_args()
    seconds = {lane: share * asked.minutes * 60 for lane, share in _SHARES.items()}
    found = {lane: run(lane, first=asked.first, count=asked.count, seconds=budget) for lane, budget in seconds.items()}
    print(json.dumps({lane: tally.as_json() for lane, tally in found.items()}, indent=2))
    return int(any(tally.broken for tally in found.values()))


if __name__ == "__main__":
    sys.exit(main())
