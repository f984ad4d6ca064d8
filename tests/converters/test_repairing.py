"""The fewest ops in float: found in few evaluations, and written as a recipe that makes the same file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_sdk.converters import Workers, convert
from edge_sdk.converters.repairing import fewest, goal_of, ranked_names
from edge_sdk.errors import AccuracyError, RecipeError
from tests.contract import samples_for
from tests.converters.sources.test_front_ends import CNN_IN
from tests.converters.test_recipes import keras_cnn


class Goal:
    """Reached by every set that holds the needed names; counts how often it is asked."""

    def __init__(self, *needed: str) -> None:
        self.needed, self.asked = set(needed), 0

    def __call__(self, names: tuple[str, ...]) -> bool:
        self.asked += 1
        return self.needed <= set(names)


RANKED = [f"op{place}" for place in range(100)]


@pytest.mark.parametrize("needed", [("op0",), ("op3",), ("op0", "op7"), ("op2", "op40"), ("op99",)])
def test_only_what_is_needed_is_kept(needed: tuple[str, ...]) -> None:
    goal = Goal(*needed)
    assert fewest(RANKED, goal, most=1000) == needed


def test_few_evaluations() -> None:
    """All, twofold growth and bisection take 1 + 2 log2(n) asks, giving back as many as are left."""
    goal = Goal("op0", "op1", "op50")
    found = fewest(RANKED, goal, most=24)
    assert found is not None
    assert goal.needed <= set(found)
    assert goal.asked <= 24


@pytest.mark.parametrize("most", [1, 2, 5, 8, 12, 16])
def test_a_search_that_is_cut_short_answers_with_what_reached_the_goal(most: int) -> None:
    goal = Goal("op0", "op70")
    found = fewest(RANKED, goal, most=most)
    assert goal.asked == most
    assert found is not None
    assert goal.needed <= set(found)
    # The more it may ask, the less it keeps: all of them, up to op70, then without what is between.
    assert len(found) <= {1: 100, 2: 100, 5: 100, 8: 100, 12: 75, 16: 71}[most]


def test_nothing_helps() -> None:
    goal = Goal("elsewhere")
    assert fewest(RANKED, goal, most=10) is None
    assert goal.asked == 1


def test_ranking_knows_only_what_a_recipe_can_name() -> None:
    rows: list[dict[str, object]] = [
        {"tensor": "a", "added_noise": 0.1},
        {"tensor": "made by a form", "added_noise": 0.9},
        {"tensor": "b", "added_noise": 0.5},
    ]
    assert ranked_names(rows, frozenset({"a", "b"})) == ["b", "a"]


@pytest.mark.keras
def test_repaired_file_reaches_the_bound_and_its_recipe_makes_it_again(tmp_path: Path, workers: Workers) -> None:
    path, samples = keras_cnn(workers, tmp_path), samples_for(CNN_IN)
    options: Any = {"calibration": samples, "data": samples, "workers": workers, "timing": False}
    plain = convert(path, tmp_path / "plain.tflite", recipe="int8", **options)
    bound = round(plain.accuracy.sqnr_db + 4, 1)
    made = convert(path, tmp_path / "m.tflite", recipe="int8", min_sqnr_db=bound, repair=True, **options)
    assert made.accuracy.sqnr_db >= bound
    assert 0 < made.summary.ops["int8"] < plain.summary.ops["int8"]
    (told,) = [finding for finding in made.findings if finding.rule == "repaired"]
    assert "ops stay in float" in told.message
    again = convert(path, tmp_path / "again.tflite", recipe=tmp_path / "m.recipe.toml", **options)
    assert [op.name for op in again.artifact.main.ops] == [op.name for op in made.artifact.main.ops]
    assert again.accuracy.sqnr_db == made.accuracy.sqnr_db


@pytest.mark.keras
def test_what_cannot_be_reached_is_said(tmp_path: Path, workers: Workers) -> None:
    path, samples = keras_cnn(workers, tmp_path), samples_for(CNN_IN)
    options: Any = {"calibration": samples, "workers": workers, "timing": False, "repair": True}
    with pytest.raises(AccuracyError, match="500 dB is not reached"):
        convert(path, tmp_path / "m.tflite", recipe="int8", min_sqnr_db=500.0, **options)
    assert not list(tmp_path.glob("m.*"))
    with pytest.raises(RecipeError, match="needs a bound"):
        convert(path, tmp_path / "m.tflite", recipe="int8", **options)
    with pytest.raises(RecipeError, match="does not quantize activations"):
        convert(path, tmp_path / "m.tflite", recipe="float16", min_sqnr_db=40.0, **options)
    assert all(file.suffix != ".toml" for file in tmp_path.iterdir())


@pytest.mark.keras
def test_what_of_top1_may_be_lost_is_kept_to(tmp_path: Path, workers: Workers) -> None:
    """Goes by agreement with the source, for these samples have no classes; 100 points allow everything."""
    path, samples = keras_cnn(workers, tmp_path), samples_for(CNN_IN)
    options: Any = {"calibration": samples, "data": samples, "workers": workers, "timing": False, "repair": True}
    made = convert(path, tmp_path / "m.tflite", recipe="int8", max_drop=0.0, **options)
    assert min(row.top1_agreement for row in made.parity if row.top1_agreement is not None) == 1.0
    (told,) = [finding for finding in made.findings if finding.rule == "repaired"]
    assert "top-1 0 points lower, top-1 0 points lower asked" in told.message
    every = convert(path, tmp_path / "all.tflite", recipe="int8", max_drop=100.0, **options)
    assert any("nothing to repair" in finding.message for finding in every.findings)


@pytest.mark.keras
def test_a_drop_without_repair_is_no_wish(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="what a repair may lose"):
        convert(tmp_path / "m.keras", tmp_path / "m.tflite", recipe="int8", max_drop=1.0)
    with pytest.raises(RecipeError, match="from 0 to 100, got 101"):
        convert(tmp_path / "m.keras", tmp_path / "m.tflite", recipe="int8", max_drop=101.0, repair=True)


def test_goals_are_told_in_their_own_words() -> None:
    drop, noise = goal_of(30.0, 0.5), goal_of(30.0, None)
    assert drop is not None
    assert noise is not None
    assert (str(drop), drop.bound, drop.told(-2.0)) == ("top-1 0.5 points lower", -0.5, "top-1 2 points lower")
    assert (str(noise), noise.bound) == ("30 dB", 30.0)
    assert noise.told(float("-inf")) == "too few kept rows found again"
    assert goal_of(None, None) is None
