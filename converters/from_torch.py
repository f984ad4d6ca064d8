"""PyTorch models: ``nn.Module`` with example inputs, ``torch.export`` programs, and ``.pt2`` files."""

from __future__ import annotations

import contextlib
import inspect
import linecache
import traceback
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from edge_sdk.converters.lower import torch_lowerings
from edge_sdk.converters.source import Description, Rung, options_from_json, stacked_runs, write_outputs
from edge_sdk.converters.worker_main import first_line, running
from edge_sdk.data.store import SampleStore
from edge_sdk.errors import MissingDependencyError, ModelError, SignatureError, UntrustedSourceError
from edge_sdk.findings import Finding
from edge_sdk.signature import Arrays, TensorSpec, fix_shapes

_IMAGE_CHANNELS = (1, 3, 4)


class TorchSource:
    """A PyTorch model with the inputs it is called with, always run and exported in eval mode."""

    preload = ("torch", "torch.onnx", "onnxscript")
    lowering_preload = ("tensorflow", "onnx2tf")

    def __init__(self, source: Any, options: Mapping[str, Any]) -> None:
        self._options = options_from_json(options)
        model, examples = _model_and_examples(source, trust=self._options.trust)
        self._was_training = bool(getattr(model, "training", False))
        self._model = model
        self._module = model.module() if _is_exported(model) else model
        self._open = _open_inputs(model, self._module, examples, self._options)
        self._inputs = fix_shapes(self._open, batch=self._options.batch, given=self._options.shapes)
        self._outputs: tuple[str, ...] = tuple(self._call(self._zeros(examples)))

    @staticmethod
    def reads(source: object) -> bool:
        """A ``.pt2`` path, a module or exported program, or ``(module, example inputs)``."""
        if isinstance(source, str | Path):
            return Path(source).suffix == ".pt2"
        first = source[0] if isinstance(source, tuple) and source else source
        modules = {f"{base.__module__}.{base.__name__}" for base in type(first).__mro__}
        return bool(
            modules & {"torch.nn.modules.module.Module", "torch.export.exported_program.ExportedProgram"}
        )

    def describe(self) -> dict[str, Any]:
        import torch

        findings = []
        if self._was_training:
            findings.append(
                Finding("torch-eval-mode", "info", "the module was in training mode; it is converted in eval mode")
            )
        description = Description(
            f"torch {torch.__version__}", self._inputs, self._open, self._outputs, tuple(findings)
        )
        return description.as_json()

    def run(self, samples: str, outputs: str) -> int:
        results = stacked_runs(SampleStore.open(samples), self._arrays, can_stack=False)
        return write_outputs(results, self._outputs, outputs)

    def rungs(self, static_range: bool) -> list[dict[str, Any]]:
        rungs = torch_lowerings(self._options.lowering, self._has_recurrent_layers(), static_range)
        return [asdict(rung) for rung in rungs]

    def hand_over(self, folder: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        with _eval_mode(self._module):
            if settings["lowering"] == "litert-torch":
                from edge_sdk.converters.lower.by_litert_torch import write_tflite

                return write_tflite(
                    _Positional(self._module, self._inputs, self._outputs),
                    self._inputs,
                    self._outputs,
                    Path(folder),
                    layout=self._options.layout,
                )
            return self._export_onnx(Path(folder), settings)

    def _export_onnx(self, folder: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
        import torch

        path = folder / "model.onnx"
        wrapped = _Positional(self._module, self._inputs, self._outputs).eval()
        examples = tuple(self._zeros(None).values())
        names = {
            "input_names": [f"edge_in_{i}" for i in range(len(self._inputs))],
            "output_names": [f"edge_out_{i}" for i in range(len(self._outputs))],
        }
        if settings["exporter"] == "dynamo":
            program = _exported(wrapped, examples)
            with running("torch", "exporting to ONNX"):
                torch.onnx.export(
                    program, (), str(path), opset_version=settings["opset"], external_data=False, **names
                )
        else:
            # Fused attention has no ONNX form in this exporter.
            torch.backends.mha.set_fastpath_enabled(False)
            with running("torch", "exporting to ONNX by tracing"), _traced_faithfully():
                torch.onnx.export(
                    wrapped, examples, str(path), opset_version=settings["opset"], dynamo=False, **names
                )
        return {
            "kind": "onnx",
            "path": str(path),
            "inputs": {f"edge_in_{i}": spec.as_json() for i, spec in enumerate(self._inputs)},
            "outputs": {f"edge_out_{i}": name for i, name in enumerate(self._outputs)},
            "layout": self._options.layout,
            "settings": dict(settings["onnx2tf"]),
        }

    def _arrays(self, arrays: Arrays) -> Arrays:
        import torch

        tensors = {name: torch.from_numpy(values.copy()) for name, values in arrays.items()}
        return {name: t.detach().cpu().numpy() for name, t in self._call(tensors).items()}

    def _call(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        import torch

        with torch.no_grad(), _eval_mode(self._module), running("torch", "running the model"):
            return _named_outputs(self._module(**tensors))

    def _zeros(self, examples: Mapping[str, Any] | None) -> dict[str, Any]:
        """Inputs of the fixed shapes: the examples where they have that shape, else zeros."""
        import torch

        found = {}
        for spec in self._inputs:
            example = (examples or {}).get(spec.name)
            fits = example is not None and tuple(example.shape) == spec.static_shape
            found[spec.name] = example if fits else torch.zeros(spec.static_shape, dtype=_torch_dtype(spec.dtype))
        return found

    def _has_recurrent_layers(self) -> bool:
        import torch

        if any(isinstance(m, torch.nn.RNNBase) for m in self._module.modules()):
            return True
        graph = getattr(self._module, "graph", None)
        return graph is not None and any(
            node.op == "call_function" and str(node.target).split(".")[1:2] in (["lstm"], ["gru"])
            for node in graph.nodes
        )


def _positional_class() -> Any:
    """An ``nn.Module`` made on use, for torch is not imported with this file."""
    import torch

    class Positional(torch.nn.Module):
        """Calls a model with positional tensors by input name; returns its outputs as a flat tuple."""

        def __init__(self, model: Any, inputs: Sequence[TensorSpec], outputs: Sequence[str]) -> None:
            super().__init__()
            self.model = model
            self.names = [spec.name for spec in inputs]
            self.results = list(outputs)

        def forward(self, *tensors: Any) -> Any:
            results = _named_outputs(self.model(**dict(zip(self.names, tensors, strict=True))))
            return tuple(results[name] for name in self.results)

    return Positional


def _Positional(model: Any, inputs: Sequence[TensorSpec], outputs: Sequence[str]) -> Any:  # noqa: N802
    return _positional_class()(model, inputs, outputs)


def _model_and_examples(source: Any, *, trust: bool) -> tuple[Any, dict[str, Any]]:
    """The model, and example inputs by name (empty where there are none)."""
    if isinstance(source, str | Path):
        source = _load(Path(source), trust=trust)
    examples: Any = None
    if isinstance(source, tuple):
        if len(source) != 2:
            raise ModelError(f"expected (module, example inputs), got a tuple of {len(source)}")
        source, examples = source
    if _is_exported(source):
        positional, keyword = source.example_inputs or ((), {})
        module = source.module()
    else:
        positional, keyword = _as_call(examples)
        module = source
    return source, _bind(module, positional, keyword)


def _as_call(examples: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if examples is None:
        return (), {}
    if isinstance(examples, Mapping):
        return (), dict(examples)
    return (tuple(examples), {}) if isinstance(examples, tuple | list) else ((examples,), {})


def _bind(module: Any, positional: tuple[Any, ...], keyword: Mapping[str, Any]) -> dict[str, Any]:
    """Example tensors by the names of forward's parameters."""
    import torch

    try:
        bound = inspect.signature(module.forward).bind(*positional, **keyword).arguments
    except TypeError as error:
        raise SignatureError(
            f"the example inputs do not fit {type(module).__name__}.forward{inspect.signature(module.forward)}: {error}"
        ) from error
    flat: dict[str, Any] = {}
    for name, value in bound.items():
        parameter = inspect.signature(module.forward).parameters.get(name)
        if parameter is not None and parameter.kind is parameter.VAR_KEYWORD:
            flat.update(value)
        elif parameter is not None and parameter.kind is parameter.VAR_POSITIONAL:
            raise SignatureError(
                f"forward(*{name}) has no input names", hint="give the parameters names, or pass a wrapper module"
            )
        elif value is not None:
            flat[name] = value
    tensors = {name: torch.as_tensor(value) for name, value in flat.items() if not isinstance(value, list | tuple | dict)}
    if nested := sorted(set(flat) - set(tensors)):
        raise SignatureError(
            f"input `{nested[0]}` is a {type(flat[nested[0]]).__name__} of tensors",
            hint="wrap the model in a module whose forward takes plain tensors",
        )
    return tensors


def _open_inputs(
    model: Any, module: Any, examples: Mapping[str, Any], options: Any
) -> tuple[TensorSpec, ...]:
    """Specs of all inputs: open dimensions of an exported program, else the first dimension of a batch of one."""
    import torch

    if not examples:
        if not options.shapes:
            raise SignatureError(
                f"the module {type(module).__name__} comes without example inputs, so its shapes are not known",
                hint="return (model, {'name': tensor}) from the function, or give --input NAME=1,3,224,224",
            )
        dtypes = options.dtypes
        examples = {
            name: torch.zeros(shape, dtype=_torch_dtype(dtypes.get(name, "float32")))
            for name, shape in options.shapes.items()
        }
    specs = [_spec(name, tensor) for name, tensor in examples.items()]
    if not _is_exported(model):
        return tuple(replace(s, shape=(None, *s.shape[1:])) if s.shape and s.shape[0] == 1 else s for s in specs)
    placeholders = {n.name: n.meta["val"] for n in model.graph.nodes if n.op == "placeholder" and "val" in n.meta}
    return tuple(_with_symbols(spec, placeholders.get(spec.name)) for spec in specs)


def _with_symbols(spec: TensorSpec, meta: Any) -> TensorSpec:
    if meta is None:
        return spec
    return replace(spec, shape=tuple(e if isinstance(e, int) else None for e in meta.shape))


def _spec(name: str, tensor: Any) -> TensorSpec:
    shape = tuple(int(extent) for extent in tensor.shape)
    dtype = str(tensor.dtype).removeprefix("torch.")
    if dtype in ("bfloat16", "float16"):
        raise SignatureError(
            f"input `{name}` is {dtype}", hint="convert a float32 model: model.float(); the recipe lowers the precision"
        )
    image = len(shape) == 4 and shape[1] in _IMAGE_CHANNELS and tensor.dtype.is_floating_point
    return TensorSpec(name, shape, dtype, "NCHW" if image else None)


def _torch_dtype(name: str) -> Any:
    import torch

    return getattr(torch, name)


def _named_outputs(result: Any) -> dict[str, Any]:
    """Outputs by name: keys of a dict, fields of a named tuple, else ``output`` or ``output_<i>``."""
    import torch

    if isinstance(result, torch.Tensor):
        return {"output": result}
    if isinstance(result, Mapping):
        named = dict(result)
    elif hasattr(result, "_fields"):
        named = dict(zip(result._fields, result, strict=True))
    elif isinstance(result, list | tuple):
        named = {f"output_{index}": value for index, value in enumerate(result)}
    else:
        raise SignatureError(
            f"the model returns a {type(result).__name__}", hint="return a tensor, or a tuple or dict of tensors"
        )
    flat: dict[str, Any] = {}
    for name, value in named.items():
        if isinstance(value, torch.Tensor):
            flat[str(name)] = value
        elif value is not None:
            flat.update({f"{name}_{inner}": t for inner, t in _named_outputs(value).items()})
    return flat


def _is_exported(model: Any) -> bool:
    return any(base.__name__ == "ExportedProgram" for base in type(model).__mro__)


@contextlib.contextmanager
def _eval_mode(module: Any) -> Iterator[None]:
    """Eval mode for the block; every submodule's own mode is put back, for the module is the caller's."""
    modes = {part: part.training for part in module.modules()}
    for part in modes:
        part.training = False
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training


def _exported(module: Any, examples: tuple[Any, ...]) -> Any:
    """``torch.export`` with errors in the user's terms."""
    import torch

    try:
        return torch.export.export(module, examples, strict=False)
    except Exception as error:  # torch.export raises many types
        where = _user_line(error)
        names = {base.__name__ for base in type(error).__mro__}
        if "GuardOnDataDependentSymNode" in names or "data-dependent" in str(error):
            raise ModelError(
                f"the model's Python code branches on tensor values{where}; one file can hold one path only",
                hint="use torch.where, or move the branch out of forward()",
            ) from error
        raise ModelError(
            f"torch.export cannot trace this model{where}: {type(error).__name__}: {first_line(error)}",
            hint="a module that torch.export accepts can be converted",
        ) from error


def _user_line(error: BaseException) -> str:
    """The innermost line of the user's own code in the traceback."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        own = "site-packages" not in frame.filename and "/edge_sdk/" not in frame.filename
        if own and "/converters/" not in frame.filename and Path(frame.filename).is_file():
            line = linecache.getline(frame.filename, frame.lineno or 0).strip()
            return f" at {Path(frame.filename).name}:{frame.lineno} (`{line}`)"
    return ""


@contextlib.contextmanager
def _traced_faithfully() -> Iterator[None]:
    """A trace that depends on the example's values is an error, not a warning."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", torch.jit.TracerWarning)
        yield


def _load(path: Path, *, trust: bool) -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError("torch", extra="torch", why=f"reading {path.name}") from error
    if not zipfile.is_zipfile(path):
        raise ModelError(f"{path}: not a whole .pt2 file", hint="save it again with torch.export.save")
    try:
        with contextlib.nullcontext() if trust else _no_pickles(path):
            return torch.export.load(str(path))
    except UntrustedSourceError:
        raise
    except Exception as error:  # torch raises anything on a damaged or foreign archive
        raise ModelError(
            f"{path}: torch {torch.__version__} cannot load it: {first_line(error)}",
            hint=".pt2 files are tied to the torch that wrote them; export again with this one",
        ) from error


@contextlib.contextmanager
def _no_pickles(path: Path) -> Iterator[None]:
    """torch.export.load falls back to unrestricted pickles for parts of the archive; here it may not."""
    import pickle

    import torch

    def refuse(*_: Any, **__: Any) -> Any:
        raise UntrustedSourceError(
            f"{path}: holds a pickle with more than tensors, and loading it would run code",
            hint="pass --trust-source if you wrote this file",
        )

    real_load, real_loads = torch.load, pickle.loads

    def tensors_only(*args: Any, **kwargs: Any) -> Any:
        try:
            return real_load(*args, **{**kwargs, "weights_only": True})
        except pickle.UnpicklingError:
            return refuse()

    torch.load, pickle.loads = tensors_only, refuse
    try:
        yield
    finally:
        torch.load, pickle.loads = real_load, real_loads

