"""Results in Python: one line, a table in a notebook, rows that pandas takes."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact.model import read_artifact
from edge_sdk.checks.checking import check
from edge_sdk.converters import Workers, convert
from edge_sdk.converters.comparing import compare
from edge_sdk.converters.search.paired import Drop
from edge_sdk.converters.search.records import Budgets, File, Latency, MetricFacts, Point, Result, Score
from edge_sdk.converters.search.sweep.sweeping import SweepResult
from edge_sdk.converters.search.sweep.table import COLUMNS
from edge_sdk.progress import Silent
from edge_sdk.recipe import find_recipe
from edge_sdk.rows import Tabular
from edge_sdk.runtime import Session
from edge_sdk.runtime.batch import run_data
from edge_sdk.runtime.candidates import candidate


def is_neat(result: Tabular, *, rows: int) -> None:
    assert len(repr(result)) < 250
    assert "\n" not in repr(result)
    assert len(result.rows()) == rows
    columns = set(result.rows()[0])
    for row in result.rows():
        assert set(row) == columns
        assert all(value is None or isinstance(value, str | int | float | bool) for value in row.values())
    page = ET.fromstring(f"<div>{result._repr_html_()}</div>")
    assert len(page.findall(".//tbody/tr")) == rows


def test_a_check(tflite: Path) -> None:
    report = check(tflite, "pixel-8")
    is_neat(report, rows=3)
    assert repr(report) == f"<CheckReport: {tflite} on pixel-8: predicted to fit>"


def test_an_artifact(tflite: Path) -> None:
    assert repr(read_artifact(tflite)).startswith(f"<Artifact: {tflite}, ")
    assert len(repr(read_artifact(tflite))) < 200 + len(str(tflite))


@pytest.mark.runtime
def test_a_comparison(tflite: Path, workers: Workers) -> None:
    result = compare(tflite, tflite, workers=workers)
    is_neat(result, rows=1)
    assert "within bounds" in repr(result)


@pytest.mark.runtime
def test_a_conversion_names_the_file_that_is_there(tflite: Path, tmp_path: Path, workers: Workers) -> None:
    report = convert(tflite, tmp_path / "new" / "out.tflite", recipe="float32", workers=workers)
    is_neat(report, rows=1)
    assert report.artifact.path == tmp_path / "new" / "out.tflite"
    assert report.artifact.path.exists()
    told: Any = report.as_json()
    for text in _texts(told):
        assert "edge-sdk-" not in text, "no path of a temporary folder"


@pytest.mark.runtime
def test_a_run_and_its_receipt(tflite: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", image=np.random.default_rng(0).random((2, 8, 8, 3), np.float32))
    with Session.open(tflite, delegate=[candidate("xnnpack")]) as session:
        result = run_data(session, str(tmp_path / "x.npz"), images=None, progress=Silent())
    is_neat(result, rows=1)
    is_neat(result.receipt, rows=1)
    (row,) = result.receipt.rows()
    assert (row["candidate"], row["accelerator"], row["outcome"]) == ("xnnpack", "cpu", "chosen")
    assert row["run_ms"] > 0


def test_a_search_and_a_sweep() -> None:
    drop = Drop(0.5, 0.1, 0.9, 100, 100, "within")
    reference = Point(
        0, "reference", "", find_recipe("float32"), file=File("ab", 400, 300, 0.0), score=Score(0.9, drop)
    )
    best = replace(reference, order=1, recipe=find_recipe("int8"), latency=Latency(1.5, 1.4, 1.6, "measured", "here"))
    failed = Point(2, "repair", "", find_recipe("int8"), state="failed")
    metric = MetricFacts("top1", "points", True, "data", 100, 0, "")
    result = Result("m.keras", None, metric, Budgets(1.0), reference, (best, failed), best, "", "done", 3, 300, 9.0)
    is_neat(result, rows=3)
    assert [row["chosen"] for row in result.rows()] == [False, True, False]
    assert result.rows()[1]["latency_ms"] == 1.5
    assert result.rows()[2]["metric"] is None
    row = dict.fromkeys(COLUMNS) | {"state": "failed", "source": "m.keras", "seconds": 1.0, "attempts": 1}
    sweep = SweepResult("out", (row,), (), 1, 1.0, ())
    is_neat(sweep, rows=1)
    assert "1 failed" in repr(sweep)


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list | tuple):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []
