"""Latency of int8 files on this machine's CPU: edge-sdk's, TFLiteConverter's own and float, from the same model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.int8.quantizing import PLAIN, int8_of
from benchmarks.models import keras_applications, torch_timed
from edge_sdk.artifact import read_artifact
from edge_sdk.artifact.summary import float_ops
from edge_sdk.converters import convert
from edge_sdk.engines.values import specs_of
from edge_sdk.measure.side_by_side import time_side_by_side

Array = npt.NDArray[np.float32]
_SIDE, _SAMPLES = 224, 16
FAMILIES = ("mobilenet", "mobilenet_v2", "mobilenet_v3", "efficientnet", "resnet", "densenet", "nasnet")
TORCH = ("mobilenet_v3_small", "mobilenet_v3_large", "vit", "efficientnet_lite0")
_SCRIPT = Path(__file__).parent / "by_hand" / "keras_int8.py"


def row(family: str, cache: Path, *, seconds: float) -> dict[str, Any]:
    """The files of one family at 224x224, timed in turn on one thread.

    Args:
        family: key of the Keras models, or one of :data:`TORCH`; weights are initial ones, for the values do not
            change the time.
        cache: where files are kept.
        seconds: to measure for.
    """
    plain, ours, source = files(family, cache)
    by_hand, candidate, base = time_side_by_side([str(plain), str(ours), str(source)], seconds=seconds)
    return {
        "model": f"{keras_applications.MODELS[family][0] if family in FAMILIES else family} {_SIDE}x{_SIDE}",
        "by_hand_us": round(by_hand.median_us),
        "ours_us": round(candidate.median_us),
        "float_us": round(base.median_us),
        "ratio": round(candidate.ratio, 3),
        "ratio_95": [round(candidate.ratio_low, 3), round(candidate.ratio_high, 3)],
        "rounds": candidate.rounds,
        "engine": candidate.engine,
        "float_ops": len(float_ops(read_artifact(ours))),
        "float_ops_by_hand": len(float_ops(read_artifact(plain))),
    }


def files(family: str, cache: Path) -> tuple[Path, Path, Path]:
    """The int8 files of one family at 224x224, by hand and by edge-sdk, and the float file.

    A Keras model goes through TFLiteConverter by hand; of a PyTorch model, which that does not take, its quantizer gets
    our float file and extremes.
    """
    cache.mkdir(parents=True, exist_ok=True)
    by_hand, ours, source = (cache / f"latency_{family}_{way}.tflite" for way in ("by_hand", "ours", "float"))
    if not (by_hand.exists() and ours.exists() and source.exists()):
        model, images = _keras(family, cache) if family in FAMILIES else _torch(family)
        convert(model, source, recipe="float32", timing=False)
        # Untrained: there is nothing to agree on, and a random network may fall short of the bound.
        convert(model, ours, recipe="int8", calibration=list(images), timing=False, keep_unverified=True)
        if family in FAMILIES:
            samples = cache / f"latency_{family}.npy"
            np.save(samples, images)
            subprocess.run([sys.executable, "-W", "ignore", str(_SCRIPT), model, samples, by_hand], check=True)
        else:
            _plain(source, by_hand, images)
    return by_hand, ours, source


def _keras(family: str, cache: Path) -> tuple[str, Array]:
    model = cache / f"latency_{family}.keras"
    if not model.exists():
        keras_applications.untrained(family, _SIDE).save(model)
    return str(model), keras_applications.labelled_pixels(family, _SIDE, count=_SAMPLES, seed=1)[0]


def _torch(family: str) -> tuple[str, Array]:
    images = keras_applications.labelled_pixels("mobilenet", _SIDE, count=_SAMPLES, seed=1)[0]
    return f"{torch_timed.__file__}:{family}", images.transpose(0, 3, 1, 2)


def _plain(source: Path, target: Path, images: Array) -> None:
    """TFLiteConverter's quantizer on a float .tflite of one image input, with extremes and none of our forms."""
    ((name, shape),) = ((s.name, s.static_shape) for s in specs_of(read_artifact(source).signature.inputs))
    laid = [one[None] if one[None].shape == shape else one[None].transpose(0, 2, 3, 1) for one in images]
    with TemporaryDirectory() as folder:
        made = Path(folder) / "plain.tflite"
        int8_of(source, made, [{name: one} for one in laid], **PLAIN)
        target.write_bytes(made.read_bytes())
