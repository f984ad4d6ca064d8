"""A model on its way through training, as the float file that it would become."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from edge_sdk.converters.jobs import Job
from edge_sdk.converters.options import Options, recipe_from, settings_from
from edge_sdk.converters.pipeline import run_jobs


def lower(convertible: object, path: Path, options: Mapping[str, Any]) -> None:
    """Writes the float32 file, whether it computes what the model computes or not.

    Args:
        convertible: what ``convert`` takes.
        path: of the file.
        options: keyword arguments of ``convert``: how to open and lower.
    """
    told = cast("Options", {**options, "timing": False, "keep_unverified": True})
    list(run_jobs(convertible, [Job(recipe_from("float32", told), path)], settings_from(told)))
