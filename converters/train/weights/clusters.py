"""Shared weights: one-dimensional k-means, and weights that move as their centroid does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int32]

_ROUNDS = 50


@dataclass(frozen=True)
class Clusters:
    """Which centroid each weight belongs to; ``zero`` is the one that stays exactly zero, -1 for none."""

    indices: Indices
    count: int
    zero: int = -1

    def share(self, values: Values) -> Values:
        """Every weight becomes the mean of its cluster.

        After a step of plain gradient descent that is the step that the centroids themselves would have made with
        the mean of their weights' gradients (Han et al., 2016, sum them: the learning rate is theirs times the
        cluster's size); under Adam it is a projection onto shared values.
        """
        shared: Values = self.centroids(values)[self.indices]
        return shared

    def centroids(self, values: Values) -> Values:
        """The mean of each cluster, in float32; 0 for the zero cluster and for empty ones."""
        flat = self.indices.ravel()
        sums = np.bincount(flat, values.ravel().astype(np.float64), self.count)
        sizes = np.bincount(flat, minlength=self.count)
        means: Values = (sums / np.maximum(sizes, 1)).astype(np.float32)
        if self.zero >= 0:
            means[self.zero] = 0.0
        return means


def find_clusters(values: Values, count: int, *, keep_zeros: bool) -> Clusters:
    """k-means on the values, begun with centroids spread evenly over their range; deterministic.

    An even spread keeps centroids for the few large weights, which matter most (Han et al., 2016, found it better
    than random or density-based starts).

    Args:
        values: of any shape.
        count: clusters at most, the zero cluster included; as many as there are distinct values if those are fewer.
        keep_zeros: zeros are a cluster of their own and stay exactly zero.
    """
    flat = values.ravel()
    zeros = flat == 0
    own = keep_zeros and bool(zeros.any())
    rest = flat[~zeros] if own else flat
    centroids = _k_means(rest.astype(np.float64), count - own) if rest.size else np.zeros(0)
    indices = _nearest(flat, centroids) if len(centroids) else np.zeros(flat.shape, np.int32)
    if own:
        indices = np.where(zeros, len(centroids), indices).astype(np.int32)
    return Clusters(indices.reshape(values.shape), len(centroids) + own, len(centroids) if own else -1)


def _k_means(values: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.float64]:
    """Sorted centroids; on a line the nearest one is found by bisection, so that each round is a sort's cost."""
    ordered: npt.NDArray[np.float64] = np.sort(values)
    distinct: npt.NDArray[np.float64] = np.unique(ordered)
    if len(distinct) <= count:
        return distinct
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    centroids = np.linspace(ordered[0], ordered[-1], count)
    for _ in range(_ROUNDS):
        edges = np.searchsorted(ordered, (centroids[1:] + centroids[:-1]) / 2)
        begin, end = np.concatenate([[0], edges]), np.concatenate([edges, [len(ordered)]])
        means = np.where(end > begin, (sums[end] - sums[begin]) / np.maximum(end - begin, 1), centroids)
        if np.array_equal(means, centroids):
            break
        centroids = np.sort(means)
    found: npt.NDArray[np.float64] = centroids
    return found


def _nearest(values: Values, centroids: npt.NDArray[np.float64]) -> Indices:
    return np.searchsorted((centroids[1:] + centroids[:-1]) / 2, values).astype(np.int32)
