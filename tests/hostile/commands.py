"""Commands that start other programs or write files, on small models made by code; what ends them is others' affair."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.graphs import conv_model, int8_model

_KERAS = """
def model():
    import keras
    layers = [keras.layers.Input((8, 8, 3), batch_size=1, name="image"), keras.layers.Conv2D(4, 3)]
    return keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(5)])
"""
_TORCH = """
def model():
    import torch
    layers = [torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 5)]
    return torch.nn.Sequential(*layers).eval(), (torch.zeros(1, 3, 8, 8),)
"""
_PLAN = 'sources = { conv = "m.tflite" }\nrecipes = ["float16", "dynamic"]\n'
_INT8 = ("-r", "int8", "--trust-source", "-o", "{out}/a.tflite", "--calibration")
COMMANDS: dict[str, Sequence[str]] = {
    "run": ("run", "{model}", "--input", "{samples}", "-o", "{out}/y.npz"),
    "bundle": ("bundle", "create", "{model}", "-o", "{out}/a.edge"),
    "compare": ("compare", "{model}", "{model}"),
    "benchmark": ("benchmark", "{model}", "--runs", "10", "--seconds", "0.1"),
    "tflite": ("convert", "{model}", "-r", "float16", "-o", "{out}/a.tflite"),
    "keras": ("convert", "{keras}:model", *_INT8, "{samples}"),
    "torch": ("convert", "{torch}:model", *_INT8, "{planes}"),
    "onnx": ("convert", "{onnx}", *_INT8, "{planes}"),
    "train": (
        *("convert", "{keras}:model", "-r", "qat", "--train-data", "{labelled}", "--loss", "cross_entropy"),
        *("--epochs", "1", "--no-timing", "--trust-source", "-o", "{out}/a.tflite"),
    ),
    "optimize": ("optimize", "{model}", "--eval", "{samples}", "--budget", "20s", "-o", "{out}/best"),
    "sweep": ("sweep", "{plan}", "--jobs", "2", "-o", "{out}/plan.sweep"),
    "compile": ("compile", "{int8}", "--profile", "imx93", "-o", "{out}/a.tflite"),
    "android": ("android", "build", "--bundle", "{model}", "--abi", "arm64-v8a", "-o", "{out}/a.apk"),
}


def filled(command: Sequence[str], folder: Path, out: Path) -> list[str]:
    """The words with the paths of the files that they name, which are made.

    Args:
        command: of :data:`COMMANDS`.
        folder: for what is read.
        out: for what is written.
    """
    draw = np.random.default_rng(0)
    image = draw.standard_normal((64, 8, 8, 3)).astype(np.float32)
    (folder / "m.tflite").write_bytes(conv_model())
    (folder / "i.tflite").write_bytes(int8_model())
    for name, text in (("k.py", _KERAS), ("t.py", _TORCH), ("plan.toml", _PLAN)):
        (folder / name).write_text(text)
    np.savez(folder / "x.npz", image=image)
    np.savez(folder / "p.npz", input=image.transpose(0, 3, 1, 2))
    np.savez(folder / "l.npz", image=image, label=draw.integers(0, 5, 64))
    names = {"model": "m.tflite", "int8": "i.tflite", "keras": "k.py", "torch": "t.py", "plan": "plan.toml"}
    names |= {"samples": "x.npz", "labelled": "l.npz", "planes": "p.npz", "onnx": "o.onnx"}
    if any("{onnx}" in word for word in command):
        _write_onnx(folder / "o.onnx")
    places = {name: folder / file for name, file in names.items()}
    return [word.format(**places, out=out) for word in command]


def _write_onnx(path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "weights")
    x = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 8, 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 6, 6])
    graph = helper.make_graph([helper.make_node("Conv", ["input", "weights"], ["y"])], "g", [x], [y], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
