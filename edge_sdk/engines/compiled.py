"""LiteRT's CompiledModel, through which it reaches GPUs, NPUs and packed weights: an executor, and how it is asked for.

What is guarded against here was seen in 2.2 and 2.3: a truncated file kills it (so the file is verified before), arrays
too small or of another type are taken without a word, a GPU run returns before it is done, and
``is_fully_accelerated()`` is true of a model that runs on the CPU alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.util
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Signature
from edge_sdk.engines.cpu_features import has_atomics
from edge_sdk.engines.entry import entry_of
from edge_sdk.engines.executor import Arithmetic, EnginePlacement
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.source import ModelSource
from edge_sdk.engines.values import specs_of
from edge_sdk.errors import DelegateUnavailableError, ModelError, TargetError
from edge_sdk.signature import check_arrays

Accelerator = Literal["cpu", "gpu", "npu"]
# What its TensorBuffer takes, of the types that a file's inputs and outputs have.
_DTYPES = frozenset({"float32", "float16", "int32", "int8", "uint8", "bool"})
_WEBGPU = "libLiteRtWebGpuAccelerator.so"
_Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Ask:
    """What CompiledModel is asked for; plain data, for an accelerator is tried in a child process first.

    Attributes:
        accelerator: ``gpu``, ``npu``, or ``cpu`` for XNNPACK.
        alone: without the CPU beside it: a model that does not fit whole is then refused.
        threads: CPU threads, for the ops that stay on the CPU.
        gpu: fields of LiteRT's ``GpuOptions``.
        openvino: fields of LiteRT's ``IntelOpenVinoOptions``, enumerations by their names in small letters.
        dispatch: folder of the NPU vendor's dispatch library; empty for the one in the wheel.
        plugin: folder of its compiler plugin; likewise.
        weights: file of XNNPACK's packed weights; empty for none.
    """

    accelerator: Accelerator
    alone: bool = True
    threads: int = 1
    gpu: Mapping[str, bool] = field(default_factory=dict)
    openvino: Mapping[str, Any] = field(default_factory=dict)
    dispatch: str = ""
    plugin: str = ""
    weights: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain data that ``Ask(**data)`` takes back."""
        return asdict(self)


def check_engine(options: DelegateOptions, delegate: str, needs: str) -> Path:
    """Whether this engine has CompiledModel with what it needs, on a CPU that it does not die on.

    Args:
        options: hold the engine.
        delegate: for messages.
        needs: name pattern of the file that the engine's package must hold.

    Returns:
        The engine's folder.

    Raises:
        DelegateUnavailableError: it has not.
    """
    folder = Path(str(options.engine.module.__file__)).parent
    has_options = options.engine.name == "ai-edge-litert" and importlib.util.find_spec("ai_edge_litert.options")
    if not has_options or not any(folder.glob(needs)):
        raise DelegateUnavailableError(
            f"{delegate}: {options.engine} has no {Path(needs).name} for this machine: LiteRT brings one since 2.2, "
            "and not for every machine",
            hint="pip install 'ai-edge-litert>=2.2', or name the driver maker's external library",
        )
    _check_cpu(folder, delegate, options)
    return folder


def check_weight_file(options: DelegateOptions) -> None:
    """Whether this engine takes a file of XNNPACK's packed weights, on a CPU that it does not die on.

    Raises:
        DelegateUnavailableError: it does not.
    """
    if options.engine.name != "ai-edge-litert" or not importlib.util.find_spec("ai_edge_litert.cpu_options"):
        raise DelegateUnavailableError(
            f"{options.engine} offers none: LiteRT's CompiledModel does since 2.2",
            hint="pip install 'ai-edge-litert>=2.2'",
        )
    _check_cpu(Path(str(options.engine.module.__file__)).parent, "xnnpack", options)


def _check_cpu(folder: Path, delegate: str, options: DelegateOptions) -> None:
    # Whatever is asked for, LiteRT loads this library, and it ends the process: "compiled with lse enabled, but ...".
    if (folder / _WEBGPU).exists() and not has_atomics():
        raise DelegateUnavailableError(
            f"{delegate}: this CPU lacks the atomic instructions (LSE) that {_WEBGPU} is built with, as do Cortex-A53, "
            f"A57 and A72: CompiledModel of {options.engine} would end the process with SIGILL",
            hint="use xnnpack, or an external delegate",
        )


