"""ONNX to a float .tflite by onnx2tf, run in process of a worker, offline, on a graph prepared here.

onnx2tf 1.x is called for its Keras model only: saving SavedModels is most of its time, its float file has no
signature unless asked, and it downloads calibration images for every three-channel input. 2.x writes the float file
itself ("flatbuffer_direct").
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.artifact.model import Artifact, read_artifact
from edge_sdk.converters.lower import onnx_graph
from edge_sdk.converters.lower.by_tensorflow import write_tflite
from edge_sdk.converters.workers.child import running, tool_version, working_in
from edge_sdk.engines.runner import Runner
from edge_sdk.errors import ConversionError, MissingDependencyError, UnsupportedOpError
from edge_sdk.signature import TensorSpec, spec_from_json

_TO_NHWC = (0, 2, 3, 1)


def lower(
    path: str,
    folder: str,
    inputs: Mapping[str, Mapping[str, Any]],
    outputs: Mapping[str, str],
    layout: str,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Lowers an ONNX file whose inputs and outputs have plain names.

    Args:
        path: the .onnx file; it is not changed.
        folder: where to work and to write.
        inputs: name in the file to the source's input, as plain data, with a static shape.
        outputs: name in the file to the source's output name.
        layout: ``nhwc`` moves channels of image inputs last, ``source`` leaves every input as it is.
        settings: flags of ``onnx2tf.convert``.

    Returns:
        A hand-over of kind ``tflite``; ``axes`` of an input or output says how the source's array is transposed to
        the file's.

    Raises:
        UnsupportedOpError: lists all ops that cannot be lowered.
        ConversionError: onnx2tf or TFLiteConverter failed.
    """
    try:
        import onnx
        import onnx2tf
    except ImportError as error:
        raise MissingDependencyError("onnx2tf", extra="onnx", why="lowering an ONNX graph") from error

    specs = {name: spec_from_json(spec) for name, spec in inputs.items()}
    with running("onnx", "reading the graph"):
        model = onnx.load(path)
    onnx_graph.check_ops(model, _known_ops(onnx2tf))
    with running("onnxsim", "folding constants"):
        model = onnx_graph.with_static_shapes(model, {n: s.static_shape for n, s in specs.items()})
    model = onnx_graph.with_gelu_form(model)
    ready = Path(folder) / "ready.onnx"
    onnx.save(model, str(ready))
    images = onnx_graph.image_inputs(model) if layout == "nhwc" else frozenset()
    kept = [name for name in specs if name not in images]
    moved_inputs = {name: list(_TO_NHWC) if name in images else None for name in specs}
    way = _directly if settings.get("tflite_backend") == "flatbuffer_direct" else _by_keras
    handed = way(onnx2tf, model, ready, outputs, _Wanted(specs, kept, settings, layout))
    for port, name in zip(handed["inputs"], specs, strict=True):
        port["name"], port["axes"] = specs[name].name, moved_inputs[name]
    handed["tool"] = ", ".join(filter(None, [f"onnx2tf {tool_version('onnx2tf')}", handed["tool"]]))
    return handed


@dataclass(frozen=True)
class _Wanted:
    """What is asked of onnx2tf: inputs by name in the file, those that keep their layout, and its own flags."""

    specs: Mapping[str, TensorSpec]
    kept: Sequence[str]
    settings: Mapping[str, Any]
    layout: str

    def artifact_inputs(self) -> list[TensorSpec]:
        """The inputs as the .tflite will have them."""
        return [_laid_out(spec, image=name not in self.kept) for name, spec in self.specs.items()]


def _by_keras(onnx2tf: Any, model: Any, ready: Path, outputs: Mapping[str, str], wanted: _Wanted) -> dict[str, Any]:
    """Through onnx2tf's Keras model and TFLiteConverter."""
    keras_model = _run(onnx2tf, ready, wanted, disable_model_save=True)
    moved = getattr(keras_model, "onnx_output_layouts", {})
    plan = {v.name: _output_axes(_rank(v) if moved.get(v.name) else 0, wanted.layout) for v in model.graph.output}
    adapter = _Adapter(keras_model, list(wanted.specs), plan)
    handed = write_tflite(adapter, wanted.artifact_inputs(), list(outputs.values()), ready.parent)
    for port, name in zip(handed["outputs"], outputs, strict=True):
        port["axes"] = plan[name]["axes"]
    return handed


def _directly(onnx2tf: Any, model: Any, ready: Path, outputs: Mapping[str, str], wanted: _Wanted) -> dict[str, Any]:
    """Through onnx2tf 2's own writer, which keeps names, and leaves image outputs in one layout or the other."""
    _run(onnx2tf, ready, wanted)
    (path,) = (ready.parent / "onnx2tf").glob("*_float32.tflite")
    artifact = read_artifact(path)
    _refuse_custom_ops(artifact)
    signature = artifact.signature
    shapes = {value.name: tuple(d.dim_value for d in value.type.tensor_type.shape.dim) for value in model.graph.output}
    ports = []
    for name, source_name in outputs.items():
        tensor = signature.outputs[name]
        ports.append({"name": source_name, "tensor": tensor.index, "axes": _found_axes(shapes[name], tensor.shape)})
    if any(_is_ambiguous(shapes[name]) for name in outputs):
        _settle_ambiguous(ready, path, wanted, outputs, ports)
    return {
        "kind": "tflite",
        "path": str(path),
        "inputs": [{"name": name, "tensor": signature.inputs[name].index, "axes": None} for name in wanted.specs],
        "outputs": ports,
        "tool": "",
    }


