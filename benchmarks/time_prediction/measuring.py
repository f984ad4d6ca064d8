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
from edge_sdk.engines.installed import find_engine
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.source import open_source
from edge_sdk.measure.calibration.running import fastest, sampled
from edge_sdk.measure.clock import Clock


def measure(folder: Path, kept: Path, seconds: float, threads: int = 1, most: int | None = None) -> None:
    """Times files, those with the fewest times first, and appends a line each; of ``most`` networks of each family."""
    options, end = DelegateOptions(find_engine(), threads), time.monotonic() + seconds
    files = [f"{name}.{variant}" for _, name in names(most) for variant in VARIANTS]
    count = dict.fromkeys(files, 0) | _counted(kept)
    while time.monotonic() < end:
        for file in sorted(files, key=lambda one: count[one]):
            if time.monotonic() > end:
                return
            samples, _ = sampled(open_source(folder / f"{file}.tflite"), options, Clock())
            with kept.open("a") as out:
                row = {"file": file, "us": fastest(samples) * 1e3, "median_us": float(np.median(samples)) * 1e3}
                out.write(json.dumps({**row, "engine": str(options.engine), "threads": threads}) + "\n")
            count[file] += 1


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
