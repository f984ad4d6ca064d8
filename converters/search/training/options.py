"""What a search is told of training: checked early, kept in the archive, and told to who makes the file again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.converters.options import Options, source_options_from
from edge_sdk.converters.search.archive import content_key
from edge_sdk.converters.search.training.trainer import Lesson
from edge_sdk.converters.search.view import Training
from edge_sdk.converters.train.frameworks import check_trainable
from edge_sdk.data.functions import is_function_reference
from edge_sdk.errors import TrainingError
from edge_sdk.progress import Progress
from edge_sdk.recipe import find_recipe
from edge_sdk.recipe.training import Train

_WAYS = ("loss", "train_step", "fit")
_TABLE = ("epochs", "learning_rate", "batch_size", "patience")
_LESSON = (*_WAYS, "teacher", "tensorboard", "wandb")
_LOWERING = ("lowering", "layout", "workers")


def check_training(source: object, options: Options) -> Training | None:
    """How models are trained; None without training data.

    Raises:
        TrainingError: no loss, a source that cannot be trained, or options of training without data for it.
    """
    given = [name for name in (*_LESSON, *_TABLE) if options.get(name) is not None]
    if options.get("train_data") is None:
        if given:
            raise TrainingError(f"{', '.join(given)} was given, and nothing to train on", hint="give --train-data")
        return None
    ways = [name for name in _WAYS if name in given]
    if len(ways) != 1:
        raise TrainingError(
            f"training needs one of {', '.join(_WAYS)}, got {', '.join(ways) or 'none'}",
            hint="for example --loss cross_entropy",
        )
    check_trainable(source)
    # The built-in recipe's, with the user's own laid over it; stages are the moves'.
    usual = find_recipe("qat_wi8_ai8").train or Train()
    own: dict[str, Any] = {name: options[name] for name in _TABLE if name in given}  # type: ignore[literal-required]
    table = Train(
        epochs=own.get("epochs", usual.epochs),
        learning_rate=own.get("learning_rate", usual.learning_rate),
        batch_size=own.get("batch_size", usual.batch_size),
        patience=own.get("patience", usual.patience),
    )
    return Training(table, "classes" if "cross_entropy" in str(options.get("loss")) else "values")


def lesson_from(source: object, options: Options, progress: Progress) -> Lesson | None:
    """What models are trained from; None without training data."""
    data = options.get("train_data")
    if data is None:
        return None
    given: dict[str, Any] = {name: options[name] for name in _LESSON if options.get(name) is not None}  # type: ignore[literal-required]
    more = {
        "seed": options.get("seed", 0),
        "measure": False,
        "source_options": source_options_from(options),
        "options": {name: options[name] for name in _LOWERING if options.get(name) is not None},  # type: ignore[literal-required]
        "progress": progress,
    }
    return Lesson(source, data, {**given, **more})


def training_facts(options: Options) -> dict[str, Any] | None:
    """What the archive's answers depend on, as plain data."""
    data = options.get("train_data")
    if data is None:
        return None
    told = {name: str(options[name]) for name in (*_WAYS, *_TABLE, "teacher") if options.get(name) is not None}  # type: ignore[literal-required]
    return {"data": _data_hash(data), **told}


def training_words(options: Options) -> str:
    """The options that ``convert`` needs to train it again."""
    named = {"train_data": options.get("train_data"), **{name: options.get(name) for name in (*_WAYS, "teacher")}}
    return "".join(
        f" --{name.replace('_', '-')} {value}" if isinstance(value, str | Path) else f" ({name} as given in memory)"
        for name, value in named.items()
        if value is not None
    )


def _data_hash(data: Any) -> str:
    if isinstance(data, str) and is_function_reference(data):
        return hashlib.sha256(Path(data.rpartition(":")[0]).read_bytes()).hexdigest()
    if isinstance(data, str | Path):
        return hashlib.sha256(Path(data).read_bytes()).hexdigest()
    arrays = data if isinstance(data, Mapping) else dict(enumerate(data)) if isinstance(data, tuple) else {}
    return content_key(
        {str(name): hashlib.sha256(np.asarray(one).tobytes()).hexdigest() for name, one in arrays.items()}
    )
