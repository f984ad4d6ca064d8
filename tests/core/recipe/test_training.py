"""The ``[train]`` table of a recipe."""

from __future__ import annotations

import pytest

from edge_sdk.errors import RecipeError
from edge_sdk.recipe import find_recipe, parse_recipe, recipe_from_json

HEAD = """
description = "x."
mode = "static_range"
[weights]
dtype = "int8"
[activations]
dtype = "int8"
[train]
"""


def parse(table: str, head: str = HEAD) -> object:
    return parse_recipe("mine", head + table, where="mine.toml").train


def test_stages_come_in_their_fixed_order_whatever_the_file_says() -> None:
    recipe = parse_recipe(
        "mine", HEAD + "[train.qat]\n[train.cluster]\nclusters = 8\n[train.prune]\nsparsity = 0.5\n", where="mine.toml"
    )
    assert recipe.train is not None
    assert list(recipe.train.stages) == ["prune", "cluster", "qat"]
    assert recipe_from_json(recipe.as_json()) == recipe


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "no stage"),
        ("[train.qat]\nepoch = 3", "unknown key `epoch`, did you mean `epochs`"),
        ("epochs = 0\n[train.qat]", "train.epochs: must be at least 1, got 0"),
        ("[train.prune]\nsparsity = 1.5", "sparsity: must lie between 0 and 1, got 1.5"),
        ("[train.prune]\npattern = 'structured'\nsparsity = 0.5", "train.prune.sparsity: has no meaning"),
        ("[train.prune]\npattern = 'structured'", "needs one of pruning_ratio, macs_ratio, size_ratio, time_ratio"),
        ("[train.cluster]\nclusters = 1", "train.cluster.clusters: must be at least 2"),
        ("[train.qat]\nranges = 'guessed'", "`guessed` is not one of"),
        ("learning_rate = -1.0\n[train.qat]", "must be above 0"),
    ],
)
def test_what_does_not_fit_is_named_with_its_path(table: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse(table)


def test_qat_needs_an_int8_file() -> None:
    with pytest.raises(RecipeError, match=r"train\.qat: needs mode = static_range"):
        parse("[train.qat]", 'description = "x."\nmode = "float"\n[train]\n')


def test_built_in_qat_recipe() -> None:
    recipe = find_recipe("qat")
    assert recipe.name == "qat_wi8_ai8"
    assert recipe.train is not None
    assert list(recipe.train.stages) == ["qat"]
