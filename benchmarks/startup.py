"""What it costs to start: ``edge-sdk --version`` and ``--help`` against ``python -c pass``, in turn."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_PROGRAM = str(Path(sys.executable).parent / "edge-sdk")
_COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "edge-sdk --version": [_PROGRAM, "--version"],
    "edge-sdk --help": [_PROGRAM, "--help"],
    "edge-sdk convert --help": [_PROGRAM, "convert", "--help"],
}


def rows(rounds: int) -> list[dict[str, Any]]:
    """Median milliseconds of each command, and how many more than Python alone."""
    took: dict[str, list[float]] = {name: [] for name in _COMMANDS}
    for _ in range(rounds):
        for name, command in _COMMANDS.items():
            begin = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            took[name].append(time.perf_counter() - begin)
    median = {name: 1000 * statistics.median(values) for name, values in took.items()}
    base = median["python -c pass"]
    return [
        {"command": name, "median_ms": round(value, 1), "more_ms": round(value - base, 1)}
        for name, value in median.items()
    ]
