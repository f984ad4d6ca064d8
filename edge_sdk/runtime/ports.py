"""One input or output of an open model: values checked, rounded to its scale where asked, and copied once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.dtypes import DTYPES
from edge_sdk.artifact.model import Signature, Tensor
from edge_sdk.engines.executor import Executor
from edge_sdk.engines.source import ModelSource
from edge_sdk.engines.values import factors, is_scaled, output_values
from edge_sdk.errors import SignatureError
from edge_sdk.signature import Arrays, TensorSpec, check_arrays, shape_text

Values = Literal["real", "raw"]
"""``real``: floats go in and come out, rounded to and from a quantized file's scales; ``raw``: its own integers."""
NanPolicy = Literal["refuse", "pass"]


def spec_of(name: str, tensor: Tensor, values: Values, shape: tuple[int | None, ...] | None = None) -> TensorSpec:
    """What the user passes or gets; ``shape`` where the engine knows better than the file."""
    return TensorSpec(
        name,
        tensor.shape if shape is None else shape,
        "float32" if values == "real" and is_scaled(tensor) else tensor.dtype,
    )


class InputPort:
    """Checks one input and puts it into the engine."""

    def __init__(self, name: str, tensor: Tensor, values: Values, nan: NanPolicy) -> None:
        self.name = name
        self.spec = spec_of(name, tensor, values)
        self._shape = tensor.shape
        self._raw_dtype = np.dtype(tensor.dtype) if tensor.dtype in DTYPES else None
        self._scaled = values == "real" and is_scaled(tensor)
        self._looks = nan == "refuse" and self._raw_dtype is not None and self._raw_dtype.kind == "f"
        if self._scaled and tensor.quantization is not None:
            self._scale, self._zero = factors(tensor, tensor.quantization)
            limits = np.iinfo(tensor.dtype)
            self._low, self._high = np.float32(limits.min), np.float32(limits.max)
            self._rounded = np.empty(tensor.shape, np.float32)

    def put(self, values: npt.NDArray[Any], view: npt.NDArray[Any]) -> None:
        """Copies the values into the engine's memory, rounded where they are real, and checks them there.

        They are looked at after they were copied, while they are in the cache: that takes a fifth of the time.

        Raises:
            SignatureError: another shape or dtype; NaN or infinity, unless the NaN policy lets it pass.
        """
        self._check_form(values)
        if self._scaled and values.dtype != self._raw_dtype:
            np.copyto(view, self._round(values), casting="unsafe")
            return
        view[...] = values
        if self._looks:
            self._check_finite(view)

    def stored(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The values as the file stores them, for an engine that wants to be handed them; errors as :meth:`put`."""
        self._check_form(values)
        if self._scaled and values.dtype != self._raw_dtype:
            return self._round(values).astype(self._raw_dtype)
        if self._looks:
            self._check_finite(values)
        return values

    def _check_form(self, values: npt.NDArray[Any]) -> None:
        if not isinstance(values, np.ndarray | np.generic):
            raise SignatureError(f"input `{self.name}`: expected an array of {self.spec}, got {type(values).__name__}")
        if values.shape != self._shape:
            raise SignatureError(
                f"input `{self.name}`: expected shape {shape_text(self._shape)}, got {shape_text(values.shape)}"
            )
        if values.dtype == self._raw_dtype or self._raw_dtype is None or (self._scaled and values.dtype.kind == "f"):
            return
        expected = f"{self._raw_dtype} or float32" if self._scaled else f"dtype {self._raw_dtype}"
        raise SignatureError(f"input `{self.name}`: expected {expected}, got {values.dtype}")

    def _round(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Steps of the scale, as :func:`~edge_sdk.engines.values.to_raw` has them, without new memory."""
        steps = self._rounded
        with np.errstate(over="ignore"):
            np.divide(values, self._scale, out=steps, casting="same_kind")
        # NaN is no integer: whatever the policy, it cannot be stored.
        if not _is_finite(steps):
            self._check_finite(values)
        np.rint(steps, out=steps)
        np.add(steps, self._zero, out=steps)
        return np.clip(steps, self._low, self._high, out=steps)

    def _check_finite(self, values: npt.NDArray[Any]) -> None:
        if not _is_finite(values):
            bad = np.argwhere(~np.isfinite(values))
            first = "".join(f"[{index}]" for index in bad[0])
            raise SignatureError(
                f"input `{self.name}` holds {len(bad)} values that are not finite, the first at {first}",
                hint="a sensor or a normalisation went wrong; nan='pass' lets them into a float model",
            )


def _is_finite(values: npt.NDArray[Any]) -> bool:
    # Both hand NaN on, and need no memory: less time than isfinite().all().
    return not values.size or (isfinite(values.min()) and isfinite(values.max()))


@dataclass(frozen=True)
class Ports:
    """All inputs and outputs of an open model.

    ``views`` are those of the executor, or None where it has none and values are handed over instead. ``seen`` holds
    the shapes that the last run gave.
    """

    executor: Executor
    inputs: tuple[InputPort, ...]
    outputs: Mapping[str, Tensor]
    values: Values
    nan: NanPolicy
    views: tuple[Arrays, Arrays] | None
    seen: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def input_specs(self) -> tuple[TensorSpec, ...]:
        """What goes in."""
        return tuple(port.spec for port in self.inputs)

    @property
    def output_specs(self) -> tuple[TensorSpec, ...]:
        """What comes out: of open size before the first run, then of the size that the last one gave."""
        shapes = {**self.executor.shapes, **self.seen}
        return tuple(spec_of(name, tensor, self.values, shapes.get(name)) for name, tensor in self.outputs.items())

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """One run.

        Raises:
            SignatureError: an input is missing, misnamed, of another shape or dtype, or not finite.
            ModelError: the engine failed.
        """
        if not isinstance(inputs, Mapping):
            raise _no_mapping(inputs, self.inputs)
        if len(inputs) != len(self.inputs) or any(port.name not in inputs for port in self.inputs):
            check_arrays(self.input_specs, inputs)
        if self.views is None:
            self.executor.write(self._stored(inputs))
            self.executor.invoke()
            made = self.executor.read()
            self.seen.update((name, values.shape) for name, values in made.items())
        else:
            into, outof = self.views
            for port in self.inputs:
                port.put(inputs[port.name], into[port.name])
            self.executor.invoke()
            made = {name: view.copy() for name, view in outof.items()}
        if self.values == "raw":
            return made
        return {name: output_values(values, self.outputs[name]) for name, values in made.items()}

    def _stored(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        return {port.name: port.stored(inputs[port.name]) for port in self.inputs}


def _no_mapping(given: object, ports: tuple[InputPort, ...]) -> SignatureError:
    names = ", ".join(f'"{port.name}": ...' for port in ports)
    return SignatureError(
        f"inputs: expected a mapping of names to arrays, got {type(given).__name__}", hint=f"run({{{names}}})"
    )


def ports_of(executor: Executor, signature: Signature, *, values: Values, nan: NanPolicy) -> Ports:
    """The ports of a model that an executor has open."""
    inputs = tuple(InputPort(name, tensor, values, nan) for name, tensor in signature.inputs.items())
    return Ports(executor, inputs, signature.outputs, values, nan, executor.views())


def beside(ports: Ports, model: ModelSource, key: str) -> Ports:
    """The ports of another signature of the same open model."""
    signature = model.with_signature(key).artifact.signature
    executor = ports.executor.beside(key)
    return ports_of(executor, signature, values=ports.values, nan=ports.nan)
