"""What is laid over a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

from edge_sdk.errors import RecipeError
from edge_sdk.recipe import (
    CalibrationMethod,
    Forms,
    Granularity,
    Int16,
    IoType,
    KeepFloat,
    Recipe,
    change_recipe,
    check_recipe,
    find_recipe,
)


class RecipeOptions(TypedDict, total=False):
    """What is laid over a recipe."""

    io: IoType | None
    """Type of inputs and outputs, over the recipe's."""
    granularity: Granularity | None
    """Scales of int8 weights, over the recipe's."""
    mixed_weights: bool | None
    """Whether embeddings and the first and last layers stay in int8 beside int4 weights; the recipe's, which is no."""
    keep_float_ops: Sequence[str]
    """Regular expressions of op types left in float."""
    keep_float_tensors: Sequence[str]
    """Likewise for the names of ops' results."""
    int16_ops: Sequence[str]
    """Regular expressions of op types that have activations in int16 in an int8 file."""
    int16_tensors: Sequence[str]
    """Likewise for the names of ops' results."""
    calibration_method: CalibrationMethod | None
    """How ranges of int8 activations are set, over the recipe's; ``auto`` chooses for each tensor."""
    bias_correction: bool | None
    """Whether int8 biases make up for what rounding the weights does to the means of channels; the recipe's, which is
    yes."""
    equalize: bool | None
    """Whether channels are brought to like ranges before int8 (cross-layer equalization, smoothing behind norms), where
    that brings the outputs nearer; by default where weights have one scale, and across gates where outputs are poor."""
    forms: Forms | None
    """``plain`` leaves integer files as the quantizer writes them; ``delegate`` in the forms that XNNPACK takes."""
    tune: bool | None
    """Whether int8 or int4 weights are rounded anew, layer by layer, against the float file on calibration data; the
    recipe's, which is no."""
    tune_float: float | None
    """Percent of its work that ``tune`` may leave in float where outputs are surely nearer with it, 0 to 100; the
    recipe's, which is 20."""
    tune_minutes: float | None
    """Minutes by the clock that ``tune`` may take, over 0; the recipe's, which are 10. Where they are over the best
    state by then is taken, and the report says how far it came."""
    min_sqnr_db: float | None
    """What every output must reach, instead of the derived bound."""


def recipe_from(recipe: str | Path | Recipe, options: RecipeOptions) -> Recipe:
    """The recipe with the options laid over it.

    Raises:
        RecipeError: unknown, or contradicted by the options, or one of them bounds what is not asked for.
    """
    changed = change_recipe(
        recipe if isinstance(recipe, Recipe) else find_recipe(recipe),
        io=options.get("io"),
        granularity=options.get("granularity"),
        keep=KeepFloat(tuple(options.get("keep_float_ops", ())), tuple(options.get("keep_float_tensors", ()))),
        calibration=options.get("calibration_method"),
        min_sqnr_db=options.get("min_sqnr_db"),
    )
    corrected, tuned = options.get("bias_correction"), options.get("tune")
    equalized, mixed = options.get("equalize"), options.get("mixed_weights")
    whole = replace(
        changed,
        weights=replace(changed.weights, mixed=changed.weights.mixed if mixed is None else mixed),
        bias_correction=changed.bias_correction if corrected is None else corrected,
        tune=changed.tune if tuned is None else tuned,
        tune_float=changed.tune_float if (share := options.get("tune_float")) is None else share,
        tune_minutes=changed.tune_minutes if (most := options.get("tune_minutes")) is None else most,
        equalize=changed.equalize if equalized is None else equalized,
        forms=options.get("forms") or changed.forms,
        int16=Int16(
            (*changed.int16.ops, *options.get("int16_ops", ())),
            (*changed.int16.tensors, *options.get("int16_tensors", ())),
        ),
    )
    idle = [name for name in ("tune_float", "tune_minutes") if options.get(name) is not None and not whole.tune]
    if idle:
        raise RecipeError(f"{whole.name}: {idle[0]} is for what tune does, and it is not asked for", hint="add --tune")
    return check_recipe(whole, where=whole.name)
