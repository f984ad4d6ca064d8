"""Results in Python: one line, a table in a notebook, rows that pandas takes."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.artifact.model import read_artifact
from edge_sdk.checks.checking import check
from edge_sdk.converters import Workers, convert
from edge_sdk.converters.comparing import compare
from edge_sdk.rows import Tabular


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


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list | tuple):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []
