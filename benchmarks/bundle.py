"""What a bundle costs to open against the bare .tflite, both hashed and checked; and what it takes of the heap."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.models import keras_applications
from edge_sdk.artifact import read_artifact
from edge_sdk.bundle.reading import open_bundle
from edge_sdk.converters.bundling import convert_bundle

_SIDE, _SAMPLES = 224, 100
_RECIPES = ("float32", "float16", "int8")
# In a new process: what was not imported yet is part of it; numpy and the file reader are there in both.
_FIRST = """
import sys, time, numpy, edge_sdk.artifact.model
from pathlib import Path
begin = time.perf_counter()
if sys.argv[2]:
    from edge_sdk.bundle.reading import open_bundle
    open_bundle(sys.argv[1]).artifact(sys.argv[2])
else:
    from edge_sdk.artifact.model import read_artifact
    read_artifact(sys.argv[1])
print(time.perf_counter() - begin)
"""


def rows(cache: Path, rounds: int) -> list[dict[str, Any]]:
    """A row for each variant of MobileNetV2; the ways are taken in turn.

    Args:
        cache: where files are kept.
        rounds: of each way; a twentieth of them in processes of their own.
    """
    path = _bundle(cache)
    made = []
    with open_bundle(path) as bundle:
        for variant in bundle.manifest.variants:
            bare = cache / f"bundle_{variant.id}.tflite"
            bare.write_bytes(bundle.model(variant.id))
            made.append(
                {"variant": variant.id, "size_bytes": variant.size_bytes} | _row(path, bare, variant.id, rounds)
            )
    return made


def _row(path: Path, bare: Path, variant: str, rounds: int) -> dict[str, Any]:
    def from_bundle() -> None:
        with open_bundle(path) as bundle:
            bundle.artifact(variant)

    ways = {"bare": lambda: read_artifact(bare), "bundle": from_bundle}
    took: dict[str, list[float]] = {name: [] for name in ways}
    for place in range(rounds):
        for name in (*ways,) if place % 2 else reversed((*ways,)):
            took[name].append(_seconds(ways[name]))
    first = {"bare": [], "bundle": []}  # type: dict[str, list[float]]
    for _ in range(max(3, rounds // 20)):
        first["bare"].append(_first(bare, ""))
        first["bundle"].append(_first(path, variant))
    median = {name: 1000 * statistics.median(values) for name, values in took.items()}
    return {
        "bare_ms": round(median["bare"], 2),
        "bundle_ms": round(median["bundle"], 2),
        "ratio": round(median["bundle"] / median["bare"], 3),
        "first_bare_ms": round(1000 * statistics.median(first["bare"]), 1),
        "first_bundle_ms": round(1000 * statistics.median(first["bundle"]), 1),
        "heap_bare_kib": _heap_kib(ways["bare"]),
        "heap_bundle_kib": _heap_kib(from_bundle),
    }


def _bundle(cache: Path) -> Path:
    cache.mkdir(parents=True, exist_ok=True)
    path, model = cache / "bundle.edge", cache / "latency_mobilenet_v2.keras"
    if not model.exists():
        keras_applications.untrained("mobilenet_v2", _SIDE).save(model)
    if not path.exists():
        images = keras_applications.labelled_pixels("mobilenet_v2", _SIDE, count=_SAMPLES, seed=1)[0]
        # Untrained: there is nothing to agree on, and a random network may fall short of the bound.
        given: Any = {"calibration": list(images), "timing": False, "keep_unverified": True}
        convert_bundle(str(model), path, recipes=_RECIPES, bundle={"profiles": ["pixel-8"]}, **given)
    return path


def _seconds(way: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    way()
    return time.perf_counter() - begin


def _first(path: Path, variant: str) -> float:
    command = [sys.executable, "-c", _FIRST, str(path), variant]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _heap_kib(way: Callable[[], Any]) -> int:
    """The most that Python and numpy held at once; a map is not heap."""
    tracemalloc.start()
    try:
        way()
        return tracemalloc.get_traced_memory()[1] // 1024
    finally:
        tracemalloc.stop()
