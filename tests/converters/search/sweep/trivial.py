"""Jobs that take no time, for what runs them: each notes its process, and that nobody else holds its device."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_sdk.converters.search.sweep.jobs import Job, run_with
from edge_sdk.errors import ConversionError


def act(job: Mapping[str, Any], key: str, folder: str) -> dict[str, Any]:
    """As ``run_job``."""
    return run_with(_row, job, key, folder)


def _row(job: Job, folder: Path) -> dict[str, Any]:
    busy = folder.parent / "busy"
    busy.mkdir(parents=True, exist_ok=True)
    held = os.open(busy / "device", os.O_CREAT | os.O_EXCL | os.O_WRONLY) if job.device else None
    (busy / f"pid-{os.getpid()}").touch()
    try:
        time.sleep(0.02)
        if job.source.endswith("7"):
            raise ConversionError(f"{job.source} cannot be converted")
        return {"size_bytes": len(job.source), "fits": True, "metric": 0.5}
    finally:
        if held is not None:
            os.close(held)
            (busy / "device").unlink()


def jobs(count: int, device: str | None = None) -> list[tuple[str, Job]]:
    """Keyed jobs."""
    return [
        (f"{place:04d}", Job(f"source_{place}", f"{place}.tflite", "float16", device=device)) for place in range(count)
    ]
