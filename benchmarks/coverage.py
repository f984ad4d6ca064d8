"""Which architectures convert, how close each precision stays to the source, and how long it takes.

Every model goes to float32, float16 and int8 in one call, calibrated on 100 samples and compared on 64 others. Keras
Applications are trained first, each in a process of its own; the saved models are kept for the next run.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models import keras_applications
from edge_sdk.converters import Options, convert, convert_all
from edge_sdk.converters.reports.conversion import ConversionReport
from edge_sdk.converters.sources.opened import OpenSource
from edge_sdk.converters.sources.source import SourceOptions
from edge_sdk.converters.workers.workshop import Workers, Workshop
from edge_sdk.data import seeded_samples
from edge_sdk.errors import EdgeSdkError, ParityError
from edge_sdk.parity.localize import compare_tensors
from edge_sdk.signature import Arrays, TensorSpec

RECIPES = ("float32", "float16", "static_wi8_ai8")
LEAST_DB = 15.0
"""SQNR that an int8 file should have, or a named reason."""
_CALIBRATION, _COMPARISON = 100, 64
_PYTORCH = Path(__file__).parent / "models" / "pytorch.py"
_KERAS_SEQUENCES = Path(__file__).parent / "models" / "keras_sequences.py"
# Rows of the tables that ids look up; the user of a recommender knows them.
_TABLES = {"user_id": 200, "item_id": 500}


def keras_rows(cache: Path, only: str | None = None) -> Iterator[dict[str, Any]]:
    """Rows for Keras Applications.

    Args:
        cache: where trained models are kept.
        only: one family instead of all.
    """
    cache.mkdir(parents=True, exist_ok=True)
    for family, (architecture, side) in keras_applications.MODELS.items():
        if only not in (None, family):
            continue
        path = cache / f"{family}.keras"
        if not path.exists():
            command = [sys.executable, "-W", "ignore", "-m", "benchmarks.models.keras_applications"]
            subprocess.run([*command, family, str(path)], check=True)
        calibration, comparison = (
            list(keras_applications.labelled_pixels(family, side, count=count, seed=seed)[0])
            for count, seed in ((_CALIBRATION, 1), (_COMPARISON, 2))
        )
        yield _row(f"{architecture} {side}x{side}", str(path), calibration, comparison)


def pytorch_rows(only: str | None = None) -> Iterator[dict[str, Any]]:
    """Rows for the PyTorch models; ``only`` is one name instead of all."""
    from benchmarks.models.pytorch import MODELS

    for name in MODELS:
        if only not in (None, name):
            continue
        source = f"{_PYTORCH}:{name}"
        with Workshop() as shop:
            specs = OpenSource(shop, source, SourceOptions()).description.inputs
        yield _row(
            name, source, *(_samples(name, specs, count, seed) for count, seed in ((_CALIBRATION, 1), (_COMPARISON, 2)))
        )


def keras_sequence_rows(only: str | None = None) -> Iterator[dict[str, Any]]:
    """Recurrent and attention models in Keras, as float32; ``only`` is one name instead of all."""
    from benchmarks.models.keras_sequences import MODELS

    with tempfile.TemporaryDirectory() as folder, Workers() as workers:
        for build in MODELS:
            if only in (None, build.__name__):
                target = Path(folder) / f"{build.__name__}.tflite"
                yield _float_row(f"{_KERAS_SEQUENCES}:{build.__name__}", target, workers)


def _float_row(source: str, target: Path, workers: Workers) -> dict[str, Any]:
    row: dict[str, Any] = {"model": target.stem}
    begin = time.perf_counter()
    try:
        report = convert(source, target, recipe="float32", timing=False, workers=workers)
    except EdgeSdkError as error:
        return row | _failure(error)
    worst = min(one.sqnr_db for one in report.parity)
    rung = report.attempts[-1].name
    seconds = round(time.perf_counter() - begin, 1)
    row |= {"verified": report.verified, "sqnr_db": worst}
    return row | {"ops": sum(report.summary.ops.values()), "rung": rung, "seconds": seconds}


def _samples(name: str, specs: tuple[TensorSpec, ...], count: int, seed: int) -> list[Arrays]:
    if name in ("mobilenet_v2", "vision_transformer"):
        from benchmarks.models.synthetic import labelled_images

        side = specs[0].static_shape[-1]
        images, _ = labelled_images((side, side, 3), count=count, seed=seed)
        return [{"image": np.ascontiguousarray(i.transpose(2, 0, 1))[None].astype(np.float32)} for i in images]
    return list(seeded_samples(specs, count=count, seed=seed, index_bounds=_TABLES))


def _row(name: str, source: str, calibration: Any, comparison: Any) -> dict[str, Any]:
    results: dict[str, Any] = {}
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        outputs = {recipe: Path(folder) / f"{recipe}.tflite" for recipe in RECIPES}
        options = Options(calibration=calibration, data=comparison, samples=_COMPARISON, timing=False)
        try:
            for recipe, report in zip(RECIPES, convert_all(source, outputs, **options), strict=True):
                results[recipe] = _cell(report)
            if results[RECIPES[-1]]["sqnr_db"] < LEAST_DB:
                results[RECIPES[-1]]["reason"] = _where_it_is_lost(outputs, report, comparison)
        except EdgeSdkError as error:
            # What stops one recipe would stop those after it, or they were made before.
            results |= {recipe: _failure(error) for recipe in RECIPES if recipe not in results}
    return {"model": name, "seconds": round(time.perf_counter() - begin, 1), "results": results}


def _cell(report: ConversionReport) -> dict[str, Any]:
    worst = min(report.parity, key=lambda row: row.sqnr_db)
    agreements = [row.top1_agreement for row in report.parity if row.top1_agreement is not None]
    return {
        "verified": report.verified,
        "has_power": all(row.has_power for row in report.parity),
        "sqnr_db": round(min(worst.sqnr_db, 999.0), 1),
        "top1_agreement": min(agreements, default=None),
        "float_ops": report.summary.ops.get("float32", 0) + report.summary.ops.get("float16", 0),
        "rung": len(report.attempts),
        "seconds": round(sum(stage.seconds for stage in report.stages), 1),
    }


def _where_it_is_lost(outputs: dict[str, Path], report: ConversionReport, comparison: Any) -> str:
    """The ops of the int8 file that lose most against the float32 file, by the same means as ``compare --tensors``."""
    axes = {layout.name: layout.axes for layout in report.layouts if layout.role == "input"}
    specs = report.artifact.signature.inputs
    samples = []
    for sample in comparison[:8]:
        arrays = sample if isinstance(sample, dict) else {next(iter(specs)): sample[np.newaxis]}
        samples.append({n: np.ascontiguousarray(np.transpose(v, axes[n] or range(v.ndim))) for n, v in arrays.items()})
    rows = compare_tensors(str(outputs["float32"]), str(outputs[RECIPES[-1]]), samples)
    worst = sorted(rows, key=lambda row: -row.added_noise)[:3]
    return ", ".join(f"{row.op} {row.sqnr_db + row.loss_db:.0f} to {row.sqnr_db:.0f} dB" for row in worst)


def _failure(error: EdgeSdkError) -> dict[str, Any]:
    report = (error.report or {}) if isinstance(error, ParityError) else {}
    sqnr = [row["sqnr_db"] for row in report.get("parity", []) if row["sqnr_db"] is not None]
    return {
        "verified": False,
        "sqnr_db": round(min(sqnr), 1) if sqnr else None,
        "seconds": None,
        "error": f"{type(error).__name__}: {error}",
        "hint": error.hint,
    }
