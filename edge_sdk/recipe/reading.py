"""Recipes: what precision a file is made in. Built-in ones are TOML files in ``converters/recipes``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from edge_sdk.errors import RecipeError, nearest
from edge_sdk.recipe.training import Train, train_problems
from edge_sdk.records import RecordError, read_record

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Mode = Literal["float", "float16", "dynamic_range", "weight_only", "static_range"]
IoType = Literal["float32", "int8", "uint8", "int16"]
Granularity = Literal["per_channel", "per_tensor", "blockwise_32", "blockwise_64"]
CalibrationMethod = Literal["auto", "minmax", "percentile", "mse", "entropy"]
Forms = Literal["delegate", "plain"]


@dataclass(frozen=True)
class Weights:
    """How constants are stored.

    ``granularity`` is for integers: one scale for each output channel, one in all (int8), or one for each 32 or 64
    values of a row (int4). What has no form in int4 is stored in int8; with ``mixed`` so are embeddings, the layers
    that read the model's inputs, and those behind which none follows.
    """

    dtype: Literal["float32", "float16", "int8", "int4"] = "float32"
    granularity: Granularity = "per_channel"
    mixed: bool = False


@dataclass(frozen=True)
class Activations:
    """What intermediate values are held in."""

    dtype: Literal["float32", "int8", "int16"] = "float32"


def exactly(names: Iterable[str]) -> tuple[str, ...]:
    """Expressions that match these names of ops' results and no other."""
    return tuple(f"^{re.escape(name)}$" for name in names)


@dataclass(frozen=True)
class KeepFloat:
    """What is left in float: regular expressions, searched in op types and in the names of ops' results."""

    ops: tuple[str, ...] = ()
    tensors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Int16:
    """What has activations in int16 in an int8 file: regular expressions, searched as :class:`KeepFloat`'s."""

    ops: tuple[str, ...] = ()
    tensors: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.ops or self.tensors)


@dataclass(frozen=True)
class Recipe:
    """One way to make a file.

    Attributes:
        name: file name of the TOML file without its suffix.
        description: one line.
        mode: ``float``, ``float16``, ``dynamic_range``, ``weight_only`` or ``static_range``.
        short_names: other names it goes by.
        weights: how constants are stored.
        activations: what intermediate values are held in.
        io: type of the file's inputs and outputs; other than float32 means integer-only.
        keep_float: ops left in float.
        int16: ops with activations in int16, in a file of int8 ones: for accelerators that take both.
        calibration: how ranges of int8 activations are set from what was observed; ``auto`` chooses for each tensor.
        bias_correction: whether int8 biases make up for what rounding the weights does to the means of channels.
        equalize: whether channels of the float file are brought to like ranges before, where that brings int8 outputs
            nearer to it; None: where weights have one scale, which is what it is for, and across gates where outputs
            are poor without.
        forms: ``delegate``: integer files are written in the forms that the delegate takes, float where it takes no
            others; ``plain``: as the quantizer leaves them.
        tune: whether weights are rounded anew, layer by layer, against the float file on calibration data: minutes.
        tune_float: percent of its work that ``tune`` may leave in float where that is surely nearer; 0 for none.
        tune_minutes: by the clock, that ``tune`` may take; the best state by then is taken.
        min_sqnr_db: what every output must reach, instead of the bound derived from the file's scales.
        train: stages of training before the file is made; None for recipes that need no training.
    """

    name: str
    description: str
    mode: Mode
    short_names: tuple[str, ...] = ()
    weights: Weights = Weights()
    activations: Activations = Activations()
    io: IoType = "float32"
    keep_float: KeepFloat = field(default_factory=KeepFloat)
    int16: Int16 = field(default_factory=Int16)
    calibration: CalibrationMethod = "auto"
    bias_correction: bool = True
    equalize: bool | None = None
    forms: Forms = "delegate"
    tune: bool = False
    tune_float: float = 20.0
    tune_minutes: float = 10.0
    min_sqnr_db: float | None = None
    train: Train | None = None

    @property
    def needs_calibration(self) -> bool:
        """Whether ranges of activations must be observed on data, or weights be rounded on it."""
        return self.mode == "static_range" or self.tune

    @property
    def equalizes(self) -> bool:
        """Whether an equalized file is tried."""
        if self.mode != "static_range" or self.activations.dtype != "int8":
            return False
        return self.weights.granularity == "per_tensor" if self.equalize is None else self.equalize

    @property
    def evens(self) -> bool:
        """Whether channels of activations may be brought to like ranges, across gates too."""
        wanted = self.forms != "plain" if self.equalize is None else self.equalize
        return wanted and self.mode == "static_range" and self.activations.dtype == "int8" and not self.int16

    @property
    def integer_only(self) -> bool:
        """Whether no float may be left, inputs and outputs included."""
        return self.io != "float32"

    def as_json(self) -> dict[str, Any]:
        """Plain data, read back by :func:`recipe_from_json`."""
        return asdict(self)


