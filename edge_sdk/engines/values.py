"""Between the values that a user means and those that a quantized file stores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Quantization, Tensor
from edge_sdk.errors import SignatureError
from edge_sdk.signature import TensorSpec


def specs_of(tensors: Mapping[str, Tensor]) -> tuple[TensorSpec, ...]:
    """Inputs or outputs of a signature, in its order."""
    return tuple(TensorSpec(name, tensor.shape, tensor.dtype) for name, tensor in tensors.items())


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
