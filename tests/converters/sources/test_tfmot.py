"""Models that tensorflow-model-optimization wrapped: trained ranges are kept, training's wrappers come off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact import read_artifact
from edge_sdk.converters import Workers, convert
from edge_sdk.converters.reports.conversion import ConversionReport
from edge_sdk.converters.sources.quantized_already import may_be_quantized
from edge_sdk.errors import RecipeError
from tests.store import TFMOT, write

pytestmark = [pytest.mark.keras, pytest.mark.slow]
MODELS = Path(__file__).parents[2] / "sources" / "tfmot_models.py"


def made(source: Any, path: Path, workers: Workers, recipe: str) -> ConversionReport:
    return convert(source, path, recipe=recipe, timing=False, workers=workers)


def test_trained_ranges_become_the_int8_files(tmp_path: Path, workers: Workers) -> None:
    report = made(f"{MODELS}:quantized", tmp_path / "i8.tflite", workers, "int8")
    assert report.verified
    assert report.summary.ops["int8"] >= 6
    assert "float32" not in report.summary.ops
    assert [f.rule for f in report.findings if f.rule == "quantized-already"]


def test_float_file_of_a_quantized_model(tmp_path: Path, workers: Workers) -> None:
    report = made(f"{MODELS}:quantized", tmp_path / "f32.tflite", workers, "float32")
    assert report.verified
    assert set(report.summary.ops) == {"float32"}


def test_other_recipes_are_refused(tmp_path: Path, workers: Workers) -> None:
    with pytest.raises(RecipeError, match="quantized for recipe static_wi8_ai8 already"):
        made(f"{MODELS}:quantized", tmp_path / "f16.tflite", workers, "float16")


@pytest.mark.parametrize("form", ["saved_model", "h5"])
def test_from_files(tmp_path: Path, workers: Workers, form: str) -> None:
    name = "folder" if form == "saved_model" else f"model.{form}"
    path = write(workers, TFMOT, "save", path=str(tmp_path / name), form=form)
    assert may_be_quantized(path)
    report = made(path, tmp_path / "i8.tflite", workers, "int8")
    assert report.verified
    assert "float32" not in report.summary.ops


def test_pruning_wrappers_come_off_and_zeros_stay(tmp_path: Path, workers: Workers) -> None:
    report = made(f"{MODELS}:pruned", tmp_path / "f32.tflite", workers, "float32")
    kernels = [t for t in read_artifact(tmp_path / "f32.tflite").main.tensors if t.constant is not None and t.shape[1:]]
    floats = [t.values() for t in kernels if t.dtype == "float32"]
    assert sum((v == 0).sum() for v in floats) / sum(v.size for v in floats) == pytest.approx(0.5, abs=0.02)
    assert any("pruning wrappers" in finding.message for finding in report.findings)


def test_clustering_wrappers_come_off_and_values_stay(tmp_path: Path, workers: Workers) -> None:
    made(f"{MODELS}:clustered", tmp_path / "f32.tflite", workers, "float32")
    (kernel,) = (t for t in read_artifact(tmp_path / "f32.tflite").main.tensors if t.shape == (8, 6))
    assert len(np.unique(kernel.values())) <= 4
