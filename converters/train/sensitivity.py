"""How much of each layer a model can lose: the user's metric against the ratio, layer by layer, nothing retrained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.converters.train.stage import Context
from edge_sdk.errors import MissingDependencyError
from edge_sdk.files import replacing


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

    def table(self) -> str:
        """Layers against ratios, the most sensitive first."""
        ordered = sorted(self.curves, key=lambda curve: -sum(self.drops(curve)))
        width = max((len(curve.name) for curve in ordered), default=5)
        lines = [" ".join([f"{'layer':{width}}", *(f"{ratio:>8.0%}" for ratio in self.ratios)])]
        lines += [" ".join([f"{c.name:{width}}", *(f"{metric:8.4f}" for metric in c.metrics)]) for c in ordered]
        return "\n".join(lines)

    def draw(self, path: Path, *, metric: str = "metric") -> None:
        """Writes the curves as a picture: ``.png``, ``.svg`` or ``.pdf``.

        Raises:
            MissingDependencyError: matplotlib is absent.
            OutputError: the file cannot be written.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise MissingDependencyError("matplotlib", extra="report", why="drawing the sensitivity") from error
        figure = Figure(figsize=(8, 5), layout="constrained")
        axes = figure.add_subplot()
        for curve in self.curves:
            axes.plot([0.0, *self.ratios], [self.whole, *curve.metrics], marker="o", markersize=3, label=curve.name)
        axes.set(xlabel=f"share of {self.of}, this layer alone", ylabel=f"{metric}, before any retraining")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="x-small", ncols=2)
        with replacing(path) as temporary:
            figure.savefig(temporary, format=path.suffix.lstrip(".") or "png")


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
    curves, total = [], len(names) * len(ratios)
    for name in names:
        metrics = []
        for ratio in ratios:
            metrics.append(tried(name, ratio))
            context.progress.count(len(curves) * len(ratios) + len(metrics), total)
        curves.append(Curve(name, tuple(metrics)))
    return Sensitivity(of, tuple(ratios), whole, tuple(curves), context.higher_is_better)
