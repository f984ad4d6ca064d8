"""Predicted times against measured ones, and what that says: errors, order, signs, intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.time_prediction.networks import VARIANTS, names
from edge_sdk.artifact.model import read_artifact
from edge_sdk.checks.timing.helping import will_it_help
from edge_sdk.checks.timing.predicting import Predictor
from edge_sdk.checks.timing.table import Table


def rows(folder: Path, table: Table, measured_us: dict[str, float]) -> Iterator[dict[str, Any]]:
    """A row for each file: no network of any family was in the fit, which knows of the table alone."""
    predictor = Predictor(table)
    for family, name in names():
        for variant in VARIANTS:
            file = f"{name}.{variant}"
            if file in measured_us:
                yield _row(predictor, folder, family, name, variant, measured_us[file] / 1e3)


def _row(
    predictor: Predictor, folder: Path, family: str, name: str, variant: str, measured_ms: float
) -> dict[str, Any]:
    found = predictor.predict(read_artifact(folder / f"{name}.{variant}.tflite"))
    row: dict[str, Any] = {
        "family": family,
        "model": name,
        "variant": variant,
        "measured_ms": round(measured_ms, 4),
        "predicted_ms": _rounded(found.ms),
        "low_ms": _rounded(found.low_ms),
        "high_ms": _rounded(found.high_ms),
        "interpolated": round(found.interpolated_share, 3),
    }
    if found.abstentions:
        one = found.abstentions[0]
        row["abstains"] = f"{one.op_name} {one.why}"
    return row


def help_rows(folder: Path, table: Table, measured_us: dict[str, float]) -> Iterator[dict[str, Any]]:
    """For each network, what the float file alone says of each precision, and what was measured then."""
    predictor = Predictor(table)
    for family, name in names():
        plain = f"{name}.float32"
        if plain not in measured_us:
            continue
        for one in will_it_help(read_artifact(folder / f"{plain}.tflite"), predictor):
            file = f"{name}.{one.precision}"
            if one.precision in ("dynamic", "int8") and file in measured_us:
                ratio = measured_us[file] / measured_us[plain]
                yield {
                    "family": family,
                    "model": name,
                    "precision": one.precision,
                    "answer": one.answer,
                    "probability": _rounded(one.probability),
                    "predicted_ratio": _rounded(one.ratio),
                    "measured_ratio": round(ratio, 3),
                    "right": None if one.answer == "unknown" else (one.answer == "faster") == (ratio < 1),
                }


def summary(found: Sequence[dict[str, Any]], helps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The figures, of each variant and of all."""
    return [_figures(found, helps, variant) for variant in (*VARIANTS, "all")]


def _figures(found: Sequence[dict[str, Any]], helps: Sequence[dict[str, Any]], variant: str) -> dict[str, Any]:
    chosen = [row for row in found if variant in ("all", row["variant"])]
    known = [row for row in chosen if row["predicted_ms"] is not None]
    off = np.array([row["predicted_ms"] / row["measured_ms"] - 1 for row in known])
    logs = np.array([[math.log(row["predicted_ms"]), math.log(row["measured_ms"])] for row in known])
    inside = [row["low_ms"] <= row["measured_ms"] <= row["high_ms"] for row in known]
    asked = [row for row in helps if variant in ("all", row["precision"])]
    answers = [row for row in asked if row["right"] is not None]
    return {
        "variant": variant,
        "files": len(chosen),
        "families": len({row["family"] for row in chosen}),
        "abstains": len(chosen) - len(known),
        "median_error": round(float(np.median(np.abs(off))), 4) if len(off) else None,
        "bias": round(float(np.median(off)), 4) if len(off) else None,
        "within_10": round(float(np.mean(np.abs(off) <= 0.1)), 3) if len(off) else None,
        "within_20": round(float(np.mean(np.abs(off) <= 0.2)), 3) if len(off) else None,
        "rank_correlation": round(_spearman(logs), 4) if len(off) > 2 else None,
        "covered": round(float(np.mean(inside)), 3) if inside else None,
        "signs_asked": len(answers),
        "signs_right": round(sum(row["right"] for row in answers) / len(answers), 3) if answers else None,
        "always_faster_right": round(sum(row["measured_ratio"] < 1 for row in answers) / len(answers), 3)
        if answers
        else None,
    }


def _spearman(pairs: Any) -> float:
    ranks = np.argsort(np.argsort(pairs, axis=0), axis=0).astype(float)
    return float(np.corrcoef(ranks.T)[0, 1])


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
