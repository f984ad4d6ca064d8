"""Clustering: every layer's weights share a few values, and train as those few."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.train.stage import Context, Moment, PlainStage
from edge_sdk.converters.train.weights.clusters import Clusters, find_clusters
from edge_sdk.converters.train.weights.kernels import Kernel, chosen_kernels
from edge_sdk.converters.train.weights.preserve import Shared
from edge_sdk.errors import TrainingError
from edge_sdk.findings import Finding
from edge_sdk.recipe.training import Cluster


class ClusterStage(PlainStage):
    """Replaces weights by the centroid nearest to them, and trains the centroids.

    Zeros that pruning left are a cluster of their own and stay exactly zero.
    """

    name = "cluster"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        if not isinstance(context.settings, Cluster):
            raise TypeError(f"expected the settings of a cluster stage, got {context.settings}")
        self._settings = context.settings
        self._shared = Shared([])

    def check(self, model: Any) -> list[Finding]:
        """Names every layer with no more weights than clusters.

        Raises:
            TrainingError: there are such layers.
        """
        few = [k for k in self._chosen(model) if k.size <= self._settings.clusters]
        if few:
            raise TrainingError(
                f"cluster: {len(few)} layers have no more than {self._settings.clusters} weights: "
                + ", ".join(f"{k.key} ({k.size})" for k in few),
                hint="leave them out with `exclude` under [train.cluster], or ask for fewer clusters",
            )
        return []

    def prepare(self, model: Any) -> Any:
        """A copy, with every weight moved to its centroid."""
        model = self.context.framework.copy(model)
        count = self._settings.clusters
        kernels = self._chosen(model)
        self._shared = Shared([(k, _clusters(k, count)) for k in kernels])
        self._shared.apply()
        return model

    def after_step(self, model: Any, moment: Moment) -> None:  # noqa: ARG002 - kernels are known
        """Equal weights stay equal."""
        self._shared.apply()

    def finish(self, model: Any) -> Any:
        """The shared weights."""
        self._shared.apply()
        return model

    def facts(self) -> dict[str, Any]:
        """Distinct weights for each layer."""
        return {
            "clusters": self._settings.clusters,
            "distinct": {k.key: len(np.unique(k.read())) for k, _ in self._shared.clusters},
        }

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Which cluster each weight belongs to."""
        return {
            f"{k.key}.{key}": values
            for k, clusters in self._shared.clusters
            for key, values in (("indices", clusters.indices), ("zero", np.asarray([clusters.count, clusters.zero])))
        }

    def load_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Puts it back."""
        found = []
        for kernel, clusters in self._shared.clusters:
            if (indices := state.get(f"{kernel.key}.indices")) is None:
                found.append((kernel, clusters))
                continue
            count, zero = state[f"{kernel.key}.zero"].tolist()
            found.append((kernel, Clusters(indices.astype(np.int32), count, zero)))
        self._shared = Shared(found)

    def _chosen(self, model: Any) -> list[Kernel]:
        return chosen_kernels(model, self._settings.exclude, stage="cluster", smallest=self._settings.smallest)


def _clusters(kernel: Kernel, count: int) -> Clusters:
    return find_clusters(kernel.read(), count, keep_zeros=True)
