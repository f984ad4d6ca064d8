"""Ratios for all layers at once: as much as the least sensitive can lose, until a budget is met."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge_sdk.converters.train.sensitivity import Sensitivity
from edge_sdk.errors import TrainingError

_ROUNDS = 24


def allocate(
    sensitivity: Sensitivity,
    left: Callable[[Mapping[str, float]], float],
    budget: float,
    *,
    what: str,
    rounds: int = _ROUNDS,
) -> dict[str, float]:
    """The mildest ratios that meet a budget.

    One number is sought, by bisection: what a layer may cost alone. Each gets the largest ratio that costs no more.
    A small part of the number is the ratio itself, so that layers which cost nothing at all still rise together
    instead of all going to the largest ratio at once.

    Args:
        sensitivity: the analysis.
        left: what is left of the model under some ratios, as a share of the whole; falls as they rise.
        budget: the share to come down to.
        what: the budget in words.
        rounds: of bisection.

    Raises:
        TrainingError: the largest ratios that were tried do not meet it.
    """

    def at(level: float) -> dict[str, float]:
        most = sensitivity.ratios[-1]
        worst = max((sensitivity.drops(curve)[-1] for curve in sensitivity.curves), default=0.0) or 1.0
        return {
            # Twice the level: from the middle of the way on, only sensitivity holds a ratio back.
            curve.name: min(sensitivity.ratio_at(curve, level * worst), 2 * level * most)
            for curve in sensitivity.curves
        }

    if (least := left(at(1.0))) > budget:
        raise TrainingError(
            f"prune: a {what} of {budget:.1%} cannot be reached: {sensitivity.ratios[-1]:.0%} of every layer that may "
            f"be pruned leaves {least:.1%}",
            hint="ask for less, exclude fewer layers, or raise the last of `ratios`",
        )
    low, high = 0.0, 1.0
    for _ in range(rounds):
        middle = (low + high) / 2
        low, high = (low, middle) if left(at(middle)) <= budget else (middle, high)
    return at(high)
