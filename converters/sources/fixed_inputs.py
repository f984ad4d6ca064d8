"""Inputs that a user gives a value once and for all: what their numbers become, whatever the graph is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import SignatureError
from edge_sdk.findings import Finding
from edge_sdk.signature import TensorSpec

Fixed = Mapping[str, Sequence[float]]


def fixed_array(spec: TensorSpec, numbers: Sequence[float], shape: Sequence[int] | None) -> npt.NDArray[Any]:
    """The array that an input always has.

    Args:
        spec: the input as its graph declares it.
        numbers: in row-major order, or one number for all its elements.
        shape: where the declared one has open dimensions.

    Raises:
        SignatureError: no shape, another count of numbers, or a number that the dtype does not hold.
    """
    if shape is None and None in spec.shape:
        raise SignatureError(f"input `{spec.name}` has open dimensions", hint=f"say --input {spec.name}=SHAPE as well")
    extents = tuple(shape) if shape is not None else spec.static_shape
    size = int(np.prod(extents, dtype=np.int64))
    if len(numbers) not in (1, size):
        raise SignatureError(f"input `{spec.name}` has shape {list(extents)}, so {size} numbers; got {len(numbers)}")
    exact = np.array(numbers, np.float64)
    typed = exact.astype(spec.dtype)
    if np.dtype(spec.dtype).kind in "iub" and not np.array_equal(typed.astype(np.float64), exact):
        raise SignatureError(f"input `{spec.name}` is {spec.dtype}, which does not hold {list(numbers)}")
    return np.array(np.broadcast_to(typed, size).reshape(extents))


def fixed_finding(name: str, numbers: Sequence[float]) -> Finding:
    """What the report says of it."""
    said = ", ".join(f"{number:g}" for number in numbers)
    return Finding(
        "input-fixed", "info", f"is {said} in every run, as was asked: the file has no such input", f"`{name}`"
    )