def _refuse_custom_ops(artifact: Artifact) -> None:
    """It writes an op that TFLite lacks as a custom op, which no runtime has."""
    custom = [
        (op.name.removeprefix("CUSTOM:"), artifact.main.tensors[op.outputs[0]].name, "written as a custom op")
        for op in artifact.main.ops
        if op.name.startswith("CUSTOM:")
    ]
    if custom:
        raise UnsupportedOpError(
            f"{len(custom)} ops have no TFLite form: {', '.join(sorted({name for name, _, _ in custom}))}",
            ops=custom,
            hint="replace them in the source model",
        )


def _found_axes(source: tuple[int, ...], file: tuple[int, ...]) -> list[int] | None:
    if source == file or len(source) != 4:
        return None
    return list(_TO_NHWC) if tuple(source[axis] for axis in _TO_NHWC) == file else None


def _is_ambiguous(shape: tuple[int, ...]) -> bool:
    """Whether NCHW and NHWC have the same extents, so that a shape cannot tell which it is."""
    return len(shape) == 4 and tuple(shape[axis] for axis in _TO_NHWC) == shape


def _settle_ambiguous(
    ready: Path, path: Path, wanted: _Wanted, outputs: Mapping[str, str], ports: list[dict[str, Any]]
) -> None:
    """Tells the layout of outputs with equal extents by their values on one random input."""
    import onnxruntime

    generator = np.random.default_rng(0)
    runner = Runner(path, xnnpack=False)
    feeds = {name: generator.random(spec.static_shape).astype(spec.dtype) for name, spec in wanted.specs.items()}
    expected = onnxruntime.InferenceSession(str(ready), providers=["CPUExecutionProvider"]).run(list(outputs), feeds)
    moved = {n: v if n in wanted.kept else np.ascontiguousarray(v.transpose(_TO_NHWC)) for n, v in feeds.items()}
    got = runner.run(moved)
    for port, name, reference in zip(ports, outputs, expected, strict=True):
        if _is_ambiguous(reference.shape):
            error = {
                axes: float(np.abs(np.transpose(reference, axes) - got[name]).max())
                for axes in ((0, 1, 2, 3), _TO_NHWC)
            }
            port["axes"] = list(_TO_NHWC) if error[_TO_NHWC] < error[0, 1, 2, 3] else None


def _run(onnx2tf: Any, ready: Path, wanted: _Wanted, **flags: Any) -> Any:
    import tf_keras

    # Counters in the names of layers start anew, so that the same graph gives the same file.
    tf_keras.backend.clear_session()
    with running("onnx2tf", "lowering the graph"), _offline(), working_in(ready.parent):
        return onnx2tf.convert(
            input_onnx_file_path=str(ready),
            output_folder_path=str(ready.parent / "onnx2tf"),
            keep_shape_absolutely_input_names=list(wanted.kept) or None,
            # Done before, in process: onnx2tf calls a program of that name, and goes on when it finds none.
            not_use_onnxsim=True,
            non_verbose=True,
            **wanted.settings,
            **flags,
        )


class _Adapter:
    """Calls onnx2tf's Keras model by input name, and puts back the layout of outputs that are no images.

    Before: a rank-3 output of a Conv comes out (batch, time, channels). After: (batch, channels, time), as in ONNX.
    """

    def __init__(self, model: Any, inputs: Sequence[str], plan: Mapping[str, Mapping[str, Any]]) -> None:
        self._model = model
        self._order = [str(tensor.name).split(":")[0] for tensor in model.inputs]
        self._inputs = list(inputs)
        self._plan = list(plan.values())
        if sorted(self._order) != sorted(self._inputs):
            raise ConversionError(
                f"onnx2tf changed the inputs: expected {self._inputs}, got {self._order}",
                tool="onnx2tf",
                version=tool_version("onnx2tf"),
            )

    def __call__(self, *tensors: Any) -> list[Any]:
        import tensorflow as tf

        by_name = dict(zip(self._inputs, tensors, strict=True))
        ordered = [by_name[name] for name in self._order]
        results = self._model(ordered if len(ordered) > 1 else ordered[0], training=False)
        flat = list(results) if isinstance(results, list | tuple) else [results]
        return [
            tf.transpose(tensor, step["restore"]) if step["restore"] else tensor
            for tensor, step in zip(flat, self._plan, strict=True)
        ]


def _output_axes(rank: int, layout: str) -> dict[str, Any]:
    """What happens to an output that onnx2tf moved to channels-last: images stay so, others are moved back."""
    if rank < 3:
        return {"axes": None, "restore": None}
    if rank == 4 and layout == "nhwc":
        return {"axes": list(_TO_NHWC), "restore": None}
    return {"axes": None, "restore": [0, rank - 1, *range(1, rank - 1)]}


def _laid_out(spec: TensorSpec, *, image: bool) -> TensorSpec:
    shape = spec.static_shape
    moved = tuple(shape[axis] for axis in _TO_NHWC) if image else shape
    return TensorSpec(spec.name, moved, spec.dtype)


def _rank(value: Any) -> int:
    tensor = value.type.tensor_type
    return len(tensor.shape.dim) if tensor.HasField("shape") else 0


def _known_ops(onnx2tf: Any) -> list[str]:
    folder = Path(onnx2tf.__file__).parent / "ops"
    return [module.name for module in pkgutil.iter_modules([str(folder)])]


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """onnx2tf 1.x fetches 20 photographs for a trial run of the graph; noise of that shape serves as well."""
    module: Any = importlib.import_module("onnx2tf.onnx2tf")
    original = getattr(module, "download_test_image_data", None)
    noise = np.random.default_rng(0).random((20, 128, 128, 3), np.float32)
    if original is not None:
        module.download_test_image_data = lambda: noise
    try:
        yield
    finally:
        if original is not None:
            module.download_test_image_data = original
