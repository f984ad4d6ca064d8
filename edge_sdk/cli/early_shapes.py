"""Shapes and types of data against a model whose inputs can be read without its toolchain, in the first second.

What cannot be read so is left to the toolchain, which looks at the same things later.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edge_sdk.errors import EdgeSdkError

# Weights in an .onnx file are read with the rest of it.
_ONNX_BYTES = 1 << 28


def check_shapes(source: str, *data: str | None) -> None:
    """Whether arrays in .npz and .npy files are what the inputs of their names take.

    Args:
        source: a path; anything else passes.
        data: paths; None and all that is no such file pass.

    Raises:
        CalibrationError: one is not.
    """
    files = [Path(one) for one in data if one and Path(one).suffix in (".npz", ".npy") and Path(one).is_file()]
    specs = _inputs(Path(source)) if files else ()
    if not specs:
        return
    from edge_sdk.data.arrays import array_files
    from edge_sdk.data.opening import count_samples

    for path in files:
        arrays = array_files(path)
        if path.suffix == ".npy" and len(specs) == 1:
            arrays = {specs[0].name: arrays[""]}
        for spec in specs:
            found = arrays.get(spec.name)
            known = _filled(spec, found.shape) if found else None
            if found and known:
                count_samples(str(path), found, known)


def _filled(spec: Any, shape: tuple[int, ...]) -> Any:
    """The input with its open extents as the data has them; None where the data does not tell."""
    from edge_sdk.signature import TensorSpec

    if not spec.shape or (None in spec.shape[1:] and len(shape) != len(spec.shape)):
        return None
    batch = spec.shape[0] or 1
    rest = [given if extent is None else extent for extent, given in zip(spec.shape[1:], shape[1:], strict=False)]
    rest += spec.shape[1 + len(rest) :]
    return TensorSpec(spec.name, (batch, *rest), spec.dtype, spec.layout)


def _inputs(source: Path) -> tuple[Any, ...]:
    """Inputs by name, open extents as None; none where they cannot be read cheaply."""
    readers = {".keras": _of_keras, ".onnx": _of_onnx, ".tflite": _of_tflite}
    reader = readers.get(source.suffix)
    return tuple(reader(source)) if reader and source.is_file() else ()


def _of_keras(source: Path) -> Iterator[Any]:
    """Top-level input layers in the archive's ``config.json``."""
    from edge_sdk.signature import TensorSpec

    plain = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")
    try:
        with zipfile.ZipFile(source) as archive:
            layers = json.loads(archive.read("config.json"))["config"]["layers"]
        for layer in layers:
            config = layer["config"]
            # A policy of types, or a type that numpy has not: Keras itself says what it takes.
            if layer["class_name"] == "InputLayer" and config["dtype"] in plain:
                shape = tuple(config.get("batch_shape") or config["batch_input_shape"])
                yield TensorSpec(config["name"], shape, config["dtype"], "NHWC" if len(shape) == 4 else None)
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, OSError):
        # Another kind of model, or damaged: Keras itself says which.
        return


def _of_onnx(source: Path) -> Iterator[Any]:
    """Inputs of the graph that are no weights."""
    if source.stat().st_size > _ONNX_BYTES or not find_spec("onnx"):
        return
    import onnx
    from google.protobuf.message import DecodeError

    from edge_sdk.signature import TensorSpec

    try:
        graph = onnx.load(str(source), load_external_data=False).graph
    except DecodeError:
        return
    weights = {one.name for one in graph.initializer}
    for value in graph.input:
        kind = value.type.tensor_type
        if value.name in weights or not kind.HasField("shape"):
            continue
        shape = tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim)
        dtype = str(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
        yield TensorSpec(value.name, shape, dtype, "NCHW" if len(shape) == 4 else None)


def _of_tflite(source: Path) -> Iterator[Any]:
    from edge_sdk.artifact.model import read_artifact
    from edge_sdk.signature import TensorSpec

    try:
        inputs = read_artifact(source).signature.inputs
    except EdgeSdkError:
        return
    for name, tensor in inputs.items():
        if tensor.quantization:
            continue  # real values are taken as well as its own integers
        shape = tuple(None if extent < 0 else extent for extent in tensor.shape_signature or tensor.shape)
        yield TensorSpec(name, shape, tensor.dtype, "NHWC" if len(shape) == 4 else None)
