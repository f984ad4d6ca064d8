"""Recipes, and the strict reader beneath them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from edge_sdk.errors import RecipeError
from edge_sdk.recipe import KeepFloat, change_recipe, find_recipe, parse_recipe, recipe_from_json, recipe_names
from edge_sdk.records import RecordError, read_record


@pytest.mark.parametrize("name", recipe_names())
def test_built_in_recipe_is_found_and_round_trips(name: str) -> None:
    recipe = find_recipe(name)
    assert recipe.name == name
    assert recipe.description.endswith(".")
    assert recipe_from_json(recipe.as_json()) == recipe


def test_file_name_is_recipe_name() -> None:
    folder = Path(__file__).parents[3] / "converters" / "recipes"
    assert sorted(path.stem for path in folder.glob("*.toml")) == list(recipe_names())


@pytest.mark.parametrize(
    ("short", "name"),
    [
        ("fp32", "float32"),
        ("fp16", "float16"),
        ("int8", "static_wi8_ai8"),
        ("int16x8", "static_wi8_ai16"),
        ("dynamic", "dynamic_wi8_afp32"),
        ("weight_only", "weight_only_wi8_afp32"),
        ("int8_only", "static_wi8_ai8_io8"),
        ("uint8_only", "static_wi8_ai8_iou8"),
    ],
)
def test_short_name_resolves(short: str, name: str) -> None:
    assert find_recipe(short).name == name


def test_short_names_are_unique() -> None:
    shorts = [short for name in recipe_names() for short in find_recipe(name).short_names]
    assert len(shorts) == len(set(shorts))
    assert not set(shorts) & set(recipe_names())


def test_unknown_recipe_offers_the_nearest() -> None:
    with pytest.raises(RecipeError, match="unknown recipe `int88`, did you mean `int8`") as caught:
        find_recipe("int88")
    assert "static_wi8_ai8" in (caught.value.hint or "")


def test_users_own_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'description = "Mine."\nmode = "static_range"\nmin_sqnr_db = 12\n'
        '[weights]\ndtype = "int8"\ngranularity = "per_tensor"\n[activations]\ndtype = "int8"\n'
        '[keep_float]\nops = ["SOFTMAX"]\n'
    )
    recipe = find_recipe(path)
    assert recipe.name == "mine"
    assert recipe.keep_float.ops == ("SOFTMAX",)
    assert recipe.min_sqnr_db == 12.0
    with pytest.raises(RecipeError, match=r"absent.toml: cannot be read"):
        find_recipe(tmp_path / "absent.toml")


STATIC = 'description = "x"\nmode = "static_range"\n[weights]\ndtype = "int8"\n[activations]\ndtype = "{}"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mode = ", "not TOML"),
        ('description = "x"', "required field missing"),
        ('description = "x"\nmode = "floot"', "mode: `floot` is not one of"),
        ('description = 3\nmode = "float"', "description: expected str, got 3"),
        ('description = "x"\nmode = "float"\nmoode = 1', "unknown key `moode`, did you mean `mode`"),
        ('description = "x"\nmode = "float"\n[weights]\ndtyp = "int8"', "weights: unknown key `dtyp`, did you mean"),
        ('description = "x"\nmode = "float16"', "weights.dtype: mode float16 needs float16, got float32"),
        ('io = "int16"\n' + STATIC.format("int8"), "io: int8 activations allow"),
        ('io = "int8"\n' + STATIC.format("int16"), "io: int16 activations allow"),
        ('io = "int8"\n' + STATIC.format("int8") + '[keep_float]\nops = ["ADD"]', "allows no float op"),
        (STATIC.format("int8") + '[keep_float]\nops = ["("]', "is no regular expression"),
        ('description = "x"\nmode = "float"\n[keep_float]\nops = ["ADD"]', "everything is float in this recipe"),
    ],
)
def test_recipe_that_does_not_hold_together_is_refused(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        parse_recipe("bad", text, where="bad.toml")
    assert str(caught.value).startswith("bad.toml: ")


def test_every_fault_is_listed() -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe("bad", 'description = 3\nmode = "floot"\nfoo = 1', where="bad.toml")
    assert all(word in str(caught.value) for word in ("description", "floot", "foo"))


def test_options_are_laid_over_a_recipe() -> None:
    changed = change_recipe(find_recipe("int8"), granularity="per_tensor", keep=KeepFloat(("ADD",)), min_sqnr_db=20)
    assert changed.weights.granularity == "per_tensor"
    assert changed.keep_float.ops == ("ADD",)
    assert changed.min_sqnr_db == 20
    assert find_recipe("int8").keep_float.ops == ()
    with pytest.raises(RecipeError, match="float32 weights, which have no granularity"):
        change_recipe(find_recipe("float32"), granularity="per_tensor")
    with pytest.raises(RecipeError, match="io: float32 activations allow float32"):
        change_recipe(find_recipe("dynamic"), io="int8")


@dataclass(frozen=True)
class Inner:
    size_mib: int
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Outer:
    name: str
    inner: tuple[Inner, ...] = ()
    ratio: float = 1.0
    flag: bool = False


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"name": "x", "inner": [{"size_mib": "8GB"}]}, "expected int, got '8GB'"),
        ({"name": "x", "inner": [{"size_mb": 8}]}, "unknown key `size_mb`, did you mean `size_mib`"),
        ({"name": "x", "inner": [{"size_mib": 1}, {"size_mib": 1, "kind": "c"}]}, "inner[1].kind: `c` is not one of"),
        ({"name": "x", "flag": 1}, "flag: expected bool, got 1"),
        ({"name": "x", "ratio": True}, "ratio: expected a number, got True"),
    ],
)
def test_record_error_has_a_path(table: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError) as caught:
        read_record(Outer, table)
    assert message in str(caught.value)


def test_record_takes_whole_numbers_for_float() -> None:
    assert read_record(Outer, {"name": "x", "ratio": 2}).ratio == 2.0