def recipe_from_json(data: dict[str, Any]) -> Recipe:
    """The inverse of :meth:`Recipe.as_json`."""
    return read_record(Recipe, data)


def recipe_names() -> tuple[str, ...]:
    """Names of the built-in recipes, sorted."""
    return tuple(sorted(_built_in()))


def find_recipe(name: str | Path) -> Recipe:
    """A built-in recipe by name or short name, or a user's own ``.toml`` file.

    Raises:
        RecipeError: unknown (names the nearest), or ill-formed (lists every fault).
    """
    path = Path(name)
    if path.suffix == ".toml":
        try:
            return parse_recipe(path.stem, path.read_text(encoding="utf-8"), where=str(path))
        except OSError as error:
            raise RecipeError(f"{path}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise RecipeError(f"{path}: not TOML: byte {error.start} is not UTF-8") from error
    built_in = _built_in()
    short = {short: recipe for recipe in built_in.values() for short in recipe.short_names}
    found = built_in.get(str(name)) or short.get(str(name))
    if found is None:
        known = [*built_in, *short]
        raise RecipeError(
            f"unknown recipe `{name}`{nearest(str(name), known)}",
            hint=f"one of {', '.join(sorted(built_in))}, or a .toml file of your own",
        )
    return found


def parse_recipe(name: str, text: str, *, where: str) -> Recipe:
    """Reads a recipe's TOML text.

    Raises:
        RecipeError: not TOML, keys or values that do not fit, or fields that contradict each other.
    """
    try:
        recipe = read_record(Recipe, {"name": name, **tomllib.loads(text)})
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{where}: not TOML: {error}") from error
    except RecordError as error:
        raise RecipeError(f"{where}: {error}") from error
    return check_recipe(recipe, where=where)


def change_recipe(
    recipe: Recipe,
    *,
    io: IoType | None = None,
    granularity: Granularity | None = None,
    keep: KeepFloat | None = None,
    calibration: CalibrationMethod | None = None,
    min_sqnr_db: float | None = None,
) -> Recipe:
    """A recipe with a user's options laid over it.

    Raises:
        RecipeError: the options contradict the recipe.
    """
    more = keep or KeepFloat()
    kept = KeepFloat((*recipe.keep_float.ops, *more.ops), (*recipe.keep_float.tensors, *more.tensors))
    changed = replace(
        recipe,
        io=io or recipe.io,
        weights=replace(recipe.weights, granularity=granularity or recipe.weights.granularity),
        keep_float=kept,
        calibration=calibration or recipe.calibration,
        min_sqnr_db=recipe.min_sqnr_db if min_sqnr_db is None else min_sqnr_db,
    )
    if granularity and recipe.weights.dtype not in ("int8", "int4"):
        raise RecipeError(f"recipe {recipe.name} has {recipe.weights.dtype} weights, which have no granularity")
    return check_recipe(changed, where=recipe.name)


def check_recipe(recipe: Recipe, *, where: str) -> Recipe:
    """The recipe itself, if its fields agree with each other.

    Raises:
        RecipeError: lists what disagrees.
    """
    weights, activations, ios = _ALLOWED[recipe.mode]
    problems = _weights_problems(recipe, weights)
    if recipe.activations.dtype not in activations:
        got = recipe.activations.dtype
        problems.append(f"activations.dtype: mode {recipe.mode} allows {_or(activations)}, got {got}")
    allowed = tuple(io for io in ios if io != "int16") if recipe.activations.dtype == "int8" else ios
    allowed = ("float32", "int16") if recipe.activations.dtype == "int16" else allowed
    if recipe.io not in allowed:
        problems.append(f"io: {recipe.activations.dtype} activations allow {_or(allowed)}, got {recipe.io}")
    for table, named in (("keep_float", recipe.keep_float), ("int16", recipe.int16)):
        for key, patterns in (("ops", named.ops), ("tensors", named.tensors)):
            problems += [f"{table}.{key}: `{p}` is no regular expression: {why}" for p, why in _bad(patterns)]
    problems += _int8_problems(recipe) + _int16_problems(recipe)
    keeps = recipe.keep_float.ops or recipe.keep_float.tensors
    if keeps and recipe.mode == "float":
        problems.append("keep_float: everything is float in this recipe")
    if keeps and recipe.integer_only:
        problems.append(f"keep_float: io = {recipe.io} allows no float op; use io = float32")
    if recipe.train:
        eight = recipe.activations.dtype == recipe.weights.dtype == "int8"
        static_int8 = recipe.mode == "static_range" and eight
        problems += train_problems(recipe.train, static_int8=static_int8)
    if problems:
        raise RecipeError(f"{where}: {'; '.join(problems)}")
    return recipe


def _int8_problems(recipe: Recipe) -> list[str]:
    """What is asked for that only files with int8 activations can have."""
    held = recipe.activations.dtype
    asked = [] if recipe.calibration in ("auto", "minmax") else [f"calibration: {recipe.calibration}"]
    asked += ["equalize"] if recipe.equalize else []
    found = [f"{one} is for int8 activations, got {held}" for one in asked if held != "int8"]
    if not 0 <= recipe.tune_float <= 100:
        found.append(f"tune_float: expected 0 to 100 percent, got {recipe.tune_float:g}")
    if not 0 < recipe.tune_minutes < float("inf"):
        found.append(f"tune_minutes: expected minutes over 0, got {recipe.tune_minutes:g}")
    if recipe.tune and recipe.weights.dtype != "int4" and (held, recipe.weights.dtype) != ("int8", "int8"):
        found.append(f"tune is for int8 activations or int4 weights, got {held} and {recipe.weights.dtype}")
    return found


def _int16_problems(recipe: Recipe) -> list[str]:
    """What single ops in int16 do not go with."""
    if not recipe.int16:
        return []
    if recipe.mode != "static_range" or recipe.activations.dtype != "int8":
        return [f"int16: is for ops of int8 files, got mode {recipe.mode} with {recipe.activations.dtype} activations"]
    other = {
        "tune": recipe.tune,
        "train.qat": bool(recipe.train and recipe.train.qat),
        "io = uint8": recipe.io == "uint8",
    }
    return [f"int16: does not go with {name}" for name, asked in other.items() if asked]


def _weights_problems(recipe: Recipe, allowed: Sequence[str]) -> list[str]:
    dtype, granularity = recipe.weights.dtype, recipe.weights.granularity
    problems = []
    if dtype not in allowed:
        problems.append(f"weights.dtype: mode {recipe.mode} needs {_or(allowed)}, got {dtype}")
    scales = _SCALES.get(dtype, (granularity,))
    if granularity not in scales:
        problems.append(f"weights.granularity: {dtype} allows {_or(scales)}, got {granularity}")
    if recipe.mode == "static_range" and granularity.startswith("blockwise"):
        problems.append(f"weights.granularity: static ranges go with one scale for each channel, got {granularity}")
    if recipe.weights.mixed and dtype != "int4":
        problems.append(f"weights.mixed: is for int4 weights, got {dtype}")
    return problems


_ALLOWED: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "float": (("float32",), ("float32",), ("float32",)),
    "float16": (("float16",), ("float32",), ("float32",)),
    "dynamic_range": (("int8", "int4"), ("float32",), ("float32",)),
    "weight_only": (("int8", "int4"), ("float32",), ("float32",)),
    "static_range": (("int8", "int4"), ("int8", "int16"), ("float32", "int8", "uint8", "int16")),
}
_SCALES: dict[str, tuple[Granularity, ...]] = {
    "int8": ("per_channel", "per_tensor"),
    "int4": ("per_channel", "blockwise_32", "blockwise_64"),
}


def _bad(patterns: tuple[str, ...]) -> list[tuple[str, str]]:
    found = []
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            found.append((pattern, str(error)))
    return found


def _or(values: Sequence[str]) -> str:
    return " or ".join(values)


@cache
def _built_in() -> dict[str, Recipe]:
    folder = resources.files("edge_sdk.converters.recipes")
    files = [file for file in folder.iterdir() if file.name.endswith(".toml")]
    parsed = (parse_recipe(f.name.removesuffix(".toml"), f.read_text("utf-8"), where=f.name) for f in files)
    return {recipe.name: recipe for recipe in parsed}
