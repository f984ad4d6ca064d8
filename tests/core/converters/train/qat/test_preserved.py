"""Zeros and shared values that stay while weights are trained."""

from __future__ import annotations

import numpy as np

from edge_sdk.converters.train.qat.preserved import Preserved

RNG = np.random.default_rng(0)


def test_zeros_stay_zero() -> None:
    weights = RNG.normal(size=(4, 3, 3, 8)).astype(np.float32) * (RNG.random((4, 3, 3, 8)) < 0.3)
    kept = Preserved.of(weights, 0, zeros=True, clusters=False)
    assert kept is not None
    moved = kept.apply(weights + np.float32(0.1))
    np.testing.assert_array_equal(moved == 0, weights == 0)
    np.testing.assert_array_equal(moved[weights != 0], (weights + np.float32(0.1))[weights != 0])


def test_equal_weights_of_a_channel_stay_equal_and_move_together() -> None:
    """16 values in all, and after BatchNorm was folded 16 in each channel."""
    shared = RNG.choice(np.linspace(-1, 1, 16), size=(4, 64)).astype(np.float32)
    weights = shared * np.array([1, 2, 3, 4], np.float32)[:, None]
    kept = Preserved.of(weights, 0, zeros=False, clusters=True)
    assert kept is not None
    moved = kept.apply(weights + RNG.normal(scale=0.01, size=weights.shape).astype(np.float32))
    for before, after in zip(weights, moved, strict=True):
        assert len(np.unique(after)) == len(np.unique(before)) <= 16
        assert all(np.ptp(after[before == value]) == 0 for value in np.unique(before))
    np.testing.assert_allclose(moved, weights, atol=0.03)


def test_nothing_is_kept_of_weights_that_have_nothing() -> None:
    assert Preserved.of(RNG.normal(size=(4, 64)).astype(np.float32), 0, zeros=True, clusters=True) is None


def test_both_at_once() -> None:
    weights = RNG.choice([0.0, 0.0, -0.5, 0.25], size=(2, 100)).astype(np.float32)
    kept = Preserved.of(weights, None, zeros=True, clusters=True)
    assert kept is not None
    moved = kept.apply(weights + RNG.normal(scale=0.01, size=weights.shape).astype(np.float32))
    np.testing.assert_array_equal(moved == 0, weights == 0)
    assert len(np.unique(moved)) == 3
