"""What `edge-sdk convert` does besides, for recipes that train."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_sdk.converters.reports.conversion import ConversionReport


def check_sensitivity(picture: Path, recipes: tuple[str, ...]) -> None:
    """Said before training, not after it."""
    from edge_sdk.errors import RecipeError
    from edge_sdk.recipe import find_recipe
    from edge_sdk.report.sensitivity import check_drawable

    trains = [find_recipe(name).train for name in recipes]
    if len(recipes) != 1 or not (trains[0] and trains[0].prune and trains[0].prune.by_sensitivity):
        raise RecipeError(
            f"--sensitivity: {', '.join(recipes)} does not prune by sensitivity",
            hint="one recipe whose [train.prune] has a macs_ratio, size_ratio or time_ratio, or allocation = "
            '"sensitivity"',
        )
    check_drawable(picture)


def draw(result: ConversionReport, picture: Path) -> None:
    """Draws what each layer can lose, where a stage looked for it."""
    from edge_sdk.report.sensitivity import draw_sensitivity

    training = result.training
    for stage in training.stages if training else ():
        if "sensitivity" in stage.facts:
            draw_sensitivity(stage.facts["sensitivity"], picture, metric=training.metric if training else "")


def checkpoint_for(given: str | None, outputs: dict[str, Path], *, tune: bool = False) -> str | None:
    """Where training and tuning keep their checkpoints, beside the output unless the user says otherwise."""
    from edge_sdk.recipe import find_recipe

    recipes = {name: find_recipe(name) for name in outputs}
    training = [path for name, path in outputs.items() if recipes[name].train or recipes[name].tune or tune]
    if given or not training:
        return given
    return f"{training[0]}.checkpoint"
