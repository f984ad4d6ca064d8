"""Random samples shaped by a signature, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.signature import Arrays, TensorSpec


def seeded_samples(
    specs: Sequence[TensorSpec], *, count: int, seed: int, index_bounds: Mapping[str, int] | None = None
) -> Iterator[Arrays]:
    """Yields ``count`` samples.

    Floats are standard normal, 8-bit integers span their type, booleans are fair, and wider integers lie in
    ``[0, bound)``: the bound is the table an input indexes, where that is known, else 2.

    Args:
        specs: the inputs, with static shapes.
        count: how many samples.
        seed: of numpy's default generator.
        index_bounds: input name to the number of rows of the table that it indexes.
    """
    generator = np.random.default_rng(seed)
    bounds = index_bounds or {}
    for _ in range(count):
        yield {spec.name: _draw(generator, spec, bounds.get(spec.name, 2)) for spec in specs}


def _draw(generator: np.random.Generator, spec: TensorSpec, bound: int) -> npt.NDArray[Any]:
    dtype, shape = np.dtype(spec.dtype), spec.static_shape
    if dtype == np.bool_:
        return generator.random(shape) < 0.5
    if np.issubdtype(dtype, np.integer):
        low, high = (np.iinfo(dtype).min, np.iinfo(dtype).max + 1) if dtype.itemsize == 1 else (0, bound)
        return generator.integers(low, high, shape, dtype=dtype)
    return generator.standard_normal(shape).astype(dtype)
