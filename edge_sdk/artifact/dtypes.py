"""Types of tensors as numpy has them, and integers of less than a byte as files store them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

DTYPES: Mapping[str, npt.DTypeLike] = MappingProxyType(
    {
        "float32": np.float32,
        "float16": np.float16,
        "float64": np.float64,
        "int8": np.int8,
        "uint8": np.uint8,
        "int16": np.int16,
        "uint16": np.uint16,
        "int32": np.int32,
        "uint32": np.uint32,
        "int64": np.int64,
        "uint64": np.uint64,
        "bool": np.bool_,
        "complex64": np.complex64,
        "complex128": np.complex128,
    }
)
PER_BYTE: Mapping[str, int] = MappingProxyType({"int4": 2, "uint4": 2, "int2": 4})
"""Type to how many values share a byte."""
READABLE = frozenset({*DTYPES, "int4"})
"""Types whose constants can be read; those of int4 come as int8."""


def limits(dtype: str) -> tuple[int, int]:
    """The least and the greatest value of an integer type that can be read."""
    if dtype == "int4":
        return -8, 7
    known = np.iinfo(DTYPES[dtype])
    return int(known.min), int(known.max)


def unpacked(raw: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.int8]:
    """The first ``count`` values of int4, -8 to 7, from bytes that hold two each, the first in the lower half."""
    pairs = np.stack([raw & 0x0F, raw >> 4], axis=-1).reshape(-1)[:count].astype(np.int8)
    return np.where(pairs > 7, pairs - 16, pairs).astype(np.int8)


def packed(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Bytes of int4 values; the upper half of the last byte is 0 where their number is odd.

    Raises:
        ValueError: a value is not from -8 to 7.
    """
    low, high = limits("int4")
    flat = np.asarray(values).reshape(-1)
    if flat.size and (flat.min() < low or flat.max() > high):
        raise ValueError(f"int4 holds {low} to {high}, got {flat.min()} to {flat.max()}")
    even = np.append(flat, np.zeros(flat.size % 2, flat.dtype)).astype(np.int8).view(np.uint8) & 0x0F
    return np.asarray(even[0::2] | (even[1::2] << 4), np.uint8)
