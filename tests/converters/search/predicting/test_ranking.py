"""How groups are ranked where no framework can run a file: each op alone is rounded, and else by its own noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.converters.search.predicting import ranking
from edge_sdk.errors import ModelError, TrainingError
from tests.core.test_alone import COARSE, FINE, SHAPE, two_products

pytestmark = pytest.mark.runtime


def _ranked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    def refused(*_: Any) -> Any:
        raise TrainingError("these ops cannot be trained through: WHERE")

    values = np.random.default_rng(0).uniform(-1, 1, SHAPE).astype(np.float32)
    monkeypatch.setattr(ranking, "_by_gradients", refused)
    monkeypatch.setattr(ranking, "laid_out", lambda *_: [{"x": values}])
    for name, scales in (("float", None), ("int8", (COARSE, FINE))):
        (folder / name).write_bytes(two_products(scales))
    return ranking.rank(str(folder / "float"), str(folder / "int8"), "", {}, 0)


def test_without_gradients_each_op_alone_is_rounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = _ranked(tmp_path, monkeypatch)
    assert set(found["damage"]) == {"block/first", "y"}
    assert found["damage"]["block/first"] > found["damage"]["y"] > 0
    power = float(np.mean((np.linspace(0.5, 1, SHAPE[1])) ** 2)) / 3
    # The last result's own rounding, as a share of the output's power; its constant is exact.
    assert found["damage"]["y"] == pytest.approx(FINE**2 / 12 / power, rel=0.1)
    assert found["how"].startswith("what the outputs lose with each op alone rounded")
    assert "WHERE" in found["how"]


def test_where_the_engine_refuses_that_too_noise_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> Any:
        raise ModelError("the engine refuses it")

    monkeypatch.setattr(ranking, "losses_alone", refused)
    found = _ranked(tmp_path, monkeypatch)
    assert found["damage"]["block/first"] > 0
    assert "the engine refuses it" in found["how"]
    assert "noise that each op adds" in found["how"]


@pytest.mark.keras
def test_gradients_are_told_by_the_names_of_the_float_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).uniform(-1, 1, SHAPE).astype(np.float32)
    monkeypatch.setattr(ranking, "laid_out", lambda *_: [{"x": values}])
    for name, scales in (("float", None), ("int8", (COARSE, FINE))):
        (tmp_path / name).write_bytes(two_products(scales))
    # The last product is `y_int8` there, and a constant of one number has no partner that is trained.
    found = ranking.rank(str(tmp_path / "float"), str(tmp_path / "int8"), "", {}, 0)
    assert found["how"].startswith("gradients")
    assert set(found["rounding"]) == {"block/first", "y"}
    assert found["rounding"]["block/first"] > 10 * found["rounding"]["y"] > 0


def test_each_op_alone_is_ranked_besides_or_says_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _ranked(tmp_path, monkeypatch)
    files = str(tmp_path / "float"), str(tmp_path / "int8")
    found = ranking.rank_alone(*files, "", {})
    assert found["damage"]["block/first"] > found["damage"]["y"] > 0

    def refused(*_: Any) -> Any:
        raise ModelError("the engine refuses it")

    monkeypatch.setattr(ranking, "losses_alone", refused)
    assert ranking.rank_alone(*files, "", {}) == {"damage": None, "how": "the engine refuses it"}


@pytest.mark.keras
def test_ops_behind_whole_numbers_have_gradients_too() -> None:
    import tensorflow as tf

    table = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)

    def run(fed: Any, watch: Any) -> dict[int, Any]:
        looked_up = tf.gather(table, fed[0])
        watch(looked_up)
        squared = looked_up**2
        watch(squared)
        return {0: fed[0], 1: looked_up, 2: squared}

    feeds = {0: np.array([1, 0], np.int32)}
    _, found = ranking._TensorFlow.gradients(run, feeds, [0, 1, 2], (2,), lambda _, values: np.ones_like(values))
    assert set(found) == {1, 2}
    assert found[1].tolist() == (2 * table[[1, 0]]).tolist()
    assert found[2].tolist() == [[1, 1], [1, 1]]


@pytest.mark.keras
def test_no_gradient_at_all_is_told_and_each_op_is_rounded_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(0).uniform(-1, 1, SHAPE).astype(np.float32)
    monkeypatch.setattr(ranking, "laid_out", lambda *_: [{"x": values}])
    monkeypatch.setattr(ranking, "_moved", lambda plan, *_: [(step.op, 0.0, 0.0) for step in plan.steps])
    for name, scales in (("float", None), ("int8", (COARSE, FINE))):
        (tmp_path / name).write_bytes(two_products(scales))
    found = ranking.rank(str(tmp_path / "float"), str(tmp_path / "int8"), "", {}, 0)
    assert "no gradient reaches any op" in found["how"]
    assert found["damage"]["block/first"] > 0
