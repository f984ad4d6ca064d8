"""A short run of what ``make fuzz`` does for an hour; each lane's number is what fits in a quarter of a minute."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.hostile.fuzz import run

_COUNTS = {"read": 2000, "check": 400, "session": 100, "bundle": 400}


@pytest.mark.parametrize("lane", _COUNTS)
@pytest.mark.runtime
def test_mutants_are_taken_or_refused(lane: str) -> None:
    """No foreign exception, no death, no hang, no bomb, and no altered bundle that passes for whole."""
    tally = run(lane, first=0, count=_COUNTS[lane], seconds=600)
    assert tally.broken == []
    assert sum(tally.counts.values()) == _COUNTS[lane]
    # A mutator that only makes rubbish would prove nothing.
    assert lane == "bundle" or tally.counts["taken"] > _COUNTS[lane] / 20


@pytest.mark.parametrize(
    ("lane", "words"),
    [
        ("spinning", "HangError: more than 1 s of processor time"),
        ("spinning in a child", "HangError: .* s of processor time in children"),
        ("greedy", "MemoryError"),
    ],
)
def test_limits_are_the_issues_own(lane: str, words: str) -> None:
    """Processor time and memory of what is tried, and nothing of a machine that is busy."""
    script = (
        "import subprocess, sys, numpy; from tests.hostile import fuzz\n"
        "fuzz.CPU_S, fuzz.MEMORY_BYTES = 1.0, 1 << 28\n"
        "def spinning(seed):\n    while True: pass\n"
        "def child(seed):\n"
        "    words = 'import time\\nwhile time.process_time() < 1.3: pass'\n"
        "    subprocess.run([sys.executable, '-c', words], check=True)\n"
        "    return 'taken'\n"
        "def greedy(seed):\n    return str(numpy.zeros(1 << 29, numpy.uint8).size)\n"
        f"fuzz.LANES = {{'lane': {{'spinning': spinning, 'spinning in a child': child, 'greedy': greedy}}[{lane!r}]}}\n"
        "fuzz._warm_up = lambda: None\n"
        "fuzz.child('lane', 0, 1)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=50)
    assert re.search(f"^0\nbroken {words}", done.stdout), done.stdout
