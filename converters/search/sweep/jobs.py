"""One job of a sweep: a pure function of its content, and its result as one JSON file."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from edge_sdk.bundle.sources import source_facts
from edge_sdk.converters import convert
from edge_sdk.converters.search.archive import content_key
from edge_sdk.converters.search.optimizing import optimize
from edge_sdk.converters.search.planning import SearchOptions
from edge_sdk.converters.search.records import Budgets, Limits, Point, Result
from edge_sdk.converters.workers.child import tool_version
from edge_sdk.data.functions import is_function_reference
from edge_sdk.errors import EdgeSdkError
from edge_sdk.files import write_bytes
from edge_sdk.folders import temporary_folder
from edge_sdk.recipe import find_recipe
from edge_sdk.version import __version__

OPTIMIZE = "optimize"
Do = Callable[["Job", Path], dict[str, Any]]
SCHEMA = "edge-sdk sweep job 1"
_TOOLS = ("ai-edge-litert", "ai-edge-quantizer", "litert-quantizer", "tensorflow", "torch")
_BUDGETS = ("max_drop", "max_latency_ms", "max_size_mib", "max_memory_mib", "max_compressed_mib")


@dataclass(frozen=True)
class Job:
    """What to do, as plain data that any machine understands.

    Attributes:
        source: label of the source.
        path: of the source.
        recipe: name, ``.toml`` path, or ``optimize``.
        data: label of the data.
        evaluation: what to measure on; None only compares with the source.
        calibration: what ranges are observed on.
        metric: by which.
        profile: device to check against.
        device: address to measure time on; None measures none.
        settings: of ``optimize``.
        seed: of all random choices.
    """

    source: str
    path: str
    recipe: str
    data: str = ""
    evaluation: str | None = None
    calibration: str | None = None
    metric: str | None = None
    profile: str | None = None
    device: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    @property
    def labels(self) -> dict[str, str]:
        """What a row of the table is called by."""
        return {
            "source": self.source,
            "recipe": Path(self.recipe).stem if self.recipe.endswith(".toml") else self.recipe,
            "data": self.data,
            "profile": self.profile or "",
            "device": self.device or "",
        }


def job_key(job: Job) -> str:
    """SHA-256 of all that the result depends on: contents of files, not their names; versions; the device."""
    recipe = OPTIMIZE if job.recipe == OPTIMIZE else find_recipe(job.recipe).as_json()
    return content_key(
        {
            "profile": job.profile,
            "device": job.device,
            "source": _content(job.path),
            "recipe": recipe,
            "evaluation": _content(job.evaluation),
            "calibration": _content(job.calibration),
            "metric": _content(job.metric) if job.metric and is_function_reference(job.metric) else job.metric,
            "settings": dict(job.settings),
            "seed": job.seed,
            "versions": {"edge-sdk": __version__} | {tool: tool_version(tool) for tool in _TOOLS},
        }
    )


@cache
def _content(path: str | None) -> str | None:
    """Hash of a file or folder; of ``file.py:function`` of the file, with the function's name."""
    if path is None:
        return None
    name = path.rpartition(":")[2] if is_function_reference(path) else ""
    return f"{source_facts(path, None).sha256}{name}"


def result_path(folder: Path, key: str) -> Path:
    """Where a result is."""
    return folder / "results" / f"{key}.json"


def read_result(folder: Path, key: str) -> dict[str, Any] | None:
    """A result that is there; None where it is not."""
    try:
        found: dict[str, Any] = json.loads(result_path(folder, key).read_bytes())
    except FileNotFoundError:
        return None
    return found


def run_job(job: Mapping[str, Any], key: str, folder: str) -> dict[str, Any]:
    """See :func:`run_with`."""
    return run_with(_done, job, key, folder)