def check_model(model: ModelSource, delegate: str) -> Signature:
    """Whether CompiledModel can run a model as a session wants it run.

    Raises:
        DelegateUnavailableError: it keeps state, or has inputs or outputs of a type that CompiledModel's buffers lack.
    """
    signature = entry_of(model)
    if model.artifact.is_stateful:
        raise DelegateUnavailableError(
            f"{delegate}: {model.name} keeps state between runs, and LiteRT's CompiledModel cannot reset it, "
            "which the self-test needs",
            hint="use xnnpack",
        )
    for name, tensor in (*signature.inputs.items(), *signature.outputs.items()):
        if tensor.dtype not in _DTYPES:
            raise DelegateUnavailableError(
                f"{delegate}: `{name}` of {model.name} is {tensor.dtype}, which CompiledModel's buffers do not take",
                hint="use xnnpack",
            )
    return signature


def compile_model(model: str | bytes, ask: Ask) -> Any:
    """LiteRT's own CompiledModel.

    Args:
        model: path, or the file's bytes.
        ask: what is wanted.

    Raises:
        RuntimeError: LiteRT refuses.
    """
    from ai_edge_litert import compiled_model as litert
    from ai_edge_litert.options import IntelOpenVinoOptions, Options

    kinds = litert.HardwareAccelerator
    wanted = kinds[ask.accelerator.upper()]
    options = Options(
        wanted if ask.alone else wanted | kinds.CPU,
        cpu_options=litert.CpuOptions(num_threads=ask.threads, xnnpack_weight_cache_path=ask.weights),
        gpu_options=litert.GpuOptions(**ask.gpu) if ask.accelerator == "gpu" else None,
        intel_openvino_options=IntelOpenVinoOptions(**_openvino(ask)) if ask.openvino else None,
    )
    make = litert.CompiledModel.from_file if isinstance(model, str) else litert.CompiledModel.from_buffer
    with _quiet_output():
        environment = litert.Environment.create(compiler_plugin_path=ask.plugin, dispatch_library_path=ask.dispatch)
        return make(model, environment=environment, options=options)


@contextlib.contextmanager
def _quiet_output() -> Iterator[None]:
    """What LiteRT logs to standard output goes to standard error: the output may be JSON that another program reads."""
    try:
        kept = os.dup(1)
        os.dup2(2, 1)
    except OSError:
        # A daemon without standard output or error has nothing to keep apart.
        yield
        return
    try:
        yield
    finally:
        # C's own buffer, before what it is written to changes back.
        ctypes.CDLL(None).fflush(None)
        os.dup2(kept, 1)
        os.close(kept)


def _openvino(ask: Ask) -> dict[str, Any]:
    from ai_edge_litert.options import IntelOpenVinoGraphBackend, IntelOpenVinoPerformanceMode

    # The compiler plugin is linked to OpenVINO's library, which only this import puts within the loader's reach.
    importlib.import_module("openvino")
    found: dict[str, Any] = dict(ask.openvino)
    found["graph_backend"] = IntelOpenVinoGraphBackend[found["graph_backend"].upper()]
    if "performance_mode" in found:
        found["performance_mode"] = IntelOpenVinoPerformanceMode[found["performance_mode"].upper()]
    return found


class Buffers:
    """Inputs and outputs of a compiled model by the names of its signature."""

    def __init__(self, compiled: Any, signature: Signature) -> None:
        self._compiled = compiled
        self._signature = signature
        self._key, names = _own_signature(compiled, signature)
        index = compiled.get_signature_index(self._key)
        self._inputs = dict(zip(names["inputs"], compiled.create_input_buffers(index), strict=True))
        self._outputs = dict(zip(names["outputs"], compiled.create_output_buffers(index), strict=True))

    def write(self, inputs: Mapping[str, npt.NDArray[Any]]) -> None:
        """Copies in; shapes and types were checked before."""
        for name, values in inputs.items():
            self._inputs[name].write(values)

    def run(self) -> _Arrays:
        """Runs, and reads every output: only a read waits for a GPU."""
        self._compiled.run_by_name(self._key, self._inputs, self._outputs)
        return {name: self._read(name) for name in self._signature.outputs}

    def close(self) -> None:
        """Buffers first, then the model, then its environment: each needs the next."""
        for buffer in (*self._inputs.values(), *self._outputs.values()):
            buffer.destroy()
        environment = self._compiled.environment
        self._compiled.close()
        environment.close()

    def _read(self, name: str) -> npt.NDArray[Any]:
        tensor = self._signature.outputs[name]
        values: npt.NDArray[Any] = self._outputs[name].read(tensor.elements, np.dtype(tensor.dtype))
        return values.reshape(tensor.shape)


