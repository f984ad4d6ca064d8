"""How much of each layer a model can lose: the user's metric against the ratio, layer by layer, nothing retrained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_sdk.converters.train.stage import Context


@dataclass(frozen=True)
class Curve:
    """One layer's metrics, one for each ratio."""

    name: str
    metrics: tuple[float, ...]


@dataclass(frozen=True)
class Sensitivity:
    """The analysis of a model.

    Attributes:
        of: what the ratios are a share of.
        ratios: rising, those tried on every layer.
        whole: the metric of the model as it is.
        curves: one for each layer, in the model's order.
        higher_is_better: of the metric.
    """

    of: str
    ratios: tuple[float, ...]
    whole: float
    curves: tuple[Curve, ...]
    higher_is_better: bool = True

    def drops(self, curve: Curve) -> tuple[float, ...]:
        """What each ratio costs, from 0; never falling, for a lucky larger ratio is no reason to go there."""
        sign = 1 if self.higher_is_better else -1
        raw = [max(0.0, sign * (self.whole - metric)) for metric in curve.metrics]
        return tuple(np.maximum.accumulate(raw).tolist())

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "of": self.of,
            "whole": self.whole,
            "ratios": list(self.ratios),
            "layers": {curve.name: list(curve.metrics) for curve in self.curves},
        }


def measure_sensitivity(
    names: Sequence[str],
    ratios: Sequence[float],
    tried: Callable[[str, float], float],
    whole: float,
    context: Context,
    *,
    of: str,
) -> Sensitivity:
    """Tries every ratio on every layer alone.

    Args:
        names: of layers.
        ratios: rising, each between 0 and 1.
        tried: the metric with that share of that layer gone; leaves the model as it was.
        whole: the metric of the model as it is.
        context: hears the progress.
        of: what is removed, for the table.
    """
    context.progress.stage("prune: sensitivity of each layer")
    curves: list[Curve] = []
    total = len(names) * len(ratios)
    for name in names:
        metrics = []
        for ratio in ratios:
            metrics.append(tried(name, ratio))
            context.progress.count(len(curves) * len(ratios) + len(metrics), total)
        curves.append(Curve(name, tuple(metrics)))
    return Sensitivity(of, tuple(ratios), whole, tuple(curves), context.higher_is_better)
