"""Models in formats that no front end reads: what each is, and the way from it to one that is read."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

_BUILD = "write a file.py:function that builds the model, loads the weights and returns it (PyTorch: with its inputs)"
_EXPORT = "export the model that it was made from, by the tool that made it, as .onnx"
_FORMATS: dict[str, tuple[str, str]] = {
    ".safetensors": ("holds weights but no model", _BUILD),
    ".npz": ("holds arrays but no model", _BUILD),
    ".gguf": ("is a language model of llama.cpp: weights without a graph", _BUILD),
    ".ort": ("is ONNX Runtime's own form of a model", "give the .onnx file that it was made from"),
    ".mlmodel": ("is a Core ML model", _EXPORT),
    ".mlpackage": ("is a Core ML model", _EXPORT),
    ".pdmodel": ("is a PaddlePaddle model", "paddle2onnx makes an .onnx of it"),
    ".pdiparams": ("holds a PaddlePaddle model's weights", "paddle2onnx makes an .onnx of it and its .pdmodel"),
    ".caffemodel": ("is a Caffe model", _EXPORT),
    ".prototxt": ("is a Caffe model's graph", _EXPORT),
    ".param": ("is an ncnn model's graph", _EXPORT),
    ".mnn": ("is an MNN model", _EXPORT),
    ".xml": ("is OpenVINO's form of a model", "give the model that it was made from"),
    ".engine": ("is a TensorRT engine, compiled for one GPU", "give the model that it was made from"),
    ".meta": (
        "is a graph of TensorFlow 1, its weights in a checkpoint beside it",
        "freeze it to a .pb, or save a SavedModel",
    ),
    ".index": ("lists a checkpoint of TensorFlow: weights but no model", _BUILD),
}
_TFJS = {
    "layers-model": (
        "is a layers model of TensorFlow.js",
        "tensorflowjs_converter --input_format=tfjs_layers_model --output_format=keras_saved_model makes a SavedModel",
    ),
    "graph-model": ("is a graph model of TensorFlow.js", "give the SavedModel or frozen graph that it was made from"),
}


def foreign(path: Path) -> tuple[str, str] | None:
    """What a file is, and a hint; None where its suffix says nothing.

    Args:
        path: a file or folder that no front end reads.
    """
    if path.suffix == ".json":
        return _tensorflow_js(path)
    return _FORMATS.get(path.suffix.lower())


def _tensorflow_js(path: Path) -> tuple[str, str] | None:
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, OSError):
        return None
    if not isinstance(found, dict) or "weightsManifest" not in found:
        return None
    topology = found.get("modelTopology")
    graph = isinstance(topology, dict) and "node" in topology
    return _TFJS.get(str(found.get("format")), _TFJS["graph-model" if graph else "layers-model"])


def pickled(path: Path) -> tuple[str, str] | None:
    """What a ``.pt`` or ``.pth`` archive is, where it is more than a pickle: a program with code of its own."""
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        names = [name.partition("/")[2] for name in archive.namelist()]
    if ".data/extern_modules" in names:
        return (
            "is a torch.package: modules with their code, which loading it runs",
            "write a file.py:function that loads it by torch.package.PackageImporter, and returns a module and inputs",
        )
    if "constants.pkl" in names and any(name.startswith("code/") for name in names):
        return (
            "is a TorchScript program",
            "export the module that it was made from: torch.onnx.export, or torch.export.save to a .pt2",
        )
    return None