def _own_signature(compiled: Any, signature: Signature) -> tuple[str, dict[str, list[str]]]:
    """The signature as LiteRT names it: where the file has none, LiteRT makes one up, of tensor names."""
    listed: dict[str, dict[str, list[str]]] = compiled.get_signature_list()
    for key, names in listed.items():
        if set(names["inputs"]) == set(signature.inputs) and set(names["outputs"]) == set(signature.outputs):
            return key, names
    raise ModelError(
        f"LiteRT reads other names of inputs and outputs than the file's: {listed}",
        hint="save the model with a signature",
    )


class CompiledExecutor:
    """See :class:`~edge_sdk.engines.executor.Executor`.

    Args:
        model: verified.
        options: the engine and threads.
        ask: as it was tried in a child process.
        placement: what that showed; None where nothing tells.
        arithmetic: of the accelerator's float ops.

    Raises:
        DelegateUnavailableError: LiteRT refuses, here what it took there.
    """

    def __init__(
        self,
        model: ModelSource,
        options: DelegateOptions,
        ask: Ask,
        placement: EnginePlacement | None,
        *,
        arithmetic: Arithmetic,
    ) -> None:
        self.engine = str(options.engine)
        self.arithmetic = arithmetic
        self.notes: tuple[str, ...] = ()
        self.shapes: dict[str, tuple[int | None, ...]] = {
            name: tensor.shape for name, tensor in model.artifact.signature.outputs.items()
        }
        self._name = model.name
        self._placement = placement
        self._specs = specs_of(model.artifact.signature.inputs)
        # LiteRT reads the bytes for as long as the model lives.
        self._content: str | bytes = model.path or bytes(model.content)
        self._source = model
        self._results: _Arrays | None = None
        try:
            compiled = compile_model(self._content, ask)
            self._buffers: Buffers | None = Buffers(compiled, model.artifact.signature)
        except RuntimeError as error:
            raise _refused(ask, " ".join(str(error).split())) from error
        if not ask.alone and compiled.is_fully_accelerated():
            self.close()
            raise DelegateUnavailableError(f"{ask.accelerator}: a part ran there in a child process, and none here")

    def write(self, inputs: Mapping[str, npt.NDArray[Any]]) -> None:
        """Copies values into the inputs, by name; shapes and types are checked, for LiteRT checks neither.

        Raises:
            SignatureError: an input is missing, or of another name, shape or dtype.
        """
        check_arrays(self._specs, inputs)
        self._open().write(inputs)

    def invoke(self) -> None:
        """Runs once and waits for all outputs."""
        buffers = self._open()
        try:
            self._results = buffers.run()
        except RuntimeError as error:
            raise ModelError(f"{self._name}: {self.engine} failed in a run: {' '.join(str(error).split())}") from error

    def read(self) -> _Arrays:
        """The outputs of the last run, by name, as arrays of the caller's own."""
        self._open()
        if self._results is None:
            raise ModelError(f"{self._name}: nothing was run yet")
        return {name: values.copy() for name, values in self._results.items()}

    def reset(self) -> None:
        """Nothing: a model with state is refused."""

    def beside(self, key: str) -> CompiledExecutor:
        """Not to be had.

        Raises:
            TargetError: always.
        """
        raise TargetError(
            f"{self._name}: LiteRT's CompiledModel is opened with one signature, and `{key}` is another",
            hint="open the session with delegate='xnnpack' or 'cpu', without cache_dir",
        )

    def views(self) -> None:
        """None: the memory is the accelerator's."""
        return

    def placement(self) -> EnginePlacement | None:
        """What LiteRT said when it was tried."""
        return self._placement

    def close(self) -> None:
        """Frees buffers, model and environment."""
        if self._buffers is not None:
            self._buffers.close()
        self._buffers = None
        self._results = None

    def _open(self) -> Buffers:
        if self._buffers is None:
            raise ModelError("the session is closed", hint="open it again")
        return self._buffers


def _refused(ask: Ask, words: str) -> DelegateUnavailableError:
    if ask.accelerator == "cpu":
        return DelegateUnavailableError(f"LiteRT's CompiledModel refuses the model on the CPU: {words}")
    return DelegateUnavailableError(
        f"{ask.accelerator}: opened in a child process and not in this one: {words}",
        hint="another session may hold the device",
    )
