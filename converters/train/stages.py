"""The stages that there are, and those of one recipe."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping

from edge_sdk.converters.train.distilling.distil import Taught
from edge_sdk.converters.train.stage import Context, Stage
from edge_sdk.errors import RecipeError

STAGES: dict[str, dict[str, str]] = {
    "distil": dict.fromkeys(("keras", "torch"), "edge_sdk.converters.train.distilling.distil:DistilStage"),
    "slim": dict.fromkeys(("keras", "torch"), "edge_sdk.converters.train.pruning.slim:SlimStage"),
    "prune": dict.fromkeys(("keras", "torch"), "edge_sdk.converters.train.pruning.prune:make_prune_stage"),
    "cluster": dict.fromkeys(("keras", "torch"), "edge_sdk.converters.train.cluster:ClusterStage"),
    "qat": {
        "keras": "edge_sdk.converters.train.qat.in_keras:QatStage",
        "torch": "edge_sdk.converters.train.qat.in_torch:QatStage",
    },
}
"""Stage to framework to ``module:class``. The order of stages is ``edge_sdk.recipe.training.STAGE_NAMES``."""


def make_stages(contexts: Mapping[str, Context]) -> list[Stage]:
    """The stages of a recipe, made in the order in which they are run.

    Args:
        contexts: stage name to what it is told, in order.

    Raises:
        RecipeError: a stage does not exist for the framework.
    """
    made = {name: _make(name, context) for name, context in contexts.items()}
    distil = getattr(made.get("distil"), "teaching", None)
    if distil is None:
        return list(made.values())

    during = distil.settings.during
    return [Taught(stage, distil) if name in during else stage for name, stage in made.items()]


def _make(name: str, context: Context) -> Stage:
    classes = STAGES.get(name, {})
    if context.framework.name not in classes:
        there = [stage for stage, found in STAGES.items() if context.framework.name in found]
        raise RecipeError(
            f"recipe {context.recipe.name}: there is no stage `{name}` for {context.framework.name}",
            hint=f"it has: {', '.join(there)}",
        )
    made: Stage = pkgutil.resolve_name(classes[context.framework.name])(context)
    return made
