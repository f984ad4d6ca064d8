"""What pruning and clustering won, kept while weights are trained: zeros stay zero, equal weights stay equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_sdk.converters.train.weights.clusters import Clusters
from edge_sdk.converters.train.weights.kernels import Kernel
from edge_sdk.converters.train.weights.masks import Mask


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


def _beside(kernel: Kernel, mask: Mask) -> Any:
    """The mask in the variable's own order and type, on its device."""
    raw = np.ascontiguousarray(np.transpose(mask, np.argsort(kernel.order))).astype(np.float32)
    if hasattr(kernel.variable, "detach"):
        import torch

        return torch.from_numpy(raw).to(kernel.variable.device, kernel.variable.dtype)
    import tensorflow as tf

    return tf.constant(raw, kernel.variable.dtype)
