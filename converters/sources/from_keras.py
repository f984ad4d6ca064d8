"""Keras 3 and tf_keras models: ``.keras``, ``.h5``, or in memory."""

from __future__ import annotations

import importlib
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower import Rung
from edge_sdk.converters.lower.by_tensorflow import TensorFunction, save_frozen, tensor_type, write_tflite
from edge_sdk.converters.lower.fake_quant import without_rounding, write_quantized
from edge_sdk.converters.sources import keras_of_old, tfmot
from edge_sdk.converters.sources.source import (
    Description,
    options_from_json,
    quantized_finding,
    stacked_runs,
    write_outputs,
)
from edge_sdk.converters.workers.child import first_line, in_worker
from edge_sdk.data.store import SampleStore
from edge_sdk.errors import MissingDependencyError, ModelError, SignatureError, UntrustedSourceError
from edge_sdk.findings import Finding
from edge_sdk.signature import Arrays, TensorSpec, fix_shapes

_RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN", "RNN"})


class KerasSource:
    """A Keras model of either generation; the file says which one wrote it."""

    preload = ("tensorflow", "keras")

    def __init__(self, source: Any, options: Mapping[str, Any]) -> None:
        self._options = options_from_json(options)
        self._in_memory = not isinstance(source, str | Path)
        loaded = source if self._in_memory else load(Path(source), trust=self._options.trust)
        self._model, self._findings = tfmot.unwrapped(loaded)
        self._keras = importlib.import_module(generation_of(self._model))
        self._call = KerasCall(self._model, self._options.shapes, self._options.dtypes)
        self._open = self._call.inputs
        self._inputs = fix_shapes(self._open, batch=self._options.batch, given=self._options.shapes)
        self._rounds = tfmot.rounds(self._model)
        self._float: TensorFunction = (
            without_rounding(self._call.tensors, self._inputs) if self._rounds else self._call.tensors
        )

    @staticmethod
    def reads(source: object) -> bool:
        """A ``.keras`` or ``.h5`` path, or a model of either generation."""
        if isinstance(source, str | Path):
            return Path(source).suffix in (".keras", ".h5", ".hdf5")
        modules = [base.__module__ for base in type(source).__mro__]
        return any(name.startswith(("keras.src.models", "tf_keras.src.engine.training")) for name in modules)

    def describe(self) -> dict[str, Any]:
        findings = list(self._findings)
        by = "tensorflow-model-optimization" if self._rounds else None
        if by:
            findings.append(quantized_finding(by))
        if self._call.layers_of(_RECURRENT):
            findings.append(
                Finding(
                    "recurrent-layers",
                    "info",
                    f"recurrent layers ({', '.join(self._call.layers_of(_RECURRENT))}) become loops in a float file "
                    "and are unrolled for quantized activations",
                )
            )
        framework = f"{self._keras.__name__} {self._keras.__version__}"
        ports = (self._inputs, self._open, self._call.outputs)
        return Description(framework, *ports, tuple(findings), quantized_by=by).as_json()

    def run(self, samples: str, outputs: str) -> int:
        if self._rounds:
            # What was traced without its rounding has one batch.
            return self._run(samples, outputs, self._float_arrays, can_stack=False)
        can_stack = all(s.shape and s.shape[0] is None for s in self._open) and not self._options.batch
        return self._run(samples, outputs, self._call.arrays, can_stack=can_stack)

    def run_rounded(self, samples: str, outputs: str) -> int:
        """Reference runs of a model that is quantized already, rounding included."""
        return self._run(samples, outputs, self._call.arrays, can_stack=False)

    def _run(self, samples: str, outputs: str, call: Callable[[Arrays], Arrays], *, can_stack: bool) -> int:
        results = stacked_runs(SampleStore.open(samples), call, can_stack=can_stack)
        return write_outputs(results, self._call.outputs, outputs)

    def _float_arrays(self, arrays: Arrays) -> Arrays:
        import tensorflow as tf

        results = self._float(*(tf.constant(arrays[s.name], tensor_type(s.dtype)) for s in self._inputs))
        return {name: tensor.numpy() for name, tensor in zip(self._call.outputs, results, strict=True)}

    def rungs(self, *, static_range: bool) -> list[dict[str, Any]]:
        plain = Rung("TFLiteConverter on a frozen function")
        if self._call.layers_of(_RECURRENT):
            unrolled = Rung("TFLiteConverter with recurrent layers unrolled", {"unroll": True})
            return [asdict(r) for r in ([unrolled, plain] if static_range else [plain, unrolled])]
        return [asdict(plain)]

    def hand_over(self, folder: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        call = self._call
        if settings.get("unroll"):
            call = KerasCall(
                _unrolled(self._keras, self._model, self._inputs), self._options.shapes, self._options.dtypes
            )
        if self._in_memory and not in_worker():
            # TFLiteConverter has crashed on models; the caller's process must not be the one that dies.
            if backend_of(self._keras) == "tensorflow":
                return save_frozen(call.tensors, self._inputs, call.outputs, Path(folder))
            return self._saved_for_tensorflow(Path(folder), settings)
        if not self._rounds:
            return write_tflite(call.tensors, self._inputs, call.outputs, Path(folder))
        handed = write_tflite(self._float, self._inputs, call.outputs, Path(folder))
        return handed | write_quantized(call.tensors, self._inputs, call.outputs, Path(folder))

    def _saved_for_tensorflow(self, folder: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
        """A model on another backend is saved, for a worker to load on TensorFlow."""
        path = folder / "model.keras"
        self._model.save(path)
        return {
            "kind": "source",
            "path": str(path),
            "inputs": {spec.name: spec.name for spec in self._inputs},
            "outputs": {name: name for name in self._call.outputs},
            "shapes": {spec.name: spec.static_shape for spec in self._inputs},
            "settings": dict(settings),
        }


class KerasCall:
    """How to call a model by input name, and what its outputs are called."""

    def __init__(self, model: Any, shapes: Mapping[str, tuple[int, ...]], dtypes: Mapping[str, str]) -> None:
        self._model = model
        self._structure = _structure(model, "input")
        if self._structure is None:
            self.inputs = tuple(TensorSpec(n, s, dtypes.get(n, "float32")) for n, s in shapes.items())
            if not self.inputs:
                raise SignatureError(
                    f"the subclassed model {type(model).__name__} does not say what its inputs are",
                    hint="give them: --input NAME=1,28,28 for each argument of its call()",
                )
        else:
            named = _named(self._structure, [_tensor_name(t) for t in _flat(self._structure)])
            self.inputs = tuple(_spec(name, tensor) for name, tensor in named.items())
        self.outputs = self._output_names()

    def arrays(self, arrays: Arrays) -> Arrays:
        """Runs numpy arrays by input name, without training behaviour."""
        results = self.tensors(*(arrays[spec.name] for spec in self.inputs))
        return {n: _as_numpy(r) for n, r in zip(self.outputs, results, strict=True)}

    def tensors(self, *tensors: Any, training: bool = False) -> list[Any]:
        """Runs tensors in input order; returns the outputs in order."""
        by_name = {spec.name: tensor for spec, tensor in zip(self.inputs, tensors, strict=True)}
        return _flat(self._invoke(by_name, training=training))

    def layers_of(self, kinds: frozenset[str]) -> list[str]:
        """Names of the layers of these classes, nested ones included."""
        found = []
        for layer in _all_layers(self._model):
            inner = getattr(layer, "forward_layer", None) or getattr(layer, "layer", None) or layer
            if type(inner).__name__ in kinds:
                found.append(layer.name)
        return found

    def _invoke(self, by_name: Mapping[str, Any], *, training: bool = False) -> Any:
        values = list(by_name.values())
        if isinstance(self._structure, Mapping):
            return self._model(dict(by_name), training=training)
        if isinstance(self._structure, list | tuple):
            return self._model(values, training=training)
        if self._structure is None and len(values) > 1:
            return self._model(**by_name)
        return self._model(values[0], training=training)

    def _output_names(self) -> tuple[str, ...]:
        structure = _structure(self._model, "output")
        if structure is None:
            example = self._invoke({s.name: _zeros(s) for s in self.inputs})
            return tuple(_named(example, [f"output_{i}" for i in range(len(_flat(example)))]))
        fallback = [_layer_name(t) for t in _flat(structure)]
        return tuple(_named(structure, list(getattr(self._model, "output_names", None) or fallback)))


def _as_numpy(tensor: Any) -> npt.NDArray[Any]:
    """A tensor of any backend."""
    detached = tensor.detach().cpu() if hasattr(tensor, "detach") else tensor
    return np.asarray(detached)


def backend_of(keras: Any) -> str:
    """tf_keras has one backend; Keras 3 has several."""
    return str(keras.backend.backend()) if keras.__name__ == "keras" else "tensorflow"


def _zeros(spec: TensorSpec) -> Any:
    """A tensor of zeros, to see what a subclassed model returns."""
    import tensorflow as tf

    return tf.zeros([extent or 1 for extent in spec.shape], tensor_type(spec.dtype))


def _structure(model: Any, which: str) -> Any:
    """The (possibly nested) symbolic inputs or outputs; None for a subclassed model."""
    try:
        structure = getattr(model, which)
    except (AttributeError, ValueError):
        structure = None
    many = getattr(model, f"{which}s", None)
    if structure is None and many:
        return many[0] if len(many) == 1 else list(many)
    return structure


def _flat(structure: Any) -> list[Any]:
    """Leaves in the structure's own order: a dict's keys as they were put in, not sorted."""
    if isinstance(structure, Mapping):
        return [leaf for value in structure.values() for leaf in _flat(value)]
    if isinstance(structure, list | tuple):
        return [leaf for value in structure for leaf in _flat(value)]
    return [structure]


def _named(structure: Any, names: list[str]) -> dict[str, Any]:
    """Unique name to leaf: keys of a flat dict, else the names given."""
    leaves = _flat(structure)
    if isinstance(structure, Mapping) and len(structure) == len(leaves):
        names = [str(key) for key in structure]
    unique: dict[str, Any] = {}
    for name, leaf in zip(names, leaves, strict=True):
        candidate, repeat = name, 0
        while candidate in unique:
            repeat += 1
            candidate = f"{name}_{repeat}"
        unique[candidate] = leaf
    return unique


def _spec(name: str, tensor: Any) -> TensorSpec:
    dtype = tensor.dtype if isinstance(tensor.dtype, str) else tensor.dtype.name
    shape = tuple(None if extent is None else int(extent) for extent in tensor.shape)
    image = len(shape) == 4 and shape[3] in (1, 3, 4)
    return TensorSpec(name, shape, dtype, "NHWC" if image else None)


def _tensor_name(tensor: Any) -> str:
    return str(tensor.name).split(":")[0]


def _layer_name(tensor: Any) -> str:
    history = getattr(tensor, "_keras_history", None)
    layer = getattr(history, "operation", None) or getattr(history, "layer", None)
    return layer.name if layer is not None else _tensor_name(tensor)


def _all_layers(model: Any) -> Iterator[Any]:
    for layer in getattr(model, "layers", []):
        yield layer
        yield from _all_layers(layer)


def generation_of(model: Any) -> str:
    """``keras`` or ``tf_keras``: the module that the model's class comes from."""
    modules = [base.__module__ for base in type(model).__mro__]
    return "tf_keras" if any(name.startswith("tf_keras.") for name in modules) else "keras"


def _unrolled(keras: Any, model: Any, inputs: Sequence[TensorSpec]) -> Any:
    """The same model with ``unroll=True`` on recurrent layers, weights copied: no loops are left in the graph.

    Inputs of open length get that of ``inputs``: Keras unrolls nothing else.
    """

    def clone(layer: Any) -> Any:
        config = layer.get_config()
        for part in (config, *(config.get(key, {}).get("config", {}) for key in ("layer", "backward_layer"))):
            if "unroll" in part:
                part["unroll"] = True
        return type(layer).from_config(config)

    named = {spec.name: spec for spec in inputs}
    own = [named.get(tensor.name.partition(":")[0], spec) for tensor, spec in zip(model.inputs, inputs, strict=True)]
    is_open = any(None in tuple(tensor.shape)[1:] for tensor in model.inputs)
    given = [keras.Input(batch_shape=(None, *s.static_shape[1:]), dtype=s.dtype, name=s.name) for s in own]
    tensors = _like(model.input, given) if is_open else None
    copy = keras.models.clone_model(model, input_tensors=tensors, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def _like(structure: Any, tensors: Sequence[Any]) -> Any:
    """Tensors as a model's own inputs are given: one, several in a list, or by key."""
    if isinstance(structure, Mapping):
        return dict(zip(structure, tensors, strict=True))
    return list(tensors) if isinstance(structure, list | tuple) else tensors[0]


def load(path: Path, *, trust: bool) -> Any:
    """The model in a file, in this process; refused where loading could run code and ``trust`` does not allow it."""
    version, config = _peek(path)
    if not trust and (names := _lambdas(config)):
        raise UntrustedSourceError(
            f"{path}: holds Lambda layers ({', '.join(names)}), whose code would run when it is loaded",
            hint="pass --trust-source if you wrote this file, or replace them by layers or keras.ops",
        )
    generation = "tf_keras" if version.startswith("2.") else "keras"
    try:
        keras = importlib.import_module(generation)
    except ImportError as error:
        raise MissingDependencyError(generation, extra="keras", why=f"reading {path.name}") from error
    if in_worker():
        # Counters in the names of layers start anew, so that the same source gives the same file.
        keras.backend.clear_session()
    arguments: dict[str, Any] = {"compile": False}
    if path.suffix == ".keras" or generation == "keras":
        arguments["safe_mode"] = not trust
    try:
        with tfmot.known_to_keras(config), keras_of_old.known_to_keras(keras, config):
            return keras.models.load_model(str(path), **arguments)
    except MissingDependencyError:
        raise
    except Exception as error:  # Keras raises anything on a damaged or foreign file
        raise ModelError(
            f"{path}: Keras {keras.__version__} cannot load it (written by Keras {version or 'unknown'}): "
            f"{first_line(error)}",
            hint="for layers of your own, write a file.py:function that imports them and returns the loaded model",
        ) from error


def _peek(path: Path) -> tuple[str, Any]:
    """The Keras version that wrote the file, and the model's configuration, without loading anything."""
    return _peek_keras(path) if path.suffix == ".keras" else _peek_h5(path)


def _peek_keras(path: Path) -> tuple[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            if (bad := archive.testzip()) is not None:
                raise ModelError(f"{path}: its member {bad} is damaged", hint="copy or save the file again")
            metadata = json.loads(archive.read("metadata.json"))
            return str(metadata.get("keras_version", "")), json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        raise ModelError(f"{path}: not a whole .keras file: {error}", hint="copy or save the file again") from error


def _peek_h5(path: Path) -> tuple[str, Any]:
    try:
        import h5py
    except ImportError as error:
        raise MissingDependencyError("h5py", extra="keras", why=f"reading {path.name}") from error
    try:
        with h5py.File(path, "r") as file:
            version, config = file.attrs.get("keras_version", ""), file.attrs.get("model_config")
    except OSError as error:
        raise ModelError(f"{path}: not a whole HDF5 file: {first_line(error)}") from error
    if config is None:
        raise ModelError(
            f"{path}: holds weights but no model",
            hint="save the whole model with model.save(), or write a file.py:function that builds it and loads them",
        )
    return _text(version), json.loads(_text(config))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _lambdas(config: Any) -> list[str]:
    """Names of all Lambda layers and of anything else that carries marshalled code."""
    found = []
    if isinstance(config, dict):
        inner = config.get("config")
        if config.get("class_name") in ("Lambda", "__lambda__"):
            return [str(inner.get("name", "lambda")) if isinstance(inner, dict) else "lambda"]
        found += [name for value in config.values() for name in _lambdas(value)]
    elif isinstance(config, list):
        found += [name for value in config for name in _lambdas(value)]
    return found
