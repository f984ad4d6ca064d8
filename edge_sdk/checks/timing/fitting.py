"""Small fits in numpy: least squares with coefficients that cannot be negative, and what neighbours say on top."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_sdk.checks.timing.amounts import Vector

# Octaves over which neighbours count, and how many of them outweigh the fit.
_WIDTH, _PRIOR = 1.0, 0.1
_TOLERANCE = 1e-10
_STEPS = 3
_REWEIGHTED, _USUAL = 4, 0.1


def non_negative(rows: Vector, wanted: Vector) -> Vector:
    """Least squares with coefficients of 0 or more (Lawson and Hanson, *Solving Least Squares Problems*, 1974, ch. 23).

    Args:
        rows: shape (n, k).
        wanted: shape (n,).

    Returns:
        Coefficients, shape (k,).
    """
    found = np.zeros(rows.shape[1])
    free = np.zeros(rows.shape[1], bool)
    for _ in range(_STEPS * rows.shape[1]):
        gradient = rows.T @ (wanted - rows @ found)
        gradient[free] = -np.inf
        if gradient.max(initial=-np.inf) <= _TOLERANCE:
            break
        free[int(np.argmax(gradient))] = True
        found = _solved(rows, wanted, found, free)
    return found


def _solved(rows: Vector, wanted: Vector, found: Vector, free: npt.NDArray[np.bool_]) -> Vector:
    """Steps towards the free ones' own solution, and holds at 0 what would fall below."""
    while True:
        trial = np.zeros_like(found)
        trial[free] = np.linalg.lstsq(rows[:, free], wanted, rcond=None)[0]
        below = free & (trial < 0)
        if not below.any():
            return trial
        step = float(np.min(found[below] / (found[below] - trial[below])))
        found = found + step * (trial - found)
        free &= ~(below & (found <= _TOLERANCE))
        found[~free] = 0.0


@dataclass(frozen=True)
class KindFit:
    """Times of one kind of op.

    Attributes:
        coefficients: microseconds for each of :data:`~.amounts.NAMES`.
        places: of the kernels that were timed, shape (n, 3), octaves.
        left: log of what each took over what the coefficients say, shape (n,).
        missed: likewise, of what the kind without that kernel says: how far a prediction of a new one is off.
    """

    coefficients: Vector
    places: Vector
    left: Vector
    missed: Vector

    def us(self, numbers: Vector, where: Vector) -> float:
        """Microseconds of one op."""
        return float(numbers @ self.coefficients * np.exp(_smoothed(self.places, self.left, where)))

    def distance(self, where: Vector) -> float:
        """Octaves to the nearest kernel, in the direction in which it is farthest."""
        return float(np.abs(self.places - where).max(axis=1).min())


def fit_kind(numbers: Vector, places: Vector, times: Vector) -> KindFit:
    """Fits one kind of op.

    Args:
        numbers: shape (n, 8), see :mod:`.amounts`.
        places: shape (n, 3).
        times: microseconds, shape (n,).
    """
    coefficients, left = _fitted(numbers, times)
    missed = np.array([_missed(numbers, places, times, index) for index in range(len(times))])
    return KindFit(coefficients, places, left, missed)


def _fitted(numbers: Vector, times: Vector) -> tuple[Vector, Vector]:
    """Coefficients, and what is left, of relative errors: a kernel of 2 us counts as much as one of 2 ms.

    Large errors count by their size, not by its square (Huber): one kernel that was disturbed must not bend all others.
    """
    scale = np.maximum(numbers.max(axis=0), 1e-12)
    rows, weights = numbers / scale / times[:, None], np.ones_like(times)
    for _ in range(_REWEIGHTED):
        coefficients = non_negative(rows * weights[:, None], weights) / scale
        left = np.log(times / np.maximum(numbers @ coefficients, 1e-9))
        weights = np.sqrt(np.minimum(1.0, _USUAL / np.maximum(np.abs(left), _USUAL)))
    return coefficients, left


def _missed(numbers: Vector, places: Vector, times: Vector, index: int) -> float:
    """Log of the time of one over what the others say of it."""
    if len(times) < 2:
        return float("nan")
    others = np.arange(len(times)) != index
    coefficients, left = _fitted(numbers[others], times[others])
    said = float(numbers[index] @ coefficients) * float(np.exp(_smoothed(places[others], left, places[index])))
    return float(np.log(times[index] / max(said, 1e-9)))


def _smoothed(places: Vector, left: Vector, where: Vector) -> float:
    """What neighbours took more or less than the fit says, by a Gaussian of their distance."""
    weights = np.exp(-((places - where) ** 2).sum(axis=1) / (2 * _WIDTH**2))
    return float(weights @ left / (weights.sum() + _PRIOR))


def towards(rows: Vector, wanted: Vector, prior: Vector, reach: Vector) -> Vector:
    """Least squares that stays near a prior: each coefficient within about its ``reach``, unless rows say otherwise.

    Args:
        rows: shape (n, k), scaled so that an error of 1 is a usual one.
        wanted: shape (n,).
        prior: shape (k,).
        reach: shape (k,), above 0.
    """
    scaled = rows * reach
    solved = np.linalg.solve(scaled.T @ scaled + np.eye(len(prior)), scaled.T @ (wanted - rows @ prior))
    found: Vector = prior + reach * solved
    return found
