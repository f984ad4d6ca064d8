"""One input or output of an open model: values checked, rounded to its scale where asked, and copied once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Signature, Tensor
from edge_sdk.errors import SignatureError
from edge_sdk.runtime.executor import Executor
from edge_sdk.runtime.values import to_real
from edge_sdk.signature import Arrays, TensorSpec, check_arrays, shape_text

Values = Literal["real", "raw"]
"""``real``: floats go in and come out, rounded to and from a quantized file's scales; ``raw``: its own integers."""
NanPolicy = Literal["refuse", "pass"]

_QUANTIZED = ("int8", "uint8", "int16")


def is_scaled(tensor: Tensor) -> bool:
    """Whether its integers stand for real values."""
    return tensor.quantization is not None and tensor.dtype in _QUANTIZED


def spec_of(name: str, tensor: Tensor, values: Values) -> TensorSpec:
    """What the user passes or gets."""
    return TensorSpec(name, tensor.shape, "float32" if values == "real" and is_scaled(tensor) else tensor.dtype)


class InputPort:
    """Checks one input and puts it into the engine."""

    def __init__(self, name: str, tensor: Tensor, values: Values, nan: NanPolicy) -> None:
        self.name = name
        self.spec = spec_of(name, tensor, values)
        self._shape = tensor.shape
        self._dtype = np.dtype(self.spec.dtype) if tensor.dtype != "string" else None
        self._raw_dtype = np.dtype(tensor.dtype) if self._dtype is not None else None
        self._scaled = values == "real" and is_scaled(tensor)
        self._refuses_nan = nan == "refuse"
        if self._scaled and tensor.quantization is not None:
            self._scale = np.float32(tensor.quantization.scale[0])
            self._zero = np.float32(tensor.quantization.zero_point[0])
            limits = np.iinfo(tensor.dtype)
            self._low, self._high = np.float32(limits.min), np.float32(limits.max)
            self._rounded = np.empty(tensor.shape, np.float32)

    def ready(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The values, checked, and in steps where they are real: to be cast to the file's dtype without loss.

        Raises:
            SignatureError: another shape or dtype; NaN or infinity, unless the NaN policy lets it pass.
        """
        if not isinstance(values, np.ndarray):
            raise SignatureError(f"input `{self.name}`: expected an array of {self.spec}, got {type(values).__name__}")
        if values.shape != self._shape:
            raise SignatureError(
                f"input `{self.name}`: expected shape {shape_text(self._shape)}, got {shape_text(values.shape)}"
            )
        if self._scaled:
            return self._round(values)
        if self._dtype is not None and values.dtype != self._dtype:
            raise SignatureError(f"input `{self.name}`: expected dtype {self.spec.dtype}, got {values.dtype}")
        if self._refuses_nan and values.dtype.kind == "f":
            self._check_finite(values)
        return values

    def stored(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Likewise, in the file's dtype."""
        ready = self.ready(values)
        return ready if self._raw_dtype is None else ready.astype(self._raw_dtype, copy=False)

    def _round(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Steps of the scale, as :func:`~edge_sdk.runtime.values.to_raw` has them, without new memory."""
        if values.dtype == self._raw_dtype:
            return values
        if values.dtype.kind != "f":
            raise SignatureError(f"input `{self.name}`: expected {self._raw_dtype} or float32, got {values.dtype}")
        # NaN is no integer: whatever the policy, it cannot be stored.
        self._check_finite(values)
        steps = self._rounded
        np.divide(values, self._scale, out=steps, casting="same_kind")
        np.rint(steps, out=steps)
        np.add(steps, self._zero, out=steps)
        return np.clip(steps, self._low, self._high, out=steps)

    def _check_finite(self, values: npt.NDArray[Any]) -> None:
        if not np.isfinite(values).all():
            bad = np.argwhere(~np.isfinite(values))
            first = "".join(f"[{index}]" for index in bad[0])
            raise SignatureError(
                f"input `{self.name}` holds {len(bad)} values that are not finite, the first at {first}",
                hint="a sensor or a normalisation went wrong; nan='pass' lets them into a float model",
            )


@dataclass(frozen=True)
class Ports:
    """All inputs and outputs of an open model.

    ``views`` are those of the executor, or None where it has none and values are handed over instead.
    """

    executor: Executor
    inputs: tuple[InputPort, ...]
    outputs: Mapping[str, Tensor]
    values: Values
    views: tuple[Arrays, Arrays] | None

    @property
    def input_specs(self) -> tuple[TensorSpec, ...]:
        """What goes in."""
        return tuple(port.spec for port in self.inputs)

    @property
    def output_specs(self) -> tuple[TensorSpec, ...]:
        """What comes out."""
        return tuple(spec_of(name, tensor, self.values) for name, tensor in self.outputs.items())

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """One run.

        Raises:
            SignatureError: an input is missing, misnamed, of another shape or dtype, or not finite.
            ModelError: the engine failed.
        """
        if len(inputs) != len(self.inputs) or any(port.name not in inputs for port in self.inputs):
            check_arrays(self.input_specs, inputs)
        if self.views is None:
            self.executor.write(self._stored(inputs))
            self.executor.invoke()
            made = self.executor.read()
        else:
            into, outof = self.views
            for port in self.inputs:
                np.copyto(into[port.name], port.ready(inputs[port.name]), casting="unsafe")
            self.executor.invoke()
            made = {name: view.copy() for name, view in outof.items()}
        if self.values == "raw":
            return made
        return {name: to_real(values, self.outputs[name]) for name, values in made.items()}

    def _stored(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        return {port.name: port.stored(inputs[port.name]) for port in self.inputs}


def ports_of(executor: Executor, signature: Signature, *, values: Values, nan: NanPolicy) -> Ports:
    """The ports of a model that an executor has open."""
    inputs = tuple(InputPort(name, tensor, values, nan) for name, tensor in signature.inputs.items())
    return Ports(executor, inputs, signature.outputs, values, executor.views())
