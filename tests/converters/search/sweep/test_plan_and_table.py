"""Plans that are wrong say where; keys follow contents; tables are compared row by row."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from edge_sdk.converters.search.sweep.jobs import job_key
from edge_sdk.converters.search.sweep.plan import read_plan
from edge_sdk.converters.search.sweep.table import COLUMNS, Tolerances, compare, read_table, rows_of, write_table
from edge_sdk.errors import OutputError, RecipeError, UnknownDeviceError
from tests.converters.search.sweep.trivial import jobs

_PLAN = """
sources = { one = "one.tflite", two = "two.tflite" }
recipes = ["float16", "int8", "optimize"]
profiles = ["pixel-8"]

[data.digits]
eval = "digits.npz"
metric = "map.py:score"

[optimize]
max_drop = 0.5
"""


def _written(folder: Path, text: str = _PLAN) -> Path:
    for name in ("one.tflite", "two.tflite", "digits.npz"):
        (folder / name).write_bytes(name.encode())
    (folder / "map.py").write_text("def score(outputs, targets): return 0.0")
    path = folder / "plan.toml"
    path.write_text(text)
    return path


def test_a_plan_is_a_matrix_in_its_order(tmp_path: Path) -> None:
    made = list(read_plan(_written(tmp_path)).jobs())
    assert [(job.source, job.recipe) for job in made] == [
        (source, recipe) for source in ("one", "two") for recipe in ("float16", "static_wi8_ai8", "optimize")
    ]
    assert made[0].settings == {}
    assert made[2].settings == {"max_drop": 0.5}
    assert made[0].path == str(tmp_path / "one.tflite")
    assert made[0].metric == f"{tmp_path / 'map.py'}:score"


@pytest.mark.parametrize(
    ("old", "new", "error", "says"),
    [
        ("one.tflite", "none.tflite", RecipeError, r"none\.tflite: no such file"),
        ("float16", "flaot16", RecipeError, "unknown recipe `flaot16`"),
        ("pixel-8", "pixel-88", UnknownDeviceError, "pixel-88"),
        ("metric =", "metrics =", RecipeError, "unknown key `metrics`"),
        ("eval =", "calibration =", RecipeError, "has no `eval`"),
        ("recipes = [", "recipes = [[", RecipeError, "not TOML"),
    ],
)
def test_faults_of_a_plan_are_told(tmp_path: Path, old: str, new: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        read_plan(_written(tmp_path, _PLAN.replace(old, new, 1)))


def test_a_key_follows_contents_and_not_names(tmp_path: Path) -> None:
    (first, second) = (tmp_path / name for name in ("a", "b"))
    for folder in (first, second):
        folder.mkdir()
    keys = [[job_key(job) for job in read_plan(_written(folder)).jobs()] for folder in (first, second)]
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == 6
    third = tmp_path / "c"
    third.mkdir()
    plan = read_plan(_written(third))
    (third / "digits.npz").write_bytes(b"other")
    assert not set(keys[0]) & {job_key(job) for job in plan.jobs()}


def _rows(**facts: object) -> list[dict[str, object]]:
    job = jobs(1)[0][1]
    row = {"size_bytes": 1000, "drop": 0.2, "latency_ms": 2.0, "fits": True} | facts
    return list(rows_of([(job, {"row": row, "error": None, "seconds": 1.0, "attempt": 1})]))


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    rows = _rows()
    files = write_table(tmp_path, rows)
    assert read_table(tmp_path) == rows == read_table(tmp_path / "table.json")
    assert files[1].read_text().splitlines()[0] == ",".join(COLUMNS)
    (tmp_path / "table.json").write_text(json.dumps({"schema": "other", "rows": []}))
    with pytest.raises(OutputError, match="has schema 'other'"):
        read_table(tmp_path)


@pytest.mark.parametrize(
    ("facts", "what", "regression"),
    [
        ({"latency_ms": 2.3}, "latency_ms", True),
        ({"latency_ms": 1.7}, "latency_ms", False),
        ({"size_bytes": 1020}, "size_bytes", True),
        ({"drop": 0.8}, "drop", True),
        ({"fits": False}, "fits", True),
    ],
)
def test_what_became_worse_beyond_its_tolerance_is_a_regression(
    facts: dict[str, object], what: str, regression: bool
) -> None:
    (change,) = compare(_rows(), _rows(**facts), Tolerances())
    assert (change.what, change.regression) == (what, regression)


def test_within_tolerances_nothing_changed_and_a_lost_job_is_a_regression() -> None:
    assert compare(_rows(), _rows(latency_ms=2.1, size_bytes=1005, drop=0.6), Tolerances()) == ()
    (gone,) = compare(_rows(), [], Tolerances())
    assert gone.regression
    (new,) = compare([], _rows(), Tolerances())
    assert not new.regression


def test_a_package_that_does_not_import_is_named_and_the_other_tables_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What pyarrow says of an older NumPy.
    (tmp_path / "pyarrow").mkdir()
    (tmp_path / "pyarrow" / "__init__.py").write_text('raise ImportError("needs NumPy 2.0 or newer")')
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    key, job = jobs(1)[0]
    rows = rows_of([(job, {"key": key, "row": {}, "error": None, "seconds": 1.0, "attempt": 1})])
    with pytest.raises(OutputError, match="pyarrow is installed, and cannot be imported"):
        write_table(tmp_path, rows)
    assert read_table(tmp_path) == rows
    assert not (tmp_path / "table.parquet").exists()
