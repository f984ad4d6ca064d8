"""Shared contracts: what holds for every front end and every recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.artifact import read_artifact
from edge_sdk.artifact.note import note_of
from edge_sdk.converters import Options, Workers, convert_all
from edge_sdk.converters.reports.conversion import ConversionReport
from edge_sdk.recipe import find_recipe
from edge_sdk.runtime import Runner

COMPUTES = {
    "float": "float32",
    "float16": "float32",
    "weight_only": "float32",
    "dynamic_range": "hybrid_int8",
    "static_range": "int8",
}


def check_conversion(
    source: object,
    folder: Path,
    workers: Workers,
    recipes: Sequence[str] = ("float32",),
    *,
    inputs: Mapping[str, tuple[tuple[int, ...], str]],
    outputs: Mapping[str, tuple[int, ...]],
    options: Options | None = None,
) -> list[ConversionReport]:
    """Converts, then checks what every conversion must hold.

    The file is verified against its source; its one signature has the source's names in the source's order with the
    shapes and dtypes given; it runs; it says what made it; and nothing but the files asked for is left.
    """
    paths = {recipe: folder / f"{recipe}.tflite" for recipe in recipes}
    before = set(folder.iterdir())
    given: Options = {"workers": workers, "timing": False, **(options or {})}
    reports = list(convert_all(source, paths, **given))
    assert set(folder.iterdir()) - before == set(paths.values())
    for recipe, report in zip(recipes, reports, strict=True):
        _check_report(report, recipe)
        _check_file(paths[recipe], report, inputs, outputs)
    return reports


def _check_report(report: ConversionReport, recipe: str) -> None:
    assert report.verified
    assert report.recipe == find_recipe(recipe).name
    assert report.attempts[-1].accepted
    assert all(row.ok and row.has_power for row in (*report.parity, *report.float_parity)), report.parity
    made = find_recipe(recipe)
    computes = "int16" if made.activations.dtype == "int16" else COMPUTES[made.mode]
    assert report.summary.ops.get(computes), report.summary.ops
    assert report.as_json()["artifact"]["path"] == report.output


def _check_file(
    path: Path,
    report: ConversionReport,
    inputs: Mapping[str, tuple[tuple[int, ...], str]],
    outputs: Mapping[str, tuple[int, ...]],
) -> None:
    artifact = read_artifact(path)
    recipe = find_recipe(report.recipe)
    assert [signature.key for signature in artifact.signatures] == ["serving_default"]
    found = {name: (tensor.shape, tensor.dtype) for name, tensor in artifact.signature.inputs.items()}
    expected = {
        name: (shape, recipe.io if dtype == "float32" and recipe.integer_only else dtype)
        for name, (shape, dtype) in inputs.items()
    }
    assert list(found.items()) == list(expected.items())
    assert [(n, t.shape) for n, t in artifact.signature.outputs.items()] == list(outputs.items())
    note = note_of(artifact)
    assert note is not None
    assert note["recipe"] == recipe.name
    assert [port["name"] for port in note["inputs"]] == list(inputs)
    runner = Runner(path)
    result = runner.run({spec.name: np.zeros(spec.static_shape, spec.dtype) for spec in runner.inputs})
    assert list(result) == list(outputs)


def samples_for(inputs: Mapping[str, tuple[tuple[int, ...], str]], count: int = 100) -> list[dict[str, Any]]:
    """Seeded calibration samples in the source's layout; integers stay below 30."""
    generator = np.random.default_rng(5)

    def draw(shape: tuple[int, ...], dtype: str) -> np.ndarray[Any, Any]:
        if dtype.startswith("int"):
            return generator.integers(0, 30, shape).astype(dtype)
        return generator.standard_normal(shape).astype(dtype)

    return [{name: draw(shape, dtype) for name, (shape, dtype) in inputs.items()} for _ in range(count)]
