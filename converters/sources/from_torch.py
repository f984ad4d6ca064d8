"""PyTorch models: ``nn.Module`` with example inputs, ``torch.export`` programs, and ``.pt2`` files."""

from __future__ import annotations

import contextlib
import linecache
import traceback
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge_sdk.converters.lower import onnx_hand_over, plain_name, torch_lowerings
from edge_sdk.converters.sources.source import Description, options_from_json, stacked_runs, write_outputs
from edge_sdk.converters.sources.torch_calls import TorchCall, eval_mode, torch_dtype
from edge_sdk.converters.workers.child import first_line, running
from edge_sdk.data.store import SampleStore
from edge_sdk.errors import MissingDependencyError, ModelError, UntrustedSourceError
from edge_sdk.findings import Finding
from edge_sdk.signature import Arrays, fix_shapes

_TYPES = frozenset({"torch.nn.modules.module.Module", "torch.export.exported_program.ExportedProgram"})


class TorchSource:
    """A PyTorch model with the inputs it is called with, always run and exported in eval mode."""

    preload = ("torch", "torch.onnx", "onnxscript")
    lowering_preload = ("tensorflow", "onnx2tf")

    def __init__(self, source: Any, options: Mapping[str, Any]) -> None:
        self._options = options_from_json(options)
        if isinstance(source, str | Path):
            source = load(Path(source), trust=self._options.trust)
        if isinstance(source, tuple) and len(source) != 2:
            raise ModelError(f"expected (module, example inputs), got a tuple of {len(source)}")
        model, examples = source if isinstance(source, tuple) else (source, None)
        self._was_training = bool(getattr(model, "training", False))
        self._call = TorchCall(model, examples, self._options)
        self._inputs = fix_shapes(self._call.inputs, batch=self._options.batch, given=self._options.shapes)
        self._outputs: tuple[str, ...] = tuple(self._run(self._example_tensors()))

    @staticmethod
    def reads(source: object) -> bool:
        """A ``.pt2`` path, a module or exported program, or ``(module, example inputs)``."""
        if isinstance(source, str | Path):
            return Path(source).suffix == ".pt2"
        first = source[0] if isinstance(source, tuple) and source else source
        return bool(_TYPES & {f"{base.__module__}.{base.__name__}" for base in type(first).__mro__})

    def describe(self) -> dict[str, Any]:
        import torch

        words = "the module was in training mode; it is converted in eval mode"
        findings = (Finding("torch-eval-mode", "info", words),) if self._was_training else ()
        framework = f"torch {torch.__version__}"
        return Description(framework, self._inputs, self._call.inputs, self._outputs, findings).as_json()

    def run(self, samples: str, outputs: str) -> int:
        results = stacked_runs(SampleStore.open(samples), self._arrays, can_stack=False)
        return write_outputs(results, self._outputs, outputs)

    def rungs(self, *, static_range: bool) -> list[dict[str, Any]]:
        recurrent = self._call.has_recurrent_layers()
        return [
            asdict(rung)
            for rung in torch_lowerings(self._options.lowering, recurrent=recurrent, static_range=static_range)
        ]

    def hand_over(self, folder: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        with eval_mode(self._call.module):
            module = self._call.positional(self._outputs)
            if settings["lowering"] == "litert-torch":
                from edge_sdk.converters.lower.by_litert_torch import write_tflite

                return write_tflite(module, self._inputs, self._outputs, Path(folder), layout=self._options.layout)
            path = self._export_onnx(module, Path(folder), settings)
        return onnx_hand_over(path, self._inputs, self._outputs, self._options.layout, settings["onnx2tf"])

    def _export_onnx(self, module: Any, folder: Path, settings: Mapping[str, Any]) -> Path:
        import torch

        path, opset = folder / "model.onnx", settings["opset"]
        examples = tuple(self._example_tensors().values())
        names = {
            "input_names": [plain_name("in", i) for i in range(len(self._inputs))],
            "output_names": [plain_name("out", i) for i in range(len(self._outputs))],
        }
        if settings["exporter"] == "dynamo":
            program = _exported(module, examples)
            with running("torch", "exporting to ONNX"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch.onnx.export(
                    program, (), str(path), opset_version=opset, external_data=False, verbose=False, **names
                )
            return path
        # Fused attention has no ONNX form in the tracing exporter.
        torch.backends.mha.set_fastpath_enabled(False)
        with running("torch", "exporting to ONNX by tracing"), _traced_faithfully():
            torch.onnx.export(module, examples, str(path), opset_version=opset, dynamo=False, **names)
        return path

    def _arrays(self, arrays: Arrays) -> Arrays:
        import torch

        tensors = {name: torch.from_numpy(values.copy()) for name, values in arrays.items()}
        return {name: tensor.detach().cpu().numpy() for name, tensor in self._run(tensors).items()}

    def _run(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        import torch

        with torch.no_grad(), eval_mode(self._call.module), running("torch", "running the model"):
            return self._call(tensors)

    def _example_tensors(self) -> dict[str, Any]:
        """Inputs of the fixed shapes: the examples where they have that shape, else zeros."""
        import torch

        found = {}
        for spec in self._inputs:
            example = self._call.examples[spec.name]
            fits = tuple(example.shape) == spec.static_shape
            found[spec.name] = example if fits else torch.zeros(spec.static_shape, dtype=torch_dtype(spec.dtype))
        return found


def _exported(module: Any, examples: tuple[Any, ...]) -> Any:
    """``torch.export`` with errors in the user's terms."""
    import torch

    try:
        return torch.export.export(module, examples, strict=False)
    except Exception as error:  # torch.export raises many types
        where = _user_line(error)
        if "data-dependent" in str(error):
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
    ours = str(Path(__file__).resolve().parent)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        foreign = "site-packages" in frame.filename or str(path.resolve()).startswith(ours)
        if path.is_file() and not foreign:
            line = linecache.getline(frame.filename, frame.lineno or 0).strip()
            return f" at {path.name}:{frame.lineno} (`{line}`)"
    return ""


@contextlib.contextmanager
def _traced_faithfully() -> Iterator[None]:
    """A trace that depends on the example's values is an error, not a warning."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", torch.jit.TracerWarning)
        yield


def load(path: Path, *, trust: bool) -> Any:
    """The model in a file, in this process; refused where loading could run code and ``trust`` does not allow it."""
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
