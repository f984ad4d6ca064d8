"""The models that searches are compared on, each with its data, made once and kept in a folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.int8 import cases as int8_cases
from benchmarks.models import keras_applications, synthetic, yolo_like
from benchmarks.searching.search import Case

_CALIBRATION, _SAMPLES = 100, 1600
_NUDENET_SIDE, _CROPS = 320, 400


def make(name: str, folder: Path) -> Case:
    """A case by name, with its files in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return CASES[name](name, folder)


def _pretrained(name: str, folder: Path) -> Case:
    """EfficientNet-lite0 with its ImageNet weights, on crops of photographs; without labels."""
    source, calibration, data = folder / "lite0.tflite", folder / "lite0_cal.npz", folder / "lite0_eval.npz"
    if not source.exists():
        from edge_sdk.converters import convert

        convert(f"{int8_cases.__file__}:network", source, timing=False)
    if not data.exists():
        spec = _only_input(source)
        np.savez(calibration, **{spec: int8_cases.crops(_CALIBRATION, 0)[:, None]})
        np.savez(data, **{spec: int8_cases.crops(_SAMPLES, 1)[:, None]})
    return Case(name, str(source), str(data), 1.0, str(calibration))


def _sure(name: str, folder: Path) -> Case:
    """The same on crops that the float file is surer of than 0.5: its other answers turn at any noise."""
    from edge_sdk.engines.runner import Runner

    whole, data = _pretrained(name, folder), folder / "lite0_sure.npz"
    if not data.exists():
        runner, spec = Runner(whole.source), _only_input(Path(whole.source))
        crops = int8_cases.crops(2 * _SAMPLES, 2)[:, None]
        found = np.concatenate([next(iter(runner.run_real({spec: crop}).values())) for crop in crops])
        shares = np.exp(found - found.max(1, keepdims=True))
        sure = shares.max(1) / shares.sum(1) > int8_cases.SURE
        np.savez(data, **{spec: crops[sure][:_SAMPLES]})
    return Case(name, whole.source, str(data), 1.0, whole.calibration)


def _trained(family: str) -> Callable[[str, Path], Case]:
    """A network of Keras Applications, trained in a process of its own; without labels, for int8 loses none of them."""

    def case(name: str, folder: Path) -> Case:
        source, data = folder / f"{family}.keras", folder / f"{family}.npz"
        if not source.exists():
            subprocess.run([sys.executable, "-m", "benchmarks.models.keras_applications", family, source], check=True)
        if not data.exists():
            side = keras_applications.MODELS[family][1]
            images, _ = keras_applications.labelled_pixels(family, side, count=2 * _SAMPLES, seed=1)
            np.savez(data, **{_only_input(source): images})
        return Case(name, str(source), str(data), 1.0)

    return case


def _detector(name: str, folder: Path) -> Case:
    """A detector that nobody trained, on images of nothing in particular: what is kept of each output's power."""
    data = folder / "yolo_like.npz"
    if not data.exists():
        images = synthetic.images((yolo_like.SIDE, yolo_like.SIDE, 3), _SAMPLES // 4, 3)
        np.savez(data, image=images.transpose(0, 3, 1, 2)[:, None].copy())
    parts = ((0, 4), (4, 4 + yolo_like.CLASSES))
    return Case(name, f"{yolo_like.__file__}:yolo_like", str(data), 1.0, parts=parts)


def _trained_detector(name: str, folder: Path) -> Case:
    """The YOLOv8 of nudenet with its weights, on crops of photographs; kept power of boxes and of scores."""
    import onnx

    source, data = int8_cases.folder_of("nudenet") / "320n.onnx", folder / "nudenet.npz"
    graph = onnx.load(source).graph
    if not data.exists():
        crops = (int8_cases.crops(_CROPS, 3, _NUDENET_SIDE) * 128 + 127) / 255
        np.savez(data, **{graph.input[0].name: crops.transpose(0, 3, 1, 2)[:, None].clip(0, 1).copy()})
    rows = graph.output[0].type.tensor_type.shape.dim[1].dim_value
    shapes = {graph.input[0].name: (1, 3, _NUDENET_SIDE, _NUDENET_SIDE)}
    return Case(name, str(source), str(data), 1.0, parts=((0, 4), (4, rows)), shapes=shapes)


def _only_input(source: Path) -> str:
    if source.suffix == ".keras":
        import keras

        return str(keras.saving.load_model(source, compile=False).inputs[0].name)
    from edge_sdk.artifact.model import read_artifact

    return next(iter(read_artifact(source).signature.inputs))


CASES: dict[str, Callable[[str, Path], Case]] = {
    "lite0": _pretrained,
    "lite0_sure": _sure,
    "mobilenet_v2": _trained("mobilenet_v2"),
    "efficientnet": _trained("efficientnet"),
    "yolo_like": _detector,
    "nudenet": _trained_detector,
}
"""By name; those of lite0 and nudenet (that package besides) need the packages of ``int8_cases``."""
