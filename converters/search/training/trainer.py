"""Models that moves train: each once, with a line of its own; an interrupted training is gone on with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from edge_sdk.converters.options import Settings
from edge_sdk.converters.options.training import TrainData
from edge_sdk.converters.pipeline import Line
from edge_sdk.converters.search.archive import content_key
from edge_sdk.converters.train import TrainOptions, train
from edge_sdk.converters.workers.workshop import Workshop
from edge_sdk.progress import Progress
from edge_sdk.recipe import Recipe

_CHECKPOINTS = "training"


@dataclass(frozen=True)
class Lesson:
    """What models are trained from.

    Attributes:
        source: the model.
        data: what it is trained on.
        options: of ``train`` beside recipe, data and checkpoint.
    """

    source: object
    data: TrainData
    options: Mapping[str, Any]


class Trainer:
    """The line that makes a recipe's file: the source's own, or that of a model which was trained for it.

    Args:
        shop: folder and workers.
        plain: the source's own line.
        settings: of lines of trained models.
        progress: likewise.
        folder: for checkpoints.
        lesson: None where nothing is trained.
    """

    def __init__(
        self, shop: Workshop, plain: Line, settings: Settings, progress: Progress, folder: Path, lesson: Lesson | None
    ) -> None:
        self.plain = plain
        self._shop, self._settings, self._progress = shop, settings, progress
        self._folder, self._lesson = folder, lesson
        self._lines: dict[str, Line] = {}

    def line(self, recipe: Recipe) -> Line:
        """Where files of the recipe are made.

        Raises:
            TrainingError: training cannot begin or go on.
        """
        if recipe.train is None:
            return self.plain
        key = content_key({"name": recipe.name, **asdict(recipe.train)})
        if key not in self._lines:
            shop = Workshop(self._shop.path(f"trained_{key[:16]}"), workers=self._shop.workers)
            self._lines[key] = Line(shop, self._train(recipe, key), self._settings, self._progress)
        return self._lines[key]

    def _train(self, recipe: Recipe, key: str) -> object:
        lesson = self._lesson
        if lesson is None:
            raise ValueError(f"recipe {recipe.name} trains, and no move asks for that without data")
        checkpoint = self._folder / _CHECKPOINTS / key[:16]
        given = {**lesson.options, "checkpoint": checkpoint, "resume": (checkpoint / "run.json").exists()}
        return train(lesson.source, lesson.data, recipe=recipe, **cast("TrainOptions", given)).convertible
