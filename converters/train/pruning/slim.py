"""Slimming: a price on the scales of batch norms, so that channels that are not needed come near zero before a cut.

Network slimming (Liu et al., ICCV 2017): the loss has ``strength`` times the sum of the scales' absolute values. A
later stage ``prune`` with ``score = "scale"`` takes those channels out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edge_sdk.converters.train.pruning.scores import scales_of
from edge_sdk.converters.train.stage import Batch, Context, PlainStage
from edge_sdk.errors import TrainingError
from edge_sdk.findings import Finding
from edge_sdk.recipe.training import Slim

_SMALL = 0.01
"""Share of a norm's largest scale below which a channel counts as not needed, in the report alone."""


class SlimStage(PlainStage):
    """Trains with an L1 price on the scales of all batch norms."""

    name = "slim"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        if not isinstance(context.settings, Slim):
            raise TypeError(f"expected the settings of a slim stage, got {context.settings}")
        self._strength = context.settings.strength
        self._scales: list[Any] = []
        self._small: list[float] = []

    def check(self, model: Any) -> list[Finding]:
        """Nothing to find.

        Raises:
            TrainingError: no batch norm has scales.
        """
        if not scales_of(self.context.framework.name, model):
            raise TrainingError(
                "slim: the model has no batch norm with scales",
                hint="leave [train.slim] out; score = activation or taylor need none",
            )
        return []

    def prepare(self, model: Any) -> Any:
        """A copy, whose scales are watched."""
        model = self.context.framework.copy(model)
        self._scales = scales_of(self.context.framework.name, model)
        self._small = [self._share()]
        return model

    def loss(self, loss: Any, batch: Batch, outputs: Mapping[str, Any]) -> Any:  # noqa: ARG002
        """The loss with the price of the scales."""
        if self.context.framework.name == "keras":
            import tensorflow as tf

            price = tf.add_n([tf.reduce_sum(tf.abs(tf.convert_to_tensor(scale))) for scale in self._scales])
        else:
            price = sum(scale.abs().sum() for scale in self._scales)
        return loss + self._strength * price

    def finish(self, model: Any) -> Any:
        """The model as it was trained."""
        self._small = [*self._small[:1], self._share()]
        return model

    def facts(self) -> dict[str, Any]:
        """Strength, how many scales, and the share of them that is small, before and after."""
        return {
            "strength": self._strength,
            "scales": sum(int(np.prod(tuple(scale.shape))) for scale in self._scales),
            "small scales": self._small,
        }

    def _share(self) -> float:
        values = [np.abs(_values(scale)) for scale in self._scales]
        small = sum(int((one < _SMALL * one.max()).sum()) for one in values)
        return round(float(small / sum(one.size for one in values)), 4)


def _values(scale: Any) -> Any:
    return np.asarray(scale.detach().cpu() if hasattr(scale, "detach") else scale)
