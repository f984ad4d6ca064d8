"""Data that a model cannot take is told before a toolchain is imported, where its inputs can be read without one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.cli.early import check_shapes
from edge_sdk.cli.early.inputs import inputs_of
from edge_sdk.data.images import ImageOptions
from edge_sdk.errors import CalibrationError, SignatureError

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


def h5(folder: Path) -> Path:
    """As Keras writes it, without weights: inputs by name, as a dict."""
    import h5py

    layer = {"class_name": "InputLayer", "config": {"batch_shape": [None, 8, 8, 3], "dtype": "float32", "name": "in"}}
    config = {"layers": [layer], "input_layers": {"image": ["in", 0, 0]}}
    with h5py.File(folder / "m.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": config})
    return folder / "m.h5"


def program(folder: Path) -> Path:
    """As torch.export writes it: a weight, the input, and a batch that is open."""
    weight = {"parameter": {"arg": {"name": "p_weight"}, "parameter_name": "weight"}}
    sizes = [{"as_expr": {"expr_str": "s0"}}, {"as_int": 8}, {"as_int": 8}, {"as_int": 3}]
    module = {
        "signature": {"input_specs": [weight, {"user_input": {"arg": {"as_tensor": {"name": "image"}}}}]},
        "graph": {"tensor_values": {"image": {"dtype": 7, "sizes": sizes}, "p_weight": {"dtype": 7, "sizes": []}}},
        "module_call_graph": [{"fqn": "", "signature": {"forward_arg_names": ["image"]}}],
    }
    with zipfile.ZipFile(folder / "m.pt2", "w") as archive:
        archive.writestr("m/models/model.json", json.dumps({"graph_module": module}))
        archive.writestr("m/data/weights/model_weights_config.json", "{}")
    return folder / "m.pt2"


def message(*fields: tuple[int, bytes | int]) -> bytes:
    """What protobuf's encoding has on the wire: numbers below 128, and bytes."""
    parts = []
    for place, value in fields:
        if isinstance(value, int):
            parts.append(bytes([place << 3, value]))
        else:
            length = [len(value) & 127 | 128, len(value) >> 7] if len(value) > 127 else [len(value)]
            parts.append(bytes([place << 3 | 2, *length]) + value)
    return b"".join(parts)


def saved_model(folder: Path) -> Path:
    """A graph that is passed over, and one signature; an open extent is -1, in ten bytes."""
    extents = [b"\x08" + b"\xff" * 9 + b"\x01", *(message((1, extent)) for extent in (8, 8, 3))]
    info = message((1, b"image:0"), (2, 1), (3, message(*((2, extent) for extent in extents))))
    inputs = message((1, message((1, b"image"), (2, info))))
    signatures = message((1, b"serving_default"), (2, inputs))
    graph = message((2, b"\x0a\x03abc"), (5, signatures))
    (folder / "saved").mkdir()
    (folder / "saved/saved_model.pb").write_bytes(message((1, 1), (2, graph)))
    return folder / "saved"


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


MAKERS = [
    keras,
    tflite,
    program,
    pytest.param(h5, marks=pytest.mark.keras),
    pytest.param(onnx, marks=pytest.mark.onnx),
    pytest.param(saved_model, marks=pytest.mark.onnx),  # protobuf comes with it
]


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
    check_shapes(str(source), "data.py:function", None)
    check_shapes(str(source), data(tmp_path, (5, 9)), asked={"fixed": {"image": (0.0,)}})
    file = source / "saved_model.pb" if source.is_dir() else source
    file.write_bytes(file.read_bytes()[:40])
    check_shapes(str(source), data(tmp_path, (5, 9)))
    check_shapes("model.py:make", data(tmp_path, (5, 9)))


@pytest.mark.parametrize("make", MAKERS[1:])
def test_arrays_of_other_names_are_told(make: Callable[[Path], Path], tmp_path: Path) -> None:
    source = str(make(tmp_path))
    with pytest.raises(CalibrationError, match="`imag` is not an input of the model, did you mean `image`") as caught:
        check_shapes(source, data(tmp_path, (5, 8, 8, 3), name="imag"))
    assert "image: float32[" in str(caught.value.hint)
    with pytest.raises(CalibrationError, match="no array for input `image`; it has labels"):
        check_shapes(source, data(tmp_path, (5,), name="labels"), with_targets=True)
    np.savez(tmp_path / "both.npz", image=np.zeros((5, 8, 8, 3), "float32"), labels=np.zeros(5))
    check_shapes(source, str(tmp_path / "both.npz"), with_targets=True)


