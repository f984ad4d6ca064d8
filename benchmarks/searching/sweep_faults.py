"""A sweep whose scheduler and workers are killed with -9 at random moments, and what that costs.

Jobs do nothing but hold their device and wait; scheduler and workers are processes of their own, started again as an
init system would. :func:`act` is what workers run.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_sdk.converters.search.sweep.executors import Keyed, run_here, run_on_dask
from edge_sdk.converters.search.sweep.jobs import Job, read_result, run_with
from edge_sdk.converters.search.sweep.table import TIMES, rows_of
from edge_sdk.errors import ConversionError, TargetError

_DEVICE = "bench"
_ROOT = Path(__file__).parents[2]


def act(job: Mapping[str, Any], key: str, folder: str) -> dict[str, Any]:
    """As ``run_job``."""
    return run_with(_row, job, key, folder)


def _row(job: Job, folder: Path) -> dict[str, Any]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "device").open("w") as held:
        if job.device:
            # Let go by the kernel when its process dies; a second holder is a fault of the executor.
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(float(job.settings["seconds"]))
    if int(job.source) % 10 == 7:
        raise ConversionError(f"{job.source} cannot be converted")
    return {"size_bytes": int(job.source), "fits": True, "metric": 0.5}


def jobs(count: int, seconds: float) -> list[Keyed]:
    """Every fifth job wants the device."""
    return [
        (
            f"{n:05d}",
            Job(str(n), f"{n}.tflite", "float16", device=None if n % 5 else _DEVICE, settings={"seconds": seconds}),
        )
        for n in range(count)
    ]


def kills(folder: Path, count: int, times: int, seconds: float, seed: int) -> dict[str, Any]:
    """One sweep under kills, held against the same in one process.

    Returns:
        Jobs, kills of each kind, jobs begun again, jobs that ran at a kill at most, whether any was done twice, and
        whether both tables are the same but for times.
    """
    keyed, begin = jobs(count, seconds), time.monotonic()
    killed, lost = {"scheduler": 0, "worker": 0}, 0
    draws = random.Random(seed)
    for round_ in range(times + 1):
        left = [(key, job) for key, job in keyed if read_result(folder, key) is None]
        if not left:
            break
        with _farm(folder / f"farm_{round_}") as farm:
            killer = _Killer(farm, draws, times - sum(killed.values()), seconds, killed)
            try:
                for _ in run_on_dask(left, folder, scheduler=farm.address, workers=0, act=act):
                    pass
            except TargetError:
                lost += 1
            finally:
                killer.stop()
    took = time.monotonic() - begin
    begun = {key: len(list((folder / "attempts").glob(f"{key}.*"))) for key, _ in keyed}
    results = {key: read_result(folder, key) for key, _ in keyed}
    alone = {result["key"]: result for result in run_here(jobs(count, 0.0), folder.with_name("alone"), act=act)}
    whole = {key: result for key, result in results.items() if result is not None}
    return {
        "jobs": count,
        "seconds": round(took, 1),
        "killed": killed,
        "lost_schedulers_told": lost,
        "results": len(whole),
        "begun_again": sum(times - 1 for times in begun.values()),
        "done_after_a_result": sum(whole[key]["attempt"] < times for key, times in begun.items() if key in whole),
        "same_table": len(whole) == count and _table(keyed, whole) == _table(keyed, alone),
    }


def overhead(folder: Path, count: int, seconds: float, workers: int) -> dict[str, Any]:
    """What a sweep with workers of its own takes beyond its jobs' own time, their start apart."""
    begin, first = time.monotonic(), 0.0
    for _ in run_on_dask(jobs_without_device(count, seconds), folder, scheduler=None, workers=workers, act=act):
        first = first or time.monotonic()
    whole, own = time.monotonic() - begin, count * seconds / workers
    start = first - begin - seconds
    return {
        "jobs": count,
        "job_seconds": seconds,
        "workers": workers,
        "seconds": round(whole, 2),
        "start_seconds": round(start, 2),
        "overhead": round(whole / own - 1, 4),
        "overhead_after_start": round((whole - start) / own - 1, 4),
    }


