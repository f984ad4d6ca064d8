"""What pruning and clustering won, kept while something else is trained: zeros stay zero, equal weights stay equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_sdk.converters.train.clusters import Clusters, same_values
from edge_sdk.converters.train.kernels import Kernel, kernels_of
from edge_sdk.converters.train.masks import Mask


class Masked:
    """Kernels with weights that stay zero; masks live where the weights do, so that no step copies weights.

    Args:
        masks: kernels with what stays, in TFLite's order.
    """

    def __init__(self, masks: Sequence[tuple[Kernel, Mask]]) -> None:
        self._pairs = [(kernel.variable, _beside(kernel, mask)) for kernel, mask in masks]

    def apply(self) -> None:
        """Sets them to zero again."""
        for variable, mask in self._pairs:
            if hasattr(variable, "detach"):
                variable.data.mul_(mask)
            else:
                variable.assign(variable * mask)


class Shared:
    """Kernels whose weights move in clusters.

    Args:
        clusters: kernels with the cluster of each weight.
    """

    def __init__(self, clusters: Sequence[tuple[Kernel, Clusters]]) -> None:
        self.clusters = list(clusters)

    def apply(self) -> None:
        """Every weight becomes the mean of its cluster."""
        for kernel, clusters in self.clusters:
            kernel.write(clusters.share(kernel.read()))


class Preserved:
    """What an earlier stage won in a model, found in its weights: for every later stage to put back after each step.

    A kernel counts as pruned if at least ``zeros`` of it is exactly zero, as clustered if it holds at most
    ``most_clusters`` distinct values and each at least twice on average.

    Args:
        model: with the weights that the earlier stages left.
        keep_zeros: whether zeros are kept.
        keep_clusters: whether equal weights are kept equal; their zeros then stay zero as well.
    """

    def __init__(
        self,
        model: Any,
        *,
        keep_zeros: bool,
        keep_clusters: bool,
        zeros: float = 0.01,
        most_clusters: int = 256,
    ) -> None:
        masks, shared = [], []
        for kernel in kernels_of(model):
            values = kernel.read()
            clusters = same_values(values)
            if keep_clusters and clusters.count <= min(most_clusters, values.size // 2):
                shared.append((kernel, clusters))
            elif keep_zeros and float((values == 0).mean()) >= zeros:
                masks.append((kernel, values != 0))
        self.pruned = [kernel.key for kernel, _ in masks]
        self.clustered = [kernel.key for kernel, _ in shared]
        self._masked, self._shared = Masked(masks), Shared(shared)

    def apply(self) -> None:
        """After each step of the optimizer."""
        self._masked.apply()
        self._shared.apply()


def _beside(kernel: Kernel, mask: Mask) -> Any:
    """The mask in the variable's own order and type, on its device."""
    raw = np.ascontiguousarray(np.transpose(mask, np.argsort(kernel.order))).astype(np.float32)
    if hasattr(kernel.variable, "detach"):
        import torch

        return torch.from_numpy(raw).to(kernel.variable.device, kernel.variable.dtype)
    import tensorflow as tf

    return tf.constant(raw, kernel.variable.dtype)
