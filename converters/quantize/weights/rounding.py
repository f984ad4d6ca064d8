"""Weights rounded so that their errors cancel in a layer's results, on what it reads (GPTQ, Frantar et al. 2023).

Nearest rounding takes each weight for itself. Here they are rounded one after the other, and what a rounding does to
the results is taken up by the weights that are still to be rounded, as far as the inputs' covariance lets them.
The mean is left out of it: a bias makes up for that exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
LARGEST = 127
_BLOCK = 128
# Share of the mean power that is added to every input: what few samples cannot tell apart is not relied upon.
_DAMPING = 0.01


@dataclass(frozen=True)
class Rounded:
    """Integers, and the real weights that each was rounded from: within half a step of it, or beyond the largest."""

    integers: npt.NDArray[np.int8]
    weights: Floats


def covariance(rows: npt.NDArray[np.float32]) -> Floats:
    """Of inputs ``[..., n, d]``, over ``n``; ``[..., d, d]``."""
    centred = rows - rows.mean(-2, keepdims=True, dtype=np.float32)
    found: Floats = np.matmul(np.swapaxes(centred, -1, -2), centred).astype(np.float64) / rows.shape[-2]
    return found


def round_weights(weights: Floats, steps: Floats, spread: Floats, largest: int = LARGEST) -> Rounded:
    """Rounds a layer's weights.

    Args:
        weights: ``[outputs, d]``.
        steps: the scale of each output, ``[outputs]``, or of each weight, ``[outputs, d]``.
        spread: covariance of the inputs, ``[d, d]``.
        largest: integer that may stand for a weight.
    """
    order = np.argsort(-np.diag(spread), kind="stable")
    upper = _factor(spread[np.ix_(order, order)])
    left, every = weights[:, order].copy(), np.broadcast_to(steps.reshape(len(weights), -1), weights.shape)[:, order]
    integers = np.zeros(left.shape, np.int8)
    for begin in range(0, left.shape[1], _BLOCK):
        end = min(begin + _BLOCK, left.shape[1])
        errors = np.zeros((len(left), end - begin))
        for place in range(begin, end):
            column = left[:, place : place + 1]
            step = every[:, place : place + 1]
            integers[:, place : place + 1] = np.clip(np.rint(column / step), -largest, largest)
            error = (column - integers[:, place : place + 1] * step) / upper[place, place]
            left[:, place + 1 : end] -= error * upper[place, place + 1 : end]
            errors[:, place - begin] = error[:, 0]
        left[:, end:] -= errors @ upper[begin:end, end:]
    back = np.argsort(order)
    return Rounded(integers[:, back], left[:, back])


def round_channels(weights: Floats, steps: Floats, spread: Floats, largest: int = LARGEST) -> Rounded:
    """Likewise for layers of one result each, all at once.

    Args:
        weights: ``[layers, d]``.
        steps: the scale of each, ``[layers]``.
        spread: covariance of each one's inputs, ``[layers, d, d]``.
        largest: integer that may stand for a weight.
    """
    count, depth = weights.shape
    order = np.argsort(-np.diagonal(spread, axis1=1, axis2=2), axis=1, kind="stable")
    every = np.arange(count)[:, np.newaxis]
    upper = _factor(spread[every[:, :, np.newaxis], order[:, :, np.newaxis], order[:, np.newaxis, :]])
    left, integers = weights[every, order], np.zeros(weights.shape, np.int8)
    for place in range(depth):
        integers[:, place] = np.clip(np.rint(left[:, place] / steps), -largest, largest)
        error = (left[:, place] - integers[:, place] * steps) / upper[:, place, place]
        left[:, place + 1 :] -= error[:, np.newaxis] * upper[:, place, place + 1 :]
    back = np.argsort(order, axis=1)
    return Rounded(integers[every, back], left[every, back])


def noise(errors: Floats, spread: Floats) -> Floats:
    """Mean square error of each result, its mean left out, for errors of weights ``[outputs, d]``.

    ``spread`` is ``[d, d]``, or one for each output.
    """
    products = errors @ spread if spread.ndim == 2 else np.matmul(errors[:, np.newaxis], spread)[:, 0]
    found: Floats = np.maximum(np.sum(products * errors, 1), 0.0)
    return found


def _factor(spread: Floats) -> Floats:
    """The upper Cholesky factor of the inverse: row by row what is left to later weights."""
    power = np.diagonal(spread, axis1=-2, axis2=-1).mean(-1)[..., np.newaxis, np.newaxis]
    inverse = np.linalg.inv(spread + np.eye(spread.shape[-1]) * np.maximum(_DAMPING * power, 1e-12))
    symmetric = (inverse + np.swapaxes(inverse, -1, -2)) / 2
    found: Floats = np.swapaxes(np.linalg.cholesky(symmetric), -1, -2)
    return found
