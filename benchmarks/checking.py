"""How long `check` takes after all imports: reading the file, every delegate, memory, runtimes."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.models import keras_applications
from edge_sdk.artifact import read_artifact
from edge_sdk.checks.checking import check
from edge_sdk.converters import convert
from edge_sdk.profile.reading import find_profile

_PROFILES = ("pixel-8", "raspberry-pi-4", "coral-usb")
_SIDE = 224


def rows(cache: Path, rounds: int) -> list[dict[str, Any]]:
    """Median seconds for MobileNetV2-224 in int8 on three devices; the file is that of the latency benchmark."""
    path = cache / "latency_mobilenet_v2_ours.tflite"
    if not path.exists():
        _make(path, cache)
    return [_row(path, profile, rounds) for profile in _PROFILES]


def _make(path: Path, cache: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    model = cache / "latency_mobilenet_v2.keras"
    images = keras_applications.labelled_pixels("mobilenet_v2", _SIDE, count=100, seed=1)[0]
    if not model.exists():
        keras_applications.untrained("mobilenet_v2", _SIDE).save(model)
    convert(str(model), path, recipe="int8", calibration=list(images), timing=False, keep_unverified=True)


def _row(path: Path, profile: str, rounds: int) -> dict[str, Any]:
    device = find_profile(profile)
    took = []
    for _ in range(rounds):
        begin = time.perf_counter()
        check(read_artifact(path), device)
        took.append(time.perf_counter() - begin)
    return {"model": "MobileNetV2-224, int8", "profile": profile, "median_s": round(statistics.median(took), 3)}
