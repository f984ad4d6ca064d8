"""Latency of int8 files on this machine's CPU: edge-sdk's against TFLiteConverter's own, from the same Keras model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models import keras_applications
from edge_sdk.artifact import read_artifact
from edge_sdk.artifact.summary import float_ops
from edge_sdk.converters import convert
from edge_sdk.runtime.timing import time_side_by_side

_SIDE, _SAMPLES = 224, 100
FAMILIES = ("mobilenet", "mobilenet_v2", "mobilenet_v3", "resnet")
_SCRIPT = Path(__file__).parent / "by_hand" / "keras_int8.py"


def row(family: str, cache: Path, *, seconds: float) -> dict[str, Any]:
    """Both files of one family at 224x224, timed in turn on one thread.

    Args:
        family: key of the Keras models; weights are Keras's initial ones, for the values do not change the time.
        cache: where files are kept.
        seconds: to measure for.
    """
    by_hand, ours = files(family, cache)
    base, candidate = time_side_by_side([str(by_hand), str(ours)], seconds=seconds)
    return {
        "model": f"{keras_applications.MODELS[family][0]} {_SIDE}x{_SIDE}",
        "by_hand_us": round(base.median_us),
        "ours_us": round(candidate.median_us),
        "ratio": round(candidate.ratio, 3),
        "ratio_95": [round(candidate.ratio_low, 3), round(candidate.ratio_high, 3)],
        "rounds": candidate.rounds,
        "engine": candidate.engine,
        "float_ops": len(float_ops(read_artifact(ours))),
        "float_ops_by_hand": len(float_ops(read_artifact(by_hand))),
    }


def files(family: str, cache: Path) -> tuple[Path, Path]:
    """The int8 files of one family at 224x224, by hand and by edge-sdk."""
    cache.mkdir(parents=True, exist_ok=True)
    model, samples = cache / f"latency_{family}.keras", cache / f"latency_{family}.npy"
    images = keras_applications.labelled_pixels(family, _SIDE, count=_SAMPLES, seed=1)[0]
    if not model.exists():
        keras_applications.untrained(family, _SIDE).save(model)
        np.save(samples, images)
    by_hand, ours = cache / f"latency_{family}_by_hand.tflite", cache / f"latency_{family}_ours.tflite"
    subprocess.run([sys.executable, "-W", "ignore", str(_SCRIPT), model, samples, by_hand], check=True)
    # Untrained: there is nothing to agree on, and a random network may fall short of the bound.
    convert(str(model), ours, recipe="int8", calibration=list(images), timing=False, keep_unverified=True)
    return by_hand, ours