def run_with(do: Do, job: Mapping[str, Any], key: str, folder: str) -> dict[str, Any]:
    """Does a job unless its result is there, and writes the result; an expected failure is a result too.

    Args:
        do: what makes the row of a job, with a folder of its own.
        job: a :class:`Job` as plain data.
        key: its hash.
        folder: of the sweep; made on a machine that does not share it.
    """
    root, one = Path(folder), Job(**job)
    result_path(root, key).parent.mkdir(parents=True, exist_ok=True)
    known = read_result(root, key)
    if known is not None:
        return known
    attempt = _attempt(root, key)
    begin = time.monotonic()
    row, error = {}, None
    try:
        row = do(one, root / "files" / key)
    except EdgeSdkError as problem:
        error = {"type": type(problem).__name__, "message": str(problem), "hint": problem.hint}
    made = {
        "schema": SCHEMA,
        "key": key,
        "job": asdict(one),
        "row": row,
        "error": error,
        "seconds": round(time.monotonic() - begin, 3),
        "attempt": attempt,
    }
    write_bytes(result_path(root, key), result_text(made))
    return made


def result_text(result: Mapping[str, Any]) -> bytes:
    """A result as its file's content."""
    return json.dumps(result, indent=1, sort_keys=True).encode()


def _done(job: Job, folder: Path) -> dict[str, Any]:
    return _optimized(job, folder) if job.evaluation else _converted(job)


def _attempt(folder: Path, key: str) -> int:
    """How often the job was begun, this time included; each beginning leaves a file, whatever ends it."""
    marks = folder / "attempts"
    marks.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        try:
            os.close(os.open(marks / f"{key}.{number}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            number += 1
        else:
            return number


def _converted(job: Job) -> dict[str, Any]:
    """A conversion, compared with its source."""
    with temporary_folder("sweep") as folder:
        file = folder / "model.tflite"
        report = convert(
            job.path,
            file,
            recipe=job.recipe,
            calibration=job.calibration,
            profile=job.profile,
            seed=job.seed,
            timing=job.device == "local",
            keep_unverified=False,
        )
        data = file.read_bytes()
    ms = report.timings[-1].median_us / 1e3 if report.timings else None
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_bytes": len(data),
        "int8_macs": round(report.summary.mac_share("int8"), 6),
        "sqnr_db": _least_sqnr(report.parity),
        "fits": report.fits,
        "memory_bytes": report.check.memory.floor_bytes if report.check else None,
        "latency_ms": ms,
    }


def _least_sqnr(rows: Any) -> float | None:
    """Of the worst output; None where all are equal to the source's."""
    least = min((row.sqnr_db for row in rows), default=float("inf"))
    return None if least == float("inf") else round(float(least), 3)


def _optimized(job: Job, folder: Path) -> dict[str, Any]:
    """A search, or one recipe measured by the same bench."""
    asked = dict(job.settings)
    limits = Limits(asked.pop("max_evals", None))
    options: SearchOptions = {
        "evaluation": job.evaluation,
        "calibration": job.calibration,
        "metric": job.metric,
        "profile": job.profile,
        "on": job.device,
        "timing": job.device is not None,
        "seed": job.seed,
        "budgets": Budgets(**{name: asked.get(name) for name in _BUDGETS}),
        "limits": limits,
        "resume": (folder / "archive.jsonl").exists(),
    }
    if job.recipe != OPTIMIZE:
        options["recipe"] = job.recipe
    return _row(optimize(job.path, folder, **options))


def _row(result: Result) -> dict[str, Any]:
    best: Point | None = result.best
    if best is None or best.file is None or best.score is None:
        return {"fits": False, "why": result.why}
    drop = (best.confirmed or best.score).drop
    return {
        "sha256": best.file.key,
        "chosen": best.recipe.name,
        "size_bytes": best.file.size_bytes,
        "int8_macs": round(best.file.int8_macs, 6),
        "metric": (best.confirmed or best.score).value,
        "drop": drop.value,
        "confirmation": best.confirmation,
        "drop_low": drop.low,
        "drop_high": drop.high,
        "fits": True,
        "memory_bytes": best.file.memory_bytes,
        "latency_ms": best.latency.ms if best.latency else None,
        "evaluations": result.evaluations,
        "why": result.why,
    }
