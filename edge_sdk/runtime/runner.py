"""One .tflite file opened in an engine, run by input and output name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Artifact, Quantization, Tensor, read_artifact
from edge_sdk.artifact.summary import summarize
from edge_sdk.errors import ModelError, SignatureError
from edge_sdk.runtime.engines import Engine, find_engine
from edge_sdk.signature import Arrays, TensorSpec, check_arrays


class Runner:
    """Runs one signature of one file on the CPU. Not thread-safe: open one per thread.

    Args:
        path: the .tflite file; it is read and verified before an engine sees it.
        threads: CPU threads.
        engine: name from :data:`ENGINES`, or None for the first installed.
        xnnpack: False keeps the engine's own kernels, which are slower and computed differently.
        preserve_all_tensors: makes :meth:`tensor` work for intermediate tensors; implies no XNNPACK.

    Raises:
        ModelError: the file is damaged, or the engine refuses it.
        MissingDependencyError: no engine is installed.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        threads: int = 1,
        engine: str | None = None,
        xnnpack: bool = True,
        preserve_all_tensors: bool = False,
    ) -> None:
        self.artifact: Artifact = read_artifact(path)
        self.engine: Engine = find_engine(engine)
        self._signature = self.artifact.signature
        if self._signature.subgraph != 0:
            raise ModelError(
                f"{path}: signature `{self._signature.key}` runs subgraph {self._signature.subgraph}, not the first",
                hint="save the model with one signature",
            )
        try:
            self._interpreter = self.engine.interpreter(
                Path(path).read_bytes(),
                threads=threads,
                default_delegates=xnnpack and not preserve_all_tensors,
                preserve_all_tensors=preserve_all_tensors,
            )
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                f"{path}: {self.engine.name} {self.engine.version} refuses the file: {_one_line(error)}",
                hint="`edge-sdk inspect` shows its ops and the runtime they need",
            ) from error
        self._stateful = summarize(self.artifact).stateful
        self.inputs = tuple(_spec(name, tensor) for name, tensor in self._signature.inputs.items())
        self.outputs = tuple(_spec(name, tensor) for name, tensor in self._signature.outputs.items())

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """One run on raw values, in the file's own types; state of recurrent ops is reset before it.

        Raises:
            SignatureError: an input is missing, or of another name, shape or dtype.
            ModelError: a kernel failed.
        """
        check_arrays(self.inputs, inputs)
        for name, tensor in self._signature.inputs.items():
            self._interpreter.set_tensor(tensor.index, inputs[name])
        self.invoke()
        return {name: self._interpreter.get_tensor(tensor.index) for name, tensor in self._signature.outputs.items()}

    def run_real(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """One run on real values: float inputs are rounded to a quantized input's scale, outputs scaled back.

        Integer inputs of a quantized type are taken as they are.
        """
        raw = {name: to_raw(values, self._input(name)) for name, values in inputs.items()}
        outputs = self.run(raw)
        return {name: to_real(values, self._signature.outputs[name]) for name, values in outputs.items()}

    def invoke(self) -> None:
        """Runs on whatever the inputs hold."""
        try:
            if self._stateful:
                self._interpreter.reset_all_variables()
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                f"{self.artifact.path}: {self.engine.name} {self.engine.version} failed in a run: {_one_line(error)}"
            ) from error

    def tensor(self, index: int) -> npt.NDArray[Any] | None:
        """A copy of a tensor of the main subgraph after a run; None where the engine holds no data for it."""
        try:
            values: npt.NDArray[Any] = self._interpreter.get_tensor(index)
        except ValueError:
            return None
        return values

    def _input(self, name: str) -> Tensor:
        if name not in self._signature.inputs:
            check_arrays(self.inputs, {name: np.empty(0)})
        return self._signature.inputs[name]


def to_raw(values: npt.NDArray[Any], tensor: Tensor) -> npt.NDArray[Any]:
    """Real values as the tensor stores them: ``round(values / scale) + zero_point``, saturated.

    Values that already have the tensor's dtype, or a tensor without a scale, pass unchanged.

    Raises:
        SignatureError: the values are neither float nor of the tensor's dtype.
    """
    dtype = np.dtype(tensor.dtype)
    if tensor.quantization is None or dtype.kind == "f" or values.dtype == dtype:
        return values
    if values.dtype.kind != "f":
        raise SignatureError(f"input `{tensor.name}`: expected {dtype} or float32, got {values.dtype}")
    scale, zero_point = _pair(tensor.quantization)
    limits = np.iinfo(dtype)
    rounded: npt.NDArray[Any] = np.clip(np.round(values / scale) + zero_point, limits.min, limits.max)
    return rounded.astype(dtype)


def to_real(values: npt.NDArray[Any], tensor: Tensor) -> npt.NDArray[Any]:
    """Stored values as real ones, float32; unchanged where the tensor has no scale."""
    if tensor.quantization is None or values.dtype.kind == "f":
        return values
    scale, zero_point = _pair(tensor.quantization)
    real: npt.NDArray[Any] = (values.astype(np.float32) - zero_point) * scale
    return real


def _pair(quantization: Quantization) -> tuple[np.float32, np.float32]:
    return np.float32(quantization.scale[0]), np.float32(quantization.zero_point[0])


def _spec(name: str, tensor: Tensor) -> TensorSpec:
    return TensorSpec(name, tensor.shape, tensor.dtype)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
