"""Samples that are drawn where no DATA is given."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_sdk.data import seeded_samples
from edge_sdk.signature import TensorSpec
from tests.core.test_data import IDS, IMAGE


def test_integers_that_index_nothing_are_of_all_kinds() -> None:
    drawn = np.concatenate([one["ids"] for one in seeded_samples((IDS,), count=40, seed=0, free={"ids"})]).reshape(-1)
    assert (drawn < 0).any()
    assert ((drawn >= 0) & (drawn < 12)).any()
    assert ((drawn % 1000 == 0) & (drawn != 0)).any()
    assert (np.abs(drawn) > 2**24).any()


def test_indices_reach_both_ends_of_a_table() -> None:
    bounds = {"ids": 12300}
    drawn = np.concatenate([one["ids"] for one in seeded_samples((IDS,), count=300, seed=0, index_bounds=bounds)])
    assert drawn.min() == 0
    assert drawn.max() == 12299


def test_seeded_samples_repeat_and_stay_in_bounds() -> None:
    flags = TensorSpec("flags", (1, 3), "bool")
    specs = (IMAGE, IDS, flags)

    def draw(seed: int) -> list[dict[str, Any]]:
        return list(seeded_samples(specs, count=20, seed=seed, index_bounds={"ids": 7}))

    first, again, other = draw(0), draw(0), draw(1)
    np.testing.assert_array_equal(first[3]["image"], again[3]["image"])
    assert not np.array_equal(first[3]["image"], other[3]["image"])
    ids = np.concatenate([sample["ids"] for sample in first])
    assert ids.min() >= 0
    assert 4 <= ids.max() < 7
    assert first[0]["flags"].dtype == np.bool_


def test_seeded_images_differ_in_brightness_as_photographs_do() -> None:
    spec = TensorSpec("image", (1, 32, 32, 3), "float32", "NHWC")
    means = [float(sample["image"].mean()) for sample in seeded_samples((spec,), count=50, seed=0)]
    # White noise of this size would spread by 1 / sqrt(3072) = 0.018.
    assert np.std(means) > 0.2
