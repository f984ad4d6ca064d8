"""Between the values that a user means and those that a quantized file stores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Quantization, Tensor
from edge_sdk.errors import ModelError, SignatureError
from edge_sdk.signature import TensorSpec

_SCALED = ("int8", "uint8", "int16")
_Factor = np.float32 | npt.NDArray[np.float32]


def specs_of(tensors: Mapping[str, Tensor]) -> tuple[TensorSpec, ...]:
    """Inputs or outputs of a signature, in its order."""
    return tuple(TensorSpec(name, tensor.shape, tensor.dtype) for name, tensor in tensors.items())


def real_specs(tensors: Mapping[str, Tensor]) -> tuple[TensorSpec, ...]:
    """The same as a user means them: float32 where they are scaled."""
    return tuple(TensorSpec(n, t.shape, "float32" if is_scaled(t) else t.dtype) for n, t in tensors.items())


def is_scaled(tensor: Tensor) -> bool:
    """Whether an input's or output's integers stand for real values: int8, uint8 and int16 with a scale do.

    Wider integers count, index or hash, and what scale a converter left on them is not applied; a single scale of 0 is
    how TFLite writes that there is none.
    """
    quantization = tensor.quantization
    return quantization is not None and tensor.dtype in _SCALED and quantization.scale != (0.0,)


def to_raw(values: npt.NDArray[Any], tensor: Tensor) -> npt.NDArray[Any]:
    """Real values as an input stores them: ``round(values / scale) + zero_point``, saturated.

    Values that already have the tensor's dtype, or a tensor that is not scaled, pass unchanged.

    Raises:
        SignatureError: the values are neither float nor of the tensor's dtype.
    """
    if not is_scaled(tensor) or tensor.quantization is None or values.dtype == np.dtype(tensor.dtype):
        return values
    dtype = np.dtype(tensor.dtype)
    if values.dtype.kind != "f":
        raise SignatureError(f"input `{tensor.name}`: expected {dtype} or float32, got {values.dtype}")
    scale, zero_point = factors(tensor, tensor.quantization)
    limits = np.iinfo(dtype)
    rounded: npt.NDArray[Any] = np.clip(np.round(values / scale) + zero_point, limits.min, limits.max)
    return rounded.astype(dtype)


def to_real(values: npt.NDArray[Any], tensor: Tensor) -> npt.NDArray[Any]:
    """Stored values of any tensor as real ones, float32; unchanged where the tensor has no scale."""
    if tensor.quantization is None or values.dtype.kind == "f":
        return values
    scale, zero_point = factors(tensor, tensor.quantization)
    return np.asarray((values.astype(np.float32) - zero_point) * scale)


def output_values(values: npt.NDArray[Any], tensor: Tensor) -> npt.NDArray[Any]:
    """An output's stored values as a user gets them: real where it :func:`is_scaled`, else unchanged."""
    return to_real(values, tensor) if is_scaled(tensor) else values


def factors(tensor: Tensor, quantization: Quantization) -> tuple[_Factor, _Factor]:
    """Scale and zero point, each one number, or one for every index of the tensor's own axis.

    Raises:
        ModelError: their number is not the axis' extent.
    """
    if not quantization.per_channel:
        return np.float32(quantization.scale[0]), np.float32(quantization.zero_point[0])
    axis, count = quantization.axis, len(quantization.scale)
    if not 0 <= axis < len(tensor.shape) or tensor.shape[axis] != count:
        raise ModelError(f"tensor `{tensor.name}`: {count} scales for axis {axis} of shape {list(tensor.shape)}")
    form = [count if place == axis else 1 for place in range(len(tensor.shape))]
    return (
        np.array(quantization.scale, np.float32).reshape(form),
        np.array(quantization.zero_point, np.float32).reshape(form),
    )
