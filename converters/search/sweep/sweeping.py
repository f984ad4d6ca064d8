"""``edge_sdk.sweep``: a plan's jobs, done once each, and their table."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_sdk.converters.search.sweep.executors import Keyed, run_here, run_on_dask
from edge_sdk.converters.search.sweep.jobs import job_key, read_result, result_path, result_text
from edge_sdk.converters.search.sweep.plan import read_plan
from edge_sdk.converters.search.sweep.table import (
    SCHEMA,
    Change,
    Tolerances,
    changes_as_json,
    compare,
    rows_of,
    write_table,
)
from edge_sdk.errors import OutputError
from edge_sdk.files import write_bytes
from edge_sdk.progress import Progress, Silent
from edge_sdk.rows import Tabular


@dataclass(frozen=True)
class Asked:
    """How a sweep is run.

    Attributes:
        dask: by Dask's workers; else in this process.
        scheduler: address of a running Dask scheduler; None starts workers here.
        workers: how many.
        retry_failed: whether jobs whose result is an error are done again.
        tolerances: of a comparison.
    """

    dask: bool = False
    scheduler: str | None = None
    workers: int = 1
    retry_failed: bool = False
    tolerances: Tolerances = field(default_factory=Tolerances)


@dataclass(frozen=True, repr=False)
class SweepResult(Tabular):
    """All rows, in the plan's order, and what changed against another sweep.

    Attributes:
        folder: where results and tables are.
        jobs: a row for each, see ``table.COLUMNS``.
        changes: regressions first; empty where nothing was compared.
        done: jobs that were done in this run.
        seconds: wall clock of this run.
        files: the tables written.
    """

    folder: str
    jobs: tuple[Mapping[str, Any], ...]
    changes: tuple[Change, ...]
    done: int
    seconds: float
    files: tuple[str, ...]

    @property
    def failed(self) -> int:
        """Jobs with an error."""
        return sum(row["state"] == "failed" for row in self.jobs)

    def headline(self) -> str:
        """How many jobs, and how they went."""
        return f"{self.folder}: {len(self.jobs)} jobs, {self.failed} failed, {len(self.regressions)} regressions"

    def rows(self) -> list[dict[str, Any]]:
        """A row for each job, in the plan's order; what its result does not tell is None."""
        return [dict(row) for row in self.jobs]

    @property
    def regressions(self) -> tuple[Change, ...]:
        """What became worse, beyond the tolerances."""
        return tuple(change for change in self.changes if change.regression)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "schema": SCHEMA,
            "folder": self.folder,
            "rows": self.rows(),
            "changes": changes_as_json(self.changes),
            "done": self.done,
            "failed": self.failed,
            "seconds": round(self.seconds, 1),
            "files": list(self.files),
        }


def run_sweep(
    plan: Path,
    folder: Path,
    asked: Asked,
    *,
    before: Sequence[Mapping[str, Any]] | None = None,
    progress: Progress | None = None,
) -> SweepResult:
    """Does the jobs of a plan whose results are not there yet, and writes the table.

    Args:
        plan: the TOML file.
        folder: for results and tables; made if absent.
        asked: how.
        before: rows of another sweep to compare with.
        progress: hears how far the work is.

    Raises:
        EdgeSdkError: the plan has faults, or what runs it fails; a job that fails is a row.
    """
    progress, begin = progress or Silent(), time.monotonic()
    jobs = list(read_plan(plan).jobs())
    try:
        (folder / "results").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error
    progress.stage(f"read what {len(jobs)} jobs depend on")
    keyed: list[Keyed] = [(job_key(job), job) for job in jobs]
    results = {key: found for key, _ in keyed if (found := _known(folder, key, again=asked.retry_failed))}
    waiting = list({key: job for key, job in keyed if key not in results}.items())
    progress.stage(f"{len(waiting)} jobs to do, {len(keyed) - len(waiting)} done before")
    for count, result in enumerate(_run(waiting, folder.absolute(), asked), 1):
        results[result["key"]] = result
        if not result_path(folder, result["key"]).exists():
            # Its worker does not share the folder.
            write_bytes(result_path(folder, result["key"]), result_text(result))
        progress.count(count, len(waiting))
    rows = rows_of((job, results[key]) for key, job in keyed)
    changes = compare(before, rows, asked.tolerances) if before is not None else ()
    files = tuple(str(path) for path in write_table(folder, rows))
    return SweepResult(str(folder), tuple(rows), changes, len(waiting), time.monotonic() - begin, files)


def _known(folder: Path, key: str, *, again: bool) -> dict[str, Any] | None:
    found = read_result(folder, key)
    if found is not None and found["error"] and again:
        result_path(folder, key).unlink()
        return None
    return found


def _run(waiting: Sequence[Keyed], folder: Path, asked: Asked) -> Iterator[dict[str, Any]]:
    if not waiting:
        return iter(())
    if asked.dask:
        return run_on_dask(waiting, folder, scheduler=asked.scheduler, workers=asked.workers)
    return run_here(waiting, folder)
