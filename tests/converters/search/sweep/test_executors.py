"""One process and many give the same table; what is killed repeats only what ran in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.converters.search.sweep.executors import run_here, run_on_dask
from edge_sdk.converters.search.sweep.table import TIMES, rows_of
from edge_sdk.errors import TargetError
from tests.converters.search.sweep.trivial import act, jobs

# Dask's own warnings: a killed worker's connections, and its nanny's temporary folders.
pytestmark = [pytest.mark.dask, pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("dask")]


def _table(count: int, results: Iterable[Mapping[str, Any]]) -> str:
    found = {result["key"]: result for result in results}
    rows = rows_of((job, found[key]) for key, job in jobs(count))
    return json.dumps([{name: value for name, value in row.items() if name not in TIMES} for row in rows])


def test_the_tables_are_the_same_but_for_times(tmp_path: Path) -> None:
    here = _table(12, run_here(jobs(12), tmp_path / "here", act=act))
    dask = _table(12, run_on_dask(jobs(12), tmp_path / "dask", scheduler=None, workers=2, act=act))
    assert here == dask
    assert '"failed"' in here


def test_a_killed_worker_costs_what_it_ran_and_nothing_that_was_done(tmp_path: Path) -> None:
    killed = 0
    results = []
    for done, result in enumerate(run_on_dask(jobs(40), tmp_path, scheduler=None, workers=2, act=act)):
        results.append(result)
        if done in (8, 20):
            # Nannies start it again; pids of workers are those that jobs noted.
            alive = [int(mark.name[4:]) for mark in (tmp_path / "files" / "busy").glob("pid-*")]
            running = [pid for pid in alive if Path(f"/proc/{pid}").exists() and pid != os.getpid()]
            os.kill(running[0], signal.SIGKILL)
            killed += 1
    assert sorted(result["key"] for result in results) == [key for key, _ in jobs(40)]
    begun = len(list((tmp_path / "attempts").iterdir()))
    # A worker runs one job at a time, so that a kill repeats at most one.
    assert 40 <= begun <= 40 + killed


def test_a_device_runs_one_job_at_a_time(tmp_path: Path) -> None:
    results = list(run_on_dask(jobs(12, "local"), tmp_path, scheduler=None, workers=2, act=act))
    # A second job on the device would have failed to make its mark.
    assert len(results) == 12
    assert [result["error"] is None for result in sorted(results, key=lambda r: r["key"])].count(False) == 1


def test_results_that_are_there_are_not_made_again(tmp_path: Path) -> None:
    first = list(run_here(jobs(5), tmp_path, act=act))
    again = list(run_here(jobs(5), tmp_path, act=act))
    assert first == again
    assert len(list((tmp_path / "attempts").iterdir())) == 5


def test_a_scheduler_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sdk.converters.search.sweep.executors._CONNECT_SECONDS", 1)
    with pytest.raises(TargetError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:9"):
        list(run_on_dask(jobs(1), tmp_path, scheduler="tcp://127.0.0.1:9", workers=1, act=act))


@pytest.mark.slow
def test_a_killed_scheduler_is_told_and_nothing_that_was_done_is_done_again(tmp_path: Path) -> None:
    heard: list[str] = []

    def until_it_dies(address: str, scheduler: subprocess.Popen[bytes]) -> None:
        for result in run_on_dask(jobs(24), tmp_path, scheduler=address, workers=0, act=act):
            heard.append(result["key"])
            if len(heard) == 4:
                scheduler.kill()

    with _outside(tmp_path / "one") as begun, pytest.raises(TargetError, match="was lost"):
        until_it_dies(*begun)
    held = {path.stem for path in (tmp_path / "results").iterdir()}
    assert set(heard) <= held < {key for key, _ in jobs(24)}
    left = [(key, job) for key, job in jobs(24) if key not in held]
    with _outside(tmp_path / "two") as (address, _):
        again = list(run_on_dask(left, tmp_path, scheduler=address, workers=0, act=act))
    assert len(again) == len(left)
    # What ran when the scheduler died may have been begun twice, and nothing else.
    assert 24 <= len(list((tmp_path / "attempts").iterdir())) <= 25


@contextmanager
def _outside(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A scheduler and a worker that somebody else started."""
    folder.mkdir()
    told = folder / "scheduler.json"
    words = [sys.executable, "-m", "dask", "scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    begin: dict[str, Any] = {
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "cwd": folder,
        "env": environment,
    }
    with subprocess.Popen([*words, "--scheduler-file", str(told)], **begin) as scheduler:
        while not told.exists() or not told.read_text():
            assert scheduler.poll() is None
            time.sleep(0.05)
        address = json.loads(told.read_text())["address"]
        words = [sys.executable, "-m", "dask", "worker", address, "--nthreads", "1", "--no-dashboard"]
        with subprocess.Popen([*words, "--death-timeout", "60"], **begin) as worker:
            try:
                yield address, scheduler
            finally:
                for process in (worker, scheduler):
                    process.kill()
