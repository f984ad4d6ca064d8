"""Moves that train, the dearest: each file is that of a model that was trained for it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from edge_sdk.converters.search.records import Point
from edge_sdk.converters.search.view import Proposal, View
from edge_sdk.recipe import Recipe, check_recipe
from edge_sdk.recipe.training import Cluster, Distil, Prune, Qat

_FIRST, _MORE, _LESS = 0.3, (0.5, 0.7), (0.15,)
"""Shares of channels that are taken out: at first, and where that is accurate, or is not."""
_CLUSTERS = (64, 32, 16)
"""Values of each layer."""


def qat(view: View) -> Generator[Proposal, Point, None]:
    """Training with the rounding of the int8 file in place, where int8 loses too much; then with a teacher besides."""
    best, point = view.best, view.plain
    if view.training is None or not _is_int8(view.base) or point is None or point.accurate:
        return
    if best is not None and _is_int8(best.recipe) and not best.spared and not best.recipe.train:
        return  # all in int8 and accurate: training makes it no faster
    trained = yield Proposal(_trained(view, "qat", qat=Qat()), "int8 loses too much: it is trained with the rounding")
    if not trained.accurate:
        teacher = Distil(epochs=0, outputs=view.training.teaches, during=("qat",))
        recipe = _trained(view, "qat_taught", qat=Qat(), distil=teacher)
        yield Proposal(recipe, "training with the rounding was not enough: the source teaches as well")


def prune(view: View) -> Generator[Proposal, Point, None]:
    """Channels taken out and the rest trained on, in int8 with the rounding in place: more where that is accurate."""
    if view.training is None:
        return
    point = yield _pruned(view, _FIRST)
    for ratio in _LESS if point.score is not None and not point.accurate else _MORE:
        if point.file is None or (point.fits and view.budgets.objective == "metric"):
            return
        point = yield _pruned(view, ratio)
        if point.score is not None and not point.accurate:
            return


def cluster(view: View) -> Generator[Proposal, Point, None]:
    """Few values for the weights of each layer, where the compressed file is too large: the most that fit, first."""
    most = view.budgets.max_compressed_mib
    if view.training is None or most is None or (view.best is not None and view.best.order):
        return
    for count in _CLUSTERS:
        stages: dict[str, Any] = {"cluster": Cluster(clusters=count)}
        if _is_int8(view.base):
            stages["qat"] = Qat()
        recipe = _trained(view, f"clustered_{count}", **stages)
        point = yield Proposal(recipe, f"{count} values for the weights of each layer, which compress well")
        if point.file is None or point.fits or (point.score is not None and not point.accurate):
            return


def _pruned(view: View, ratio: float) -> Proposal:
    stages: dict[str, Any] = {"prune": Prune(pattern="structured", pruning_ratio=ratio)}
    if _is_int8(view.base):
        stages["qat"] = Qat()
    recipe = _trained(view, f"pruned_{ratio * 100:.0f}", **stages)
    return Proposal(recipe, f"{ratio:.0%} of the channels are taken out, and the rest is trained on")


def _trained(view: View, word: str, **stages: Any) -> Recipe:
    if view.training is None:
        raise ValueError("there is training data")
    table = replace(view.training.table, **stages)
    changed = replace(view.base, name=f"{word}_{view.base.name}", short_names=(), train=table)
    return check_recipe(changed, where=changed.name)


def _is_int8(recipe: Recipe) -> bool:
    return recipe.mode == "static_range" and recipe.activations.dtype == "int8"
