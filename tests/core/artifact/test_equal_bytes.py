"""Equal constants are found by their bytes, and only those."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.artifact.equal_bytes import EqualBytes


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 1000, 4097])
def test_equal_ones_are_one_whatever_dtype_or_shape(size: int) -> None:
    values = np.random.default_rng(size).integers(0, 256, size * 4, np.uint8)
    seen = EqualBytes[str]()
    assert seen.first(values, "first") == "first"
    assert seen.first(values.copy().view(np.float32).reshape(size, 1), "second") == "first"


def test_one_byte_anywhere_makes_another() -> None:
    values = np.zeros(1000, np.uint8)
    seen = EqualBytes[int]()
    seen.first(values, -1)
    for place in range(values.size):
        other = values.copy()
        other[place] = 1
        assert seen.first(other, place) == place
    assert seen.first(np.zeros(1001, np.uint8), 1001) == 1001, "a longer one"
    assert seen.first(np.zeros((10, 100), np.int8), 0) == -1
