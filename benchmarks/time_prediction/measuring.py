"""What the networks take here, in turn and over and over until the time is up.

``python -m benchmarks.time_prediction.measuring FOLDER TIMES.jsonl SECONDS`` adds a round's times; a file's time is the
least of its rounds', for what disturbs only adds.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.time_prediction.networks import VARIANTS, names
from edge_sdk.checks.timing.table import Table
from edge_sdk.engines.installed import find_engine
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.source import open_source, source_of
from edge_sdk.measure.calibration.kernels import kernels
from edge_sdk.measure.calibration.running import fastest, sampled
from edge_sdk.measure.clock import Clock
from edge_sdk.measure.statistics import Samples

ANCHORS = ("float32 pointwise 28x28x256-256", "float32 stream 4 MiB", "float32 stream 32 MiB", "float32 stream 128 MiB")
"""Kernels of the table that are timed again with each round of files: arithmetic, and weights from nearer and farther.

On a virtual machine the last cache and the memory are shared with strangers, whom no counter here shows.
"""


def measure(folder: Path, kept: Path, seconds: float, threads: int = 1, most: int | None = None) -> None:
    """Times files, those with the fewest times first, and appends a line each; of ``most`` networks of each family."""
    options, end = DelegateOptions(find_engine(), threads), time.monotonic() + seconds
    files = [f"{name}.{variant}" for _, name in names(most) for variant in VARIANTS]
    count = dict.fromkeys(files, 0) | _counted(kept)
    listed = {one.id: one for one in kernels()}
    while time.monotonic() < end:
        for name in ANCHORS:
            samples, _ = sampled(source_of(listed[name].build(), name=name), options, Clock())
            _keep(kept, name, samples, options)
        for file in sorted(files, key=lambda one: count[one]):
            if time.monotonic() > end:
                return
            samples, _ = sampled(open_source(folder / f"{file}.tflite"), options, Clock())
            _keep(kept, file, samples, options)
            count[file] += 1


def _keep(kept: Path, name: str, samples: Samples, options: DelegateOptions) -> None:
    row = {"file": name, "us": fastest(samples) * 1e3, "median_us": float(np.median(samples)) * 1e3}
    with kept.open("a") as out:
        out.write(json.dumps({**row, "engine": str(options.engine), "threads": options.threads}) + "\n")


def drift(kept: Path, table: Table) -> dict[str, float]:
    """Of each anchor, its median over all rounds over the table's: how far the machine moved between the two."""
    found: dict[str, list[float]] = {}
    for line in kept.read_text().splitlines():
        row = json.loads(line)
        if row["file"] in ANCHORS:
            found.setdefault(row["file"], []).append(row["us"])
    timed = {one.id: one.us for one in table.timed}
    return {name: round(float(np.median(us)) / timed[name], 3) for name, us in found.items() if name in timed}


def _counted(kept: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in kept.read_text().splitlines() if kept.exists() else ():
        file = json.loads(line)["file"]
        found[file] = found.get(file, 0) + 1
    return found


def times_us(kept: Path) -> dict[str, float]:
    """The least time of each file, in microseconds."""
    found: dict[str, float] = {}
    for line in kept.read_text().splitlines():
        row = json.loads(line)
        found[row["file"]] = min(row["us"], found.get(row["file"], row["us"]))
    return found


if __name__ == "__main__":
    measure(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 1)
