"""Time as a budget: candidates are lowered and timed against the whole model, in one run, on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_sdk.converters.train.lowering import lower
from edge_sdk.converters.train.stage import Context
from edge_sdk.converters.workers.workshop import Workers
from edge_sdk.folders import make_folder

_SECONDS = 1.0


class TimedBudget:
    """Float files of candidates against that of the whole model; use it as a context manager.

    Args:
        context: says how to lower.
        model: the whole model.
    """

    def __init__(self, context: Context, model: Any) -> None:
        self._context = context
        self._model = model
        self._count = 0

    def __enter__(self) -> TimedBudget:
        self._options = dict(self._context.source_options)
        self._own = None if "workers" in self._options else Workers()
        self._options.setdefault("workers", self._own)
        self._folder = make_folder("prune")
        self._base = self._lowered(self._model)
        return self

    def __exit__(self, *_: object) -> None:
        if self._own:
            self._own.__exit__()
        shutil.rmtree(self._folder, ignore_errors=True)

    def ratio(self, candidate: Any) -> float:
        """Time of a run of the candidate over that of the whole model: medians of one interleaved run."""
        return ratios(self._options["workers"], (self._base, self._lowered(candidate)), _SECONDS)[1]

    def _lowered(self, model: Any) -> Path:
        self._count += 1
        path = self._folder / f"{self._count}.tflite"
        lower(self._context.framework.convertible(model), path, self._options)
        return path


def ratios(workers: Any, paths: Sequence[Path], seconds: float) -> list[float]:
    """Median time of each file over the first one's, of one interleaved run in a worker."""
    rows = workers.get("engine").function(
        "edge_sdk.converters.proving.candidate:timings",
        "measuring latency",
        paths=[str(path) for path in paths],
        seconds=seconds,
    )
    return [float(row["ratio"]) for row in rows]