def planned(folder: Path, count: int) -> dict[str, Any]:
    """What a scheduler and the process that hands jobs out hold, of so many jobs that do nothing.

    Returns:
        MiB of resident memory of both before the first result, after a tenth of them, and after the last.
    """
    keyed = jobs_without_device(count, 0.0)
    held: dict[str, list[float]] = {"scheduler_mib": [], "own_mib": []}
    with _farm(folder / "farm") as farm:
        begin = time.monotonic()

        def look() -> None:
            for name, pid in (("scheduler_mib", farm.scheduler.pid), ("own_mib", os.getpid())):
                held[name].append(_resident_mib(pid))

        look()
        for done, _ in enumerate(run_on_dask(keyed, folder, scheduler=farm.address, workers=0, act=act), 1):
            if done in (count // 10, count):
                look()
        return {"planned": count, "seconds": round(time.monotonic() - begin, 1), **held}


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return round(int(status.partition("VmRSS:")[2].split()[0]) / 1024, 1)


def jobs_without_device(count: int, seconds: float) -> list[Keyed]:
    """For timing alone."""
    return [(key, Job(job.source, job.path, job.recipe, settings=job.settings)) for key, job in jobs(count, seconds)]


def _table(keyed: Sequence[Keyed], results: Mapping[str, Mapping[str, Any]]) -> str:
    rows = rows_of((job, results[key]) for key, job in keyed)
    return json.dumps([{name: value for name, value in row.items() if name not in TIMES} for row in rows])


@dataclass
class _Farm:
    """A scheduler and two workers, the first with the device."""

    folder: Path
    address: str = ""
    scheduler: Any = None
    workers: list[Any] = field(default_factory=list)

    def worker(self, place: int) -> Any:
        """Starts one."""
        words = ["worker", self.address, "--nthreads", "1", "--no-dashboard", "--no-nanny", "--death-timeout", "60"]
        return self.run(*words, *([] if place else ["--resources", f"device:{_DEVICE}=1"]))

    def run(self, *words: str) -> Any:
        """A process of Dask's command."""
        environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen([sys.executable, "-m", "dask", *words], cwd=self.folder, env=environment, **quiet)  # type: ignore[call-overload]


@contextmanager
def _farm(folder: Path) -> Iterator[_Farm]:
    folder.mkdir(parents=True)
    farm, told = _Farm(folder), folder / "scheduler.json"
    farm.scheduler = farm.run(
        "scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(told)
    )
    while not told.exists() or not told.read_text():
        time.sleep(0.05)
    farm.address = json.loads(told.read_text())["address"]
    farm.workers = [farm.worker(place) for place in range(2)]
    _wait_for_workers(farm.address)
    try:
        yield farm
    finally:
        for process in (*farm.workers, farm.scheduler):
            process.kill()
            process.wait()


def _wait_for_workers(address: str) -> None:
    from dask.distributed import Client

    with Client(address) as client:
        client.wait_for_workers(2, timeout=120)


class _Killer:
    """Kills one of a farm's processes at a random moment, again and again; a worker is started anew."""

    def __init__(self, farm: _Farm, draws: random.Random, left: int, seconds: float, killed: dict[str, int]) -> None:
        self._farm, self._draws, self._left, self._seconds, self._killed = farm, draws, left, seconds, killed
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go)
        self._thread.start()

    def stop(self) -> None:
        """No more kills."""
        self._over.set()
        self._thread.join()

    def _go(self) -> None:
        for _ in range(self._left):
            if self._over.wait(self._draws.uniform(2, 12) * self._seconds):
                return
            place = self._draws.randrange(3)
            if place == 2:
                self._killed["scheduler"] += 1
                self._farm.scheduler.kill()
                return
            self._killed["worker"] += 1
            self._farm.workers[place].kill()
            self._farm.workers[place].wait()
            self._farm.workers[place] = self._farm.worker(place)
