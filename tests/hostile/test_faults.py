"""A fault at a system call that writes: the old file or the new one, and one error line; see ``faults.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.faults import COMMANDS, ERRORS, KILL, Bench
from tests.native import compiler

pytestmark = [pytest.mark.runtime, pytest.mark.skipif(compiler() is None, reason="install a C compiler (gcc)")]


@pytest.mark.parametrize("name", ["bundle", "run"])
def test_some_calls(name: str, tmp_path: Path) -> None:
    bench = Bench(tmp_path, COMMANDS[name])
    # Opening the temporary file, the first and the last byte, and the new name.
    assert bench.calls >= 4
    for at, kind in (
        (2, KILL),
        (bench.calls, KILL),
        (3, ERRORS[0]),
        (min(6, bench.calls), ERRORS[0]),
        (min(7, bench.calls), ERRORS[2]),
        (bench.calls - 1, ERRORS[1]),
    ):
        outcome = bench.run(kind, at)
        assert not outcome.fault, f"{kind} at {at}: {outcome}"
        if kind == KILL:
            assert outcome.status == -9


@pytest.mark.slow
def test_workers_that_are_killed_or_fail(tmp_path: Path) -> None:
    bench = Bench(tmp_path, COMMANDS["convert"])
    for at, kind in ((bench.calls // 2, KILL), (bench.calls // 3, ERRORS[0]), (bench.calls, KILL)):
        outcome = bench.run(kind, at)
        assert not outcome.fault, f"{kind} at {at}: {outcome}"