@pytest.mark.images
def test_images_are_told_that_a_model_cannot_take(tmp_path: Path) -> None:
    from PIL import Image

    photos = tmp_path / "photos"
    (photos / "cat").mkdir(parents=True)
    Image.new("RGB", (20, 10)).save(photos / "cat" / "one.jpg")
    for make in (h5, program, tflite):
        check_shapes(str(make(tmp_path)), str(photos), str(photos / "cat" / "one.jpg"))
    source = str(h5(tmp_path))
    with pytest.raises(CalibrationError, match=r"image mean has 2 values, but input `image` has 3 channels"):
        check_shapes(source, str(photos), asked={"images": ImageOptions(mean=(0.5, 0.5))})
    (photos / "cat" / "aaa.jpg").write_bytes(b"no picture")
    with pytest.raises(CalibrationError, match=r"aaa\.jpg: not a readable image"):
        check_shapes(source, str(photos))
    shutil.rmtree(photos / "cat")
    with pytest.raises(CalibrationError, match="no images in this folder"):
        check_shapes(source, str(photos))


@pytest.mark.images
def test_images_are_refused_for_what_takes_none(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (20, 10)).save(tmp_path / "one.jpg")
    config: dict[str, Any] = {"input_layers": [["a", 0, 0], ["b", 0, 0]], "layers": []}
    for name in "ab":
        layer = {"batch_shape": [None, 16], "dtype": "float32", "name": name}
        config["layers"].append({"class_name": "InputLayer", "config": layer})
    path = tmp_path / "m.keras"
    for expected in ("feeds one input, but the model has 2", r"input `a` has shape \[\?, 16\]"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps({"config": config}))
        with pytest.raises(CalibrationError, match=expected):
            check_shapes(str(path), str(tmp_path / "one.jpg"))
        config["layers"].pop()
        config["input_layers"].pop()


def test_a_shape_that_contradicts_is_told(tmp_path: Path) -> None:
    source = str(program(tmp_path))
    check_shapes(source, data(tmp_path, (4, 8, 8, 3)), asked={"shapes": {"image": (2, 8, 8, 3)}})
    with pytest.raises(CalibrationError, match="5 rows for input `image` do not fill batches of 2"):
        check_shapes(source, data(tmp_path, (5, 8, 8, 3)), asked={"shapes": {"image": (2, 8, 8, 3)}})
    with pytest.raises(SignatureError, match=r"expected shape \[\?, 8, 8, 3\], got \[1, 9, 8, 3\]"):
        check_shapes(source, data(tmp_path, (5, 8, 8, 3)), asked={"shapes": {"image": (1, 9, 8, 3)}})


@pytest.mark.onnx
def test_floats_of_other_widths_are_fed_as_float32(tmp_path: Path) -> None:
    import onnx as library

    model = library.load(onnx(tmp_path))
    model.graph.input[0].type.tensor_type.elem_type = library.TensorProto.FLOAT16
    library.save(model, tmp_path / "m.onnx")
    check_shapes(str(tmp_path / "m.onnx"), data(tmp_path, (5, 8, 8, 3)))


@pytest.mark.keras
@pytest.mark.torch
@pytest.mark.slow
def test_what_frameworks_write_is_read(tmp_path: Path) -> None:
    """Keys and numbers of fields are theirs: a version that changes them is seen here."""
    script = (
        "import os\nos.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'\nimport keras, tf_keras, torch\n"
        "for library, end in ((keras, ''), (tf_keras, '2')):\n"
        "    image = library.Input((8, 8, 3), name='image')\n"
        "    model = library.Model({'image': image}, library.layers.Flatten()(image))\n"
        "    model.save(f'm{end}.keras')\n    model.save(f'm{end}.h5')\n    model.export(f's{end}')\n"
        "class Net(torch.nn.Module):\n    def forward(self, image):\n        return image + 1\n"
        "torch.export.save(torch.export.export(Net(), (torch.zeros(1, 8, 8, 3),)), 'm.pt2')\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, cwd=tmp_path)
    for name in ("m.keras", "m2.keras", "m.h5", "m2.h5", "s", "m.pt2"):
        found = inputs_of(tmp_path / name)
        assert found, name
        assert found.all_are_here, name
        assert [(one.name, one.shape[1:], one.dtype) for one in found.specs] == [("image", (8, 8, 3), "float32")], name


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
