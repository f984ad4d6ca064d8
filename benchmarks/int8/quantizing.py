"""An int8 file of a float .tflite by the steps that ``convert`` takes, without the proof around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_sdk.artifact.model import read_artifact
from edge_sdk.converters.device import floats_of_tuning, in_forms_of_delegate, in_narrow_windows
from edge_sdk.converters.quantize import static_range
from edge_sdk.converters.quantize.forms.integer_forms import with_integer_forms
from edge_sdk.converters.quantize.tuning import float_spans, tuning
from edge_sdk.converters.quantize.tuning.budget import Asked
from edge_sdk.data import spool
from edge_sdk.data.opening import DataSource
from edge_sdk.engines.values import specs_of
from edge_sdk.recipe import find_recipe
from edge_sdk.signature import Arrays

PLAIN: dict[str, Any] = {"calibration": "minmax", "bias_correction": False, "forms": "plain"}
"""Observed extremes and TFLiteConverter's quantizer: what TFLiteConverter itself does."""


def int8_of(source: Path, target: Path, samples: Sequence[Arrays], **changes: Any) -> Path:
    """Writes the int8 file, and returns the float file that explains its constants.

    Args:
        source: the float file.
        target: where to; what the steps leave lies beside it.
        samples: to calibrate on, in the float file's layout.
        changes: of the recipe.
    """
    recipe = replace(find_recipe("int8"), **changes)
    ready, part = target.with_suffix(".ready.tflite"), target.with_suffix(".part.tflite")
    data = with_integer_forms(source.read_bytes(), recipe)
    narrow = in_narrow_windows(data, recipe, None)
    ready.write_bytes(data if narrow is None else narrow[0])
    specs = specs_of(read_artifact(source).signature.inputs)
    given = DataSource("calibration data", len(samples), lambda: iter(samples))
    store, _ = spool(given, specs, target.with_suffix(".samples"))
    made = static_range.quantize(str(ready), str(part), recipe.as_json(), str(store.folder), {})
    if recipe.tune:
        kept = str(target.with_suffix(".checkpoint"))
        files = tuning.files_of(made)
        asked = Asked(minutes=recipe.tune_minutes, checkpoint=kept, seed=0)
        made |= tuning.tune(str(part), files, str(store.folder), {}, asked=asked)
        files = {"reference": files["reference"], "explained": made.get("explained", files["reference"])}
        asked["spent"] = made["spent"]
        floats = floats_of_tuning(recipe, None)
        made |= float_spans.leave_in_float(str(part), files, str(store.folder), {}, floats=floats, asked=asked)
        tuning.forget(Path(kept))
    explained = Path(made.get("explained", ready))
    placed = in_forms_of_delegate(part.read_bytes(), recipe, None, explained.read_bytes())
    target.write_bytes(part.read_bytes() if placed is None else placed.data)
    return explained
