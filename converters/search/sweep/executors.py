"""What runs the jobs of a sweep: this process, or Dask's workers on one machine or many.

A job goes to a worker as plain data and names a function of this package, so that nothing of this process is pickled.
A device is a resource that one worker declares (``device:ADDRESS=1``) and a job holds while it runs: there are never
two on one. Jobs are handed out a few at a time: the scheduler's memory does not grow with the plan.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from multiprocessing import get_all_start_methods
from pathlib import Path
from typing import Any

from edge_sdk.converters.search.sweep.jobs import Job, run_job
from edge_sdk.errors import MissingDependencyError, TargetError

Keyed = tuple[str, Job]
Act = Callable[[Mapping[str, Any], str, str], dict[str, Any]]
_AHEAD = 4
_PRELOAD = ["edge_sdk.preloading", "edge_sdk.converters.search.sweep.forked_from"]
_METHOD = "distributed.worker.multiprocessing-method"
_LOST_WORKERS = 10
"""So many workers may die under one job before it counts as what kills them."""
_CONNECT_SECONDS = 30
_PATIENCE_SECONDS = 5
_ALONE_SECONDS = 120
_AGAIN = "start one with `dask scheduler` where it was yours, and run the same command again: what is done stays"


def run_here(jobs: Iterable[Keyed], folder: Path, *, act: Act = run_job) -> Iterator[dict[str, Any]]:
    """One after the other, in this process."""
    for key, job in jobs:
        yield act(asdict(job), key, str(folder))


def run_on_dask(
    jobs: Iterable[Keyed], folder: Path, *, scheduler: str | None, workers: int, act: Act = run_job
) -> Iterator[dict[str, Any]]:
    """As workers come free, in any order.

    Args:
        jobs: with their hashes.
        folder: of the sweep, absolute; a machine that does not share it works in a folder of that name of its own.
        scheduler: address of a running one; None starts workers here.
        workers: how many, where they are started here.
        act: what does a job; a function of a module that workers can import.

    Raises:
        MissingDependencyError: Dask is absent.
        TargetError: no scheduler answers, it is lost, or no worker has a device.
    """
    waiting = list(jobs)
    with _client(scheduler, workers, {job.device for _, job in waiting if job.device}) as client:
        _check_devices(client, waiting)
        ahead = _AHEAD * max(1, _workers(client))
        queue, pending, idle = iter(waiting), set[Any](), 0
        while True:
            for key, job in islice(queue, max(0, ahead - len(pending))):
                pending.add(_submit(client, key, job, folder, act))
            if not pending:
                return
            done = _done(pending)
            idle = 0 if done or _workers(client) else idle + 1
            if not done:
                _revive(client, workers if scheduler is None else None, idle)
            for future, result in done:
                pending.remove(future)
                # Let go, or it would be done again when its worker dies.
                future.release()
                yield result


def _done(pending: set[Any]) -> list[tuple[Any, dict[str, Any]]]:
    """Futures that are done with their results; none where nothing was for a while."""
    from dask.distributed import CancelledError, wait
    from dask.distributed import TimeoutError as WaitError

    try:
        finished = wait(list(pending), timeout=_PATIENCE_SECONDS, return_when="FIRST_COMPLETED").done
    except WaitError:
        return []
    except CancelledError as error:
        raise TargetError(f"the Dask scheduler was lost: {error}", hint=_AGAIN) from error
    made = []
    for future in finished:
        try:
            made.append((future, future.result(timeout=_PATIENCE_SECONDS)))
        except WaitError:
            continue  # its worker died with it: it is done again
        except Exception as error:  # what a worker raises is anything
            text = f"a job was lost with its worker or the scheduler: {type(error).__name__}: {error}"
            raise TargetError(text, hint=_AGAIN) from error
    return made


def _workers(client: Any) -> int:
    return len(client.scheduler_info(n_workers=-1)["workers"])


def _revive(client: Any, workers: int | None, idle: int) -> None:
    """Workers that this process started and that are gone for good are started again; of others one is waited for.

    Raises:
        TargetError: there has been no worker for long.
    """
    if workers is not None:
        client.cluster.scale(workers)
    if idle * _PATIENCE_SECONDS >= _ALONE_SECONDS:
        raise TargetError(
            f"the Dask scheduler has had no worker for {_ALONE_SECONDS} s",
            hint="start one with `dask worker`, and run the same command again: what is done stays",
        )


def _submit(client: Any, key: str, job: Job, folder: Path, act: Act) -> Any:
    resources = {_resource(job.device): 1} if job.device else {}
    return client.submit(act, asdict(job), key, str(folder), key=f"edge-sdk-{key}", resources=resources)


def _resource(device: str | None) -> str:
    return f"device:{device}"


@contextmanager
def _client(scheduler: str | None, workers: int, devices: set[str]) -> Iterator[Any]:
    try:
        import dask
        from dask.distributed import Client
        from distributed.utils import get_mp_context
    except ImportError as error:
        raise MissingDependencyError("distributed", extra="dask", why="a sweep on several workers") from error
    if dask.config.get(_METHOD) == "spawn" and "forkserver" in get_all_start_methods():
        # Workers are forks of one process that has imported what they need, not each a start from nothing.
        dask.config.set({_METHOD: "forkserver"})
        get_mp_context().set_forkserver_preload(_PRELOAD)
    dask.config.set({"distributed.scheduler.allowed-failures": _LOST_WORKERS})
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=_CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise TargetError(
                f"no Dask scheduler at {scheduler}: {error}",
                hint="start one with `dask scheduler`, and workers with `dask worker`",
            ) from error
        with client:
            yield client
        return
    with _cluster(workers, devices) as cluster, Client(cluster) as client:
        yield client


def _cluster(workers: int, devices: set[str]) -> Any:
    """Processes here; the first has the devices."""
    from dask.distributed import Nanny, Scheduler, SpecCluster

    held: Mapping[str, float] = {_resource(device): 1.0 for device in devices}
    specs = {
        number: {
            "cls": Nanny,
            "options": {"nthreads": 1, "resources": held if number == 0 else {}, "silence_logs": logging.ERROR},
        }
        for number in range(workers)
    }
    scheduler = {"cls": Scheduler, "options": {"dashboard": False, "port": 0, "host": "127.0.0.1"}}
    return SpecCluster(workers=specs, scheduler=scheduler, silence_logs=logging.ERROR)


def _check_devices(client: Any, jobs: Iterable[Keyed]) -> None:
    """A job that waits for a resource that nobody has would wait forever."""
    info = client.scheduler_info(n_workers=-1)["workers"].values()
    there = {name for worker in info for name in worker.get("resources", {})}
    if missing := sorted({_resource(job.device) for _, job in jobs if job.device} - there):
        raise TargetError(
            f"no Dask worker has {', '.join(missing)}",
            hint=f"start one where it is: dask worker SCHEDULER --nthreads 1 --resources '{missing[0]}=1'",
        )
