"""PyTorch models: ``nn.Module`` with example inputs, ``torch.export`` programs, and ``.pt2`` files."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge_sdk.converters.lower import ladder, onnx_hand_over, plain_name
from edge_sdk.converters.lower.direct.counts import Padded
from edge_sdk.converters.sources.from_onnx import OnnxSource
from edge_sdk.converters.sources.padded import padded, padded_findings
from edge_sdk.converters.sources.pytorch.calls import TorchCall, eval_mode, is_exported, torch_dtype
from edge_sdk.converters.sources.pytorch.export import exported
from edge_sdk.converters.sources.pytorch.padded import watched
from edge_sdk.converters.sources.pytorch.quantized import in_float_ops, is_dynamic, quantized_by
from edge_sdk.converters.sources.pytorch.states import refuse_memory
from edge_sdk.converters.sources.source import (
    Description,
    dynamic_finding,
    options_from_json,
    quantized_finding,
    stacked_runs,
    write_outputs,
)
from edge_sdk.converters.workers.child import first_line, running
from edge_sdk.data.store import SampleStore
from edge_sdk.errors import MissingDependencyError, ModelError, UnsupportedOpError, UntrustedSourceError
from edge_sdk.findings import Finding
from edge_sdk.signature import Arrays, fix_shapes

_TYPES = frozenset({"torch.nn.modules.module.Module", "torch.export.exported_program.ExportedProgram"})


class TorchSource:
    """A PyTorch model with the inputs it is called with, always run and exported in eval mode."""

    preload = ("torch", "torch.onnx", "onnxscript")

    def __init__(self, source: Any, options: Mapping[str, Any]) -> None:
        self._options = options_from_json(options)
        if isinstance(source, str | Path):
            source = load(Path(source), trust=self._options.trust)
        if isinstance(source, tuple) and len(source) != 2:
            raise ModelError(f"expected (module, example inputs), got a tuple of {len(source)}")
        model, examples = source if isinstance(source, tuple) else (source, None)
        self._was_training = bool(getattr(model, "training", False))
        self._quantized_by = quantized_by(model)
        self._dynamic = is_dynamic(model)
        self._call = TorchCall(model, examples, self._options)
        self._exported_call = self._call
        if self._dynamic or (self._quantized_by and not is_exported(model)):
            plain = in_float_ops(model, self._run_on_examples)
            self._exported_call = TorchCall(plain, examples, self._options)
        if self._dynamic:
            # What it rounds as it runs is not the file's: the weights are compared.
            self._call = self._exported_call
        self._inputs = fix_shapes(self._call.inputs, batch=self._options.batch, given=self._options.shapes)
        self._float: OnnxSource | None = None
        with watched() as chooses:
            examples = self._example_tensors()
            # Observers of a model that is being quantized remember by design.
            remembers = not self._quantized_by
            made = refuse_memory(self._call.module, lambda: self._run(examples)) if remembers else self._run(examples)
            self._outputs: tuple[str, ...] = tuple(made)
        pads = chooses and self._options.lowering in ("auto", "direct")
        self._padded = self._padded_outputs() if pads else ()

    @staticmethod
    def reads(source: object) -> bool:
        """A ``.pt2`` path, a module or exported program, or ``(module, example inputs)``."""
        if isinstance(source, str | Path):
            return Path(source).suffix == ".pt2"
        first = source[0] if isinstance(source, tuple) and source else source
        return bool(_TYPES & {f"{base.__module__}.{base.__name__}" for base in type(first).__mro__})

    def describe(self) -> dict[str, Any]:
        import torch

        findings = []
        if self._was_training:
            words = "the module was in training mode; it is converted in eval mode"
            findings.append(Finding("torch-eval-mode", "info", words))
        if self._quantized_by:
            findings.append(quantized_finding(self._quantized_by))
        if self._dynamic:
            findings.append(dynamic_finding())
        findings += padded_findings(self._padded)
        ports = (self._inputs, self._call.inputs, self._with_counts())
        framework = f"torch {torch.__version__}"
        return Description(framework, *ports, tuple(findings), quantized_by=self._quantized_by).as_json()

    def run(self, samples: str, outputs: str) -> int:
        if self._quantized_by:
            return self._in_float().run(samples, outputs)
        return self.run_rounded(samples, outputs)

    def run_rounded(self, samples: str, outputs: str) -> int:
        """Reference runs of a model that is quantized already, rounding included."""
        results = stacked_runs(SampleStore.open(samples), self._arrays, can_stack=False)
        return write_outputs(results, self._with_counts(), outputs)

    def rungs(self, *, static_range: bool) -> list[dict[str, Any]]:
        recurrent = self._call.has_recurrent_layers()
        # Only our own lowering pads.
        wanted = "direct" if self._padded else self._options.lowering
        return [asdict(rung) for rung in ladder("torch", wanted, recurrent=recurrent, static_range=static_range)]

    def hand_over(self, folder: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        with eval_mode(self._exported_call.module):
            module = self._exported_call.positional(self._outputs)
            if settings["lowering"] == "litert-torch":
                from edge_sdk.converters.lower.by_litert_torch import write_tflite

                return write_tflite(module, self._inputs, self._outputs, Path(folder), layout=self._options.layout)
            if settings["lowering"] == "direct":
                return self._directly(module, Path(folder), settings)
            model = self._as_onnx(module, settings)
        import onnx

        path = Path(folder) / "model.onnx"
        onnx.save(model, str(path))
        return onnx_hand_over(path, self._inputs, self._outputs, self._options.layout, settings["onnx2tf"])

    def _directly(self, module: Any, folder: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
        from edge_sdk.converters.lower.direct.lowering import Way, hand_over

        model = self._as_onnx(module, settings)
        inputs = {plain_name("in", i): spec for i, spec in enumerate(self._inputs)}
        return hand_over(model, inputs, self._with_counts(), folder, Way(self._options.layout, settings["unroll"]))

    def _with_counts(self) -> tuple[str, ...]:
        """The outputs, and how many rows of those count that have padding."""
        return tuple(dict.fromkeys((*self._outputs, *(one.count for one in self._padded))))

    def _padded_outputs(self) -> tuple[Padded, ...]:
        """Which outputs have as many rows as data says.

        Raises:
            UnsupportedOpError: no lowering has a form for what depends on data in the model.
        """
        from edge_sdk.converters.lower.direct.lowering import lower

        model = self._with_own_names()
        try:
            return lower(model, self._inputs, self._options.layout).padded
        except UnsupportedOpError as error:
            if error.final:
                raise
            return ()

    def _in_float(self) -> OnnxSource:
        """The model without the rounding of its activations, run by ONNX Runtime."""
        if self._float is None:
            self._float = OnnxSource(self._with_own_names(), self._options.as_json())
        return self._float

    def _with_own_names(self) -> Any:
        """The model as ONNX whose inputs and outputs have the source's names."""
        with eval_mode(self._exported_call.module):
            module = self._exported_call.positional(self._outputs)
            names = ([spec.name for spec in self._inputs], list(self._outputs))
            settings = {"exporter": "dynamo", "opset": 20}
            return exported(module, list(self._example_tensors().values()), *names, settings)

    def _run_on_examples(self, module: Any) -> None:
        call = TorchCall(module, self._call.examples, self._options)
        with eval_mode(module), running("torch", "running the quantized model"):
            call(call.examples)

    def _as_onnx(self, module: Any, settings: Mapping[str, Any]) -> Any:
        inputs = [plain_name("in", i) for i in range(len(self._inputs))]
        outputs = [plain_name("out", i) for i in range(len(self._outputs))]
        return exported(module, list(self._example_tensors().values()), inputs, outputs, settings)

    def _arrays(self, arrays: Arrays) -> Arrays:
        import torch

        tensors = {name: torch.from_numpy(values.copy()) for name, values in arrays.items()}
        own = {name: tensor.detach().cpu().numpy() for name, tensor in self._run(tensors).items()}
        return padded(own, self._padded)

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
