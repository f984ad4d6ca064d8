"""Ratios for all layers at once: more from layers that hardly matter, less from others, until a budget is met."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from edge_sdk.converters.train.pruning.sensitivity import Sensitivity
from edge_sdk.errors import TrainingError

_ROUNDS = 24
# The most sensitive layer loses a third of what the least sensitive does. What a layer costs alone, before any
# training, is a hint and no more: ratios that follow it all the way empty single layers and train back worse.
_LEAST, _MOST = 0.5, 1.5


def allocate(
    sensitivity: Sensitivity,
    left: Callable[[Mapping[str, float]], float],
    budget: float,
    *,
    what: str,
    rounds: int = _ROUNDS,
) -> dict[str, float]:
    """The mildest ratios that meet a budget: one ratio for all, sought by bisection, times each layer's own factor.

    Args:
        sensitivity: the analysis.
        left: what is left of the model under some ratios, as a share of the whole; falls as they rise.
        budget: the share to come down to.
        what: the budget in words.
        rounds: of bisection.

    Raises:
        TrainingError: the largest ratio that was tried, in every layer, does not meet it.
    """
    factors, most = layer_factors(sensitivity), sensitivity.ratios[-1]

    def at(ratio: float) -> dict[str, float]:
        return {name: min(ratio * factor, most) for name, factor in factors.items()}

    low, high = 0.0, most / _LEAST
    if (least := left(at(high))) > budget:
        raise TrainingError(
            f"prune: a {what} of {budget:.1%} cannot be reached: {most:.0%} of every layer that may be pruned leaves "
            f"{least:.1%}",
            hint="ask for less, exclude fewer layers, or raise the last of `ratios`",
        )
    for _ in range(rounds):
        middle = (low + high) / 2
        low, high = (low, middle) if left(at(middle)) <= budget else (middle, high)
    return at(high)


def layer_factors(sensitivity: Sensitivity) -> dict[str, float]:
    """Layer to factor, from 1.5 for one that costs nothing to 0.5 for the one that costs most, over all ratios."""
    costs = {curve.name: float(np.mean(sensitivity.drops(curve))) for curve in sensitivity.curves}
    worst = max(costs.values(), default=0.0)
    if worst == min(costs.values(), default=0.0):
        return dict.fromkeys(costs, 1.0)
    return {name: _MOST - (_MOST - _LEAST) * cost / worst for name, cost in costs.items()}
