"""Data that a model cannot take is told before a toolchain is imported, where its inputs can be read without one."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.cli.early_shapes import check_shapes
from edge_sdk.errors import CalibrationError

TAKES = (1, 8, 8, 3)


def keras(folder: Path) -> Path:
    """An archive as Keras 3 writes it, without weights; and a layer of tf_keras."""
    layers = [
        {"class_name": "InputLayer", "config": {"batch_shape": [None, 8, 8, 3], "dtype": "float32", "name": "image"}},
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None], "dtype": "int32", "name": "place"}},
        {"class_name": "Conv2D", "config": {"name": "conv"}},
    ]
    with zipfile.ZipFile(folder / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Functional", "config": {"layers": layers}}))
    return folder / "m.keras"


def tflite(folder: Path) -> Path:
    from tests.graphs import conv_model

    (folder / "m.tflite").write_bytes(conv_model())
    return folder / "m.tflite"


def onnx(folder: Path) -> Path:
    """With a batch that has a name, and a weight among the inputs, as old exporters write them."""
    import onnx as library
    from onnx import TensorProto, helper, numpy_helper

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 8, 8, 3])
    weight = helper.make_tensor_value_info("weight", TensorProto.FLOAT, [3])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    graph = helper.make_graph(
        [helper.make_node("Mul", ["image", "weight"], ["out"])],
        "graph",
        [image, weight],
        [out],
        [numpy_helper.from_array(np.ones(3, np.float32), "weight")],
    )
    library.save(helper.make_model(graph), folder / "m.onnx")
    return folder / "m.onnx"


MAKERS = [keras, tflite, pytest.param(onnx, marks=pytest.mark.onnx)]


def data(folder: Path, shape: tuple[int, ...], dtype: str = "float32", name: str = "image") -> str:
    np.savez(folder / "x.npz", **{name: np.zeros(shape, dtype)})
    return str(folder / "x.npz")


@pytest.mark.parametrize("make", MAKERS)
def test_what_a_model_does_not_take_is_told(make: Callable[[Path], Path], tmp_path: Path) -> None:
    source = str(make(tmp_path))
    taken: tuple[tuple[int, ...], ...] = ((5, 8, 8, 3), (5, 1, 8, 8, 3))
    for shape in taken:
        check_shapes(source, data(tmp_path, shape), None)
    refused: tuple[tuple[int, ...], ...] = ((5, 8, 8, 1), (5, 3, 8, 8), (5, 8, 8), (5, 192))
    for shape in refused:
        with pytest.raises(CalibrationError, match=r"`image` expects \[\?, 8, 8, 3\]"):
            check_shapes(source, None, data(tmp_path, shape))
    with pytest.raises(CalibrationError, match="expects float32, got uint8"):
        check_shapes(source, data(tmp_path, (5, 8, 8, 3), "uint8"))


@pytest.mark.parametrize("make", MAKERS)
def test_what_is_not_known_is_left_to_the_toolchain(make: Callable[[Path], Path], tmp_path: Path) -> None:
    source = make(tmp_path)
    check_shapes(str(source), data(tmp_path, (5, 9), name="other"))
    check_shapes(str(source), "data.py:function", str(tmp_path))
    source.write_bytes(source.read_bytes()[:40])
    check_shapes(str(source), data(tmp_path, (5, 9)))
    check_shapes("model.py:make", data(tmp_path, (5, 9)))


def test_open_extents_are_the_datas(tmp_path: Path) -> None:
    layer = {
        "class_name": "InputLayer",
        "config": {"batch_shape": [None, None, 4], "dtype": "float32", "name": "image"},
    }
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {"layers": [layer]}}))
    check_shapes(str(tmp_path / "m.keras"), data(tmp_path, (5, 17, 4)))
    with pytest.raises(CalibrationError, match=r"\[\?, 17, 4\]"):
        check_shapes(str(tmp_path / "m.keras"), data(tmp_path, (5, 17, 3)))


def test_no_toolchain_is_imported(tmp_path: Path) -> None:
    source, samples = keras(tmp_path), data(tmp_path, (5, 8, 8, 1))
    script = (
        "import sys\nfrom edge_sdk.cli import cli\n"
        f"try:\n    cli(['convert', {str(source)!r}, '-r', 'int8', '--calibration', {samples!r}])\n"
        "except SystemExit as ended:\n    assert ended.code == 1, ended.code\n"
        "assert not {'tensorflow', 'keras', 'torch', 'onnx'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "error: " in done.stderr
    assert "expects [?, 8, 8, 3]" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.keras", "x.npz"]
