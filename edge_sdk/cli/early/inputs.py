"""Inputs of a model, read from its file without its toolchain: in milliseconds, or not at all."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sdk.cli.early import programs, saved_models
from edge_sdk.errors import EdgeSdkError
from edge_sdk.signature import TensorSpec

if TYPE_CHECKING:
    from edge_sdk.artifact.model import Artifact

# Weights in an .onnx file are read with the rest of it.
_ONNX_BYTES = 1 << 28
_CHANNELS = (1, 3, 4)
_PLAIN = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")


@dataclass(frozen=True)
class Inputs:
    """What a model takes.

    Attributes:
        specs: inputs with open extents as None.
        all_are_here: whether these are all inputs, under the names that a conversion will give them.
    """

    specs: tuple[TensorSpec, ...]
    all_are_here: bool


def inputs_of(source: Path, signature: str | None = None) -> Inputs | None:
    """The inputs as far as they can be read cheaply; None where nothing can.

    Args:
        source: a path.
        signature: key of one of several; read of a SavedModel alone.
    """
    if (source / "saved_model.pb").is_file():
        specs = saved_models.inputs(source / "saved_model.pb", signature)
        return Inputs(specs, all_are_here=True) if specs else None
    if signature:
        return None
    reader = _READERS.get(source.suffix)
    found = reader(source) if reader and source.is_file() else None
    return found if found and found.specs else None


def _of_keras(source: Path) -> Inputs | None:
    """Of the archive's ``config.json``."""
    try:
        with zipfile.ZipFile(source) as archive:
            return _of_layers(json.loads(archive.read("config.json")))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError):
        return None  # damaged: Keras itself says how


def _of_h5(source: Path) -> Inputs | None:
    """Of the attribute ``model_config``; h5py is the toolchain's, and takes a tenth of a second."""
    if not find_spec("h5py"):
        return None
    import h5py

    try:
        with h5py.File(source, "r") as file:
            config = file.attrs["model_config"]
        return _of_layers(json.loads(config))
    except (KeyError, ValueError, TypeError, OSError):
        return None  # weights alone, or damaged


def _of_layers(model: Any) -> Inputs | None:
    """Top-level input layers of a Keras model's configuration, of either generation."""
    try:
        config = model["config"]
        found = {spec.name: spec for layer in config["layers"] for spec in _of_input_layer(layer)}
        named = _names_of(config.get("input_layers"))
    except (KeyError, TypeError, ValueError):
        return None  # another kind of model: Keras itself says which
    if named and set(named.values()) == found.keys():
        return Inputs(tuple(_renamed(found[layer], name) for name, layer in named.items()), all_are_here=True)
    return Inputs(tuple(found.values()), all_are_here=False)


def _of_input_layer(layer: Mapping[str, Any]) -> Iterator[TensorSpec]:
    config = layer["config"]
    # A policy of types, or a type that numpy has not: Keras itself says what it takes.
    if layer["class_name"] == "InputLayer" and config["dtype"] in _PLAIN:
        shape = tuple(config.get("batch_shape") or config["batch_input_shape"])
        image = len(shape) == 4 and shape[3] in _CHANNELS
        yield TensorSpec(config["name"], shape, config["dtype"], "NHWC" if image else None)


def _names_of(structure: Any) -> dict[str, str]:
    """Name of an input to its layer, of ``input_layers``: one ``[layer, 0, 0]``, a list of them, or a dict.

    Empty where it is nested otherwise.
    """
    if isinstance(structure, Mapping):
        return {str(key): value[0] for key, value in structure.items() if isinstance(value[0], str)}
    if isinstance(structure, list) and structure and isinstance(structure[0], str):
        structure = [structure]
    if isinstance(structure, list) and all(isinstance(one, list) and isinstance(one[0], str) for one in structure):
        return {one[0]: one[0] for one in structure}
    return {}


def _renamed(spec: TensorSpec, name: str) -> TensorSpec:
    return TensorSpec(name, spec.shape, spec.dtype, spec.layout)


def _of_program(source: Path) -> Inputs | None:
    """Of a ``torch.export`` archive."""
    found = programs.inputs(source)
    return Inputs(found[0], all_are_here=found[1]) if found else None


def _of_onnx(source: Path) -> Inputs | None:
    """Inputs of the graph that are no weights."""
    if source.stat().st_size > _ONNX_BYTES or not find_spec("onnx"):
        return None
    import onnx
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load(str(source), load_external_data=False).graph
    except DecodeError:
        return None
    weights = {one.name for one in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    specs = tuple(_of_value(value) for value in inputs if value.type.tensor_type.HasField("shape"))
    return Inputs(specs, all_are_here=len(specs) == len(inputs))


def _of_value(value: Any) -> TensorSpec:
    import onnx

    kind = value.type.tensor_type
    # Paddle's exporter writes -1 for an open one.
    shape = tuple(d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else None for d in kind.shape.dim)
    dtype = str(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
    # Other floats are computed, and fed, in float32.
    dtype = "float32" if dtype in ("float16", "bfloat16", "float64") else dtype
    image = len(shape) == 4 and shape[1] in _CHANNELS and dtype in ("float32", "uint8")
    return TensorSpec(value.name, shape, dtype, "NCHW" if image else None)


def _of_tflite(source: Path) -> Inputs | None:
    from edge_sdk.artifact.model import read_artifact

    try:
        artifact: Artifact = read_artifact(source)
    except EdgeSdkError:
        return None
    inputs = artifact.signature.inputs
    # Real values are taken as well as its own integers.
    specs = tuple(_of_tensor(name, tensor) for name, tensor in inputs.items() if not tensor.quantization)
    return Inputs(specs, all_are_here=len(specs) == len(inputs))


def _of_tensor(name: str, tensor: Any) -> TensorSpec:
    shape = tuple(None if extent < 0 else extent for extent in tensor.shape_signature or tensor.shape)
    image = len(shape) == 4 and shape[3] in _CHANNELS
    return TensorSpec(name, shape, tensor.dtype, "NHWC" if image else None)


_READERS: dict[str, Callable[[Path], Inputs | None]] = {
    ".keras": _of_keras,
    ".h5": _of_h5,
    ".hdf5": _of_h5,
    ".pt2": _of_program,
    ".onnx": _of_onnx,
    ".tflite": _of_tflite,
}
