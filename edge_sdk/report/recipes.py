"""Recipes in words: which one when."""

from __future__ import annotations

from collections.abc import Sequence

from edge_sdk.recipe import Recipe
from edge_sdk.recipe.training import STAGE_NAMES
from edge_sdk.report.lines import field

_WHEN = (
    ("first try, or a reference to compare with", "float32"),
    ("a GPU, or half the size without data", "float16"),
    ("a quarter of the size without data, on CPUs", "dynamic_wi8_afp32"),
    ("speed on CPUs and most NPUs, with 100 to 500 samples", "static_wi8_ai8"),
    ("an accelerator that takes integers only, ends included", "static_wi8_ai8_io8"),
    ("an accelerator that takes one scale for each tensor", "static_wi8_ai8_per_tensor"),
    ("int8 lost accuracy, and there are labels", "qat_wi8_ai8"),
    ("int8 lost accuracy on an NPU or DSP that has int16", "static_wi8_ai16"),
    ("an eighth of the size, for dense layers on CPUs", "dynamic_wi4_afp32"),
    ("fewer multiplications, and there are labels", "pruned_structured_30"),
)
_NEEDS = ("nothing", "calibration", "training data")


def needs_of(recipe: Recipe) -> str:
    """What a user must have for it: ``nothing``, ``calibration`` or ``training data``."""
    if recipe.train is not None:
        return "training data"
    return "calibration" if recipe.needs_calibration else "nothing"


def _beside(recipe: Recipe) -> str:
    if not recipe.weights.mixed:
        return ""
    return "; int8 in embeddings, first and last layers"


def recipes_text(every: Sequence[Recipe]) -> str:
    """Which one when, then all of them by what they need."""
    width = max(len(when) for when, _ in _WHEN)
    known = {recipe.name for recipe in every}
    lines = ["which one when"]
    lines += [f"  {when:<{width}}  {name}" for when, name in _WHEN if name in known]
    lines.append(f"  {'a certain device':<{width}}  none: convert --profile ID chooses and says why")
    for need in _NEEDS:
        lines += ["", f"needs {need}"]
        for recipe in [one for one in every if needs_of(one) == need]:
            short = f" ({', '.join(recipe.short_names)})" if recipe.short_names else ""
            lines.append(f"  {recipe.name}{short}")
            lines.append(f"      {recipe.description}")
    return "\n".join([*lines, "", "one in full: edge-sdk recipes NAME; your own: a .toml file, convert -r mine.toml"])


def recipe_text(recipe: Recipe) -> str:
    """One recipe in full."""
    kept = [*recipe.keep_float.ops, *recipe.keep_float.tensors]
    stages = [name for name in STAGE_NAMES if getattr(recipe.train, name, None)]
    wide = [*recipe.int16.ops, *recipe.int16.tensors]
    lines = [
        f"{recipe.name}: {recipe.description}",
        field("also named", ", ".join(recipe.short_names) or "-"),
        field("needs", needs_of(recipe)),
        field("weights", f"{recipe.weights.dtype}, {recipe.weights.granularity}{_beside(recipe)}"),
        field("activations", recipe.activations.dtype),
        field("ends", recipe.io),
        field("in float", ", ".join(kept) or "nothing by name"),
    ]
    if wide:
        lines.append(field("in int16", ", ".join(wide)))
    if recipe.train is not None:
        lines.append(field("trains", f"{', '.join(stages) or 'by the loss alone'}; {recipe.train.epochs} epochs"))
    return "\n".join([*lines, field("use", f"edge-sdk convert SOURCE -r {recipe.name}")])
