"""``train``: a model, data and a recipe in, a trained model out, for the line that every other model goes down."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sdk.converters.options.training import TrainData, TrainingOptions
from edge_sdk.converters.reports.training import FileFacts, StageReport, TrainReport
from edge_sdk.converters.sources.source import SourceOptions
from edge_sdk.converters.train.board import open_board
from edge_sdk.converters.train.checkpoint import Checkpoint, Place, fingerprint
from edge_sdk.converters.train.data import ArrayBatches, OwnBatches, open_training_data, with_evaluation
from edge_sdk.converters.train.frameworks import open_framework
from edge_sdk.converters.train.loop import History, Plan, StageLoop
from edge_sdk.converters.train.measuring import Measuring
from edge_sdk.converters.train.metrics import LOSSES, Metric, find_metric
from edge_sdk.converters.train.pruning.sparse_kernels import sparse_kernels_in_words
from edge_sdk.converters.train.stage import Context, Stage, StepSettings
from edge_sdk.converters.train.stages import make_stages
from edge_sdk.converters.train.user_code import Hooks, UserStepper, check_outputs, user_function
from edge_sdk.data.functions import is_function_reference
from edge_sdk.errors import RecipeError, TrainingError, nearest
from edge_sdk.findings import Finding
from edge_sdk.progress import Progress, Silent
from edge_sdk.recipe import Recipe, find_recipe
from edge_sdk.recipe.training import StageSettings, Train

if TYPE_CHECKING:
    from typing_extensions import Unpack


class TrainOptions(TrainingOptions, total=False):
    """Keyword arguments of :func:`train`; all may be left out but one of ``loss``, ``train_step`` and ``fit``."""

    seed: int
    """Of all random choices; 0."""
    measure: bool
    """Say of each stage's model its size, MACs and time, for which it is lowered; True."""
    source_options: SourceOptions
    """How the source is opened and lowered."""
    options: Mapping[str, Any]
    """What ``edge_sdk.convert`` is told where a stage lowers the model, for example ``workers``."""
    progress: Progress | None
    """Hears how far the work is."""


@dataclass(frozen=True)
class TrainedModel:
    """What came out of training.

    Attributes:
        model: in its own framework.
        convertible: what ``edge_sdk.convert`` takes, with ``recipe``.
        recipe: the recipe, with the options laid over it.
        report: of all stages.
        inputs: some training inputs by name, for calibration.
        ranges: tensor name in the file to (scale, zero point), where quantization-aware training learned them.
    """

    model: Any
    convertible: object
    recipe: Recipe
    report: TrainReport
    inputs: Mapping[str, Any] = field(default_factory=dict, repr=False)
    ranges: Mapping[str, tuple[float, int]] = field(default_factory=dict, repr=False)


def train(
    model: object, data: TrainData, *, recipe: str | Path | Recipe, **options: Unpack[TrainOptions]
) -> TrainedModel:
    """Runs the stages of a recipe's ``[train]`` table on a copy of a model.

    Args:
        model: a Keras 3 or tf_keras model, ``(nn.Module, example inputs)``, or a path that ``convert`` takes for one.
        data: see :func:`~edge_sdk.converters.train.data.open_training_data`.
        recipe: a built-in name, a ``.toml`` path, or a Recipe; with a ``[train]`` table.
        options: see :class:`TrainOptions`.

    Raises:
        TrainingError: no loss; a loss that became NaN; a model that cannot be trained.
        CalibrationError: data that does not fit the signature.
        RecipeError: no ``[train]`` table, or a stage that the framework does not have.
        CheckpointError: the checkpoint belongs to another run.
    """
    run = _Run(model, data, _recipe(recipe, options), options)
    try:
        return run.go()
    finally:
        run.board.close()


class _Run:
    """One run over all stages of a recipe."""

    def __init__(self, source: object, data: TrainData, recipe: Recipe, options: TrainOptions) -> None:
        self._options = options
        self._recipe = recipe
        self._train: Train = _table(recipe)
        self._seed = options.get("seed", 0)
        self._progress: Progress = options.get("progress") or Silent()
        self.board = open_board(options.get("tensorboard"), options.get("wandb"))
        self._progress.stage("open the model and the training data")
        opened = options.get("source_options") or SourceOptions()
        self._framework = open_framework(source, opened)
        self._train_data, self._eval_data = self._open_data(data)
        self._loss = self._find_loss()
        self._metric = self._find_metric()
        self._measuring = Measuring(options.get("options") or {}) if options.get("measure", True) else None
        self._stages = make_stages({name: self._context(s, opened) for name, s in self._train.stages.items()})
        source_state = fingerprint(self._framework.state(self._framework.model))
        folder = options.get("checkpoint")
        self._checkpoint = Checkpoint(Path(folder) if folder else None, recipe, self._seed, source_state)

    def go(self) -> TrainedModel:
        """All stages, then the report."""
        framework = self._framework
        findings = [finding for stage in self._stages for finding in stage.check(framework.model)]
        place = self._checkpoint.begin(resume=self._options.get("resume", False))
        framework.seed(self._seed)
        source_metric = self._evaluate(framework.model)
        done = _reports(place)
        model = framework.model
        for number, stage in enumerate(self._stages):
            if number < len(done):
                model = self._again(stage, model)
                continue
            here = place if place and place.stage == stage.name and number == len(done) else None
            model, report = self._stage(stage, model, here, done)
            done.append(report)
        return self._result(model, done, findings, source_metric)

    def _stage(self, stage: Stage, model: Any, place: Place | None, done: list[StageReport]) -> tuple[Any, StageReport]:
        settings = self._train.stages[stage.name]
        self._progress.stage(f"{stage.name}: prepare")
        before = self._evaluate(model)
        if place:
            stage.load_state(self._checkpoint.load(stage.name).get("stage", {}))
        prepared = stage.prepare(model)
        epochs = self._train.epochs if settings.epochs is None else settings.epochs
        begin = time.perf_counter()
        history = self._fit(stage, prepared, epochs, settings, place, done)
        seconds = time.perf_counter() - begin
        states = {"model": self._framework.state(prepared), "stage": stage.state()}
        finished = stage.finish(prepared)
        report = StageReport(
            stage.name,
            len(history.losses),
            history.best,
            tuple(history.losses),
            tuple(history.metrics),
            before,
            self._evaluate(finished),
            seconds / len(history.losses) if history.losses else None,
            facts=stage.facts(),
        )
        kept = [_as_json(one) for one in (*done, report)]
        self._checkpoint.save(Place(stage.name, epochs, 0, {}, kept), states)
        return finished, self._measured(report, stage, finished)

    def _fit(
        self,
        stage: Stage,
        model: Any,
        epochs: int,
        settings: StageSettings,
        place: Place | None,
        done: list[StageReport],
    ) -> History:
        fit = user_function(self._options.get("fit"), "fit")
        if fit is not None:
            hooks = Hooks(stage, model, self._train_data, epochs)
            fit(model, self._train_data, hooks)
            return History()
        rate = settings.learning_rate or self._train.learning_rate
        step_settings = StepSettings(self._train.optimizer, rate, epochs * self._train_data.steps)
        step = user_function(self._options.get("train_step"), "train_step")
        stepper = UserStepper(model, step) if step else self._framework.stepper(model, self._loss, stage, step_settings)
        plan = Plan(
            self._framework,
            self._train_data,
            self._metric,
            self._evaluate,
            self._checkpoint,
            self._progress,
            self._train.patience,
            [_as_json(one) for one in done],
            self.board,
        )
        return StageLoop(plan, stage, model, stepper, epochs=epochs, place=place).run()

    def _again(self, stage: Stage, model: Any) -> Any:
        """A stage that an interrupted run had finished: made again from its weights."""
        parts = self._checkpoint.load(stage.name)
        stage.load_state(parts.get("stage", {}))
        prepared = stage.prepare(model)
        stage.load_state(parts.get("stage", {}))
        self._framework.load_state(prepared, parts["model"])
        return stage.finish(prepared)

    def _result(
        self, model: Any, done: list[StageReport], findings: list[Finding], source_metric: float
    ) -> TrainedModel:
        source_file = None
        if self._measuring:
            self._progress.stage("measure size and time of each stage")
            source = self._framework.convertible(self._framework.model)
            lowered = next(filter(None, (getattr(s, "source_file", None) for s in self._stages)), None)
            source_file, done = self._measuring.timed(source, done, lowered)
        report = TrainReport(
            self._recipe.name,
            self._framework.name,
            self._metric.name,
            self._train_data.description,
            self._eval_data.description,
            self._seed,
            source_metric,
            source_file,
            tuple(done),
            tuple(findings),
        )
        self._checkpoint.remove()
        ranges: dict[str, tuple[float, int]] = getattr(model, "ranges", dict)()
        return TrainedModel(model, self._framework.convertible(model), self._recipe, report, self._samples(), ranges)

    def _measured(self, report: StageReport, stage: Stage, model: Any) -> StageReport:
        if self._measuring is None:
            return report
        self._progress.stage(f"{stage.name}: lower the result to measure it")
        measured = replace(report, file=self._measuring.facts(stage.name, self._framework.convertible(model)))
        if "sparsity" not in report.facts:
            return measured
        words = sparse_kernels_in_words(self._measuring.artifact(stage.name))
        return replace(measured, facts={**report.facts, "sparse kernels": words})

    def _samples(self) -> Mapping[str, Any]:
        from edge_sdk.converters.train.stage import whole_arrays

        return whole_arrays(self._train_data.epoch(0), 256)

    def _context(self, settings: StageSettings, opened: SourceOptions) -> Context:
        return Context(
            framework=self._framework,
            recipe=self._recipe,
            settings=settings,
            data=self._train_data,
            evaluate=self._evaluate,
            higher_is_better=self._metric.higher_is_better,
            source_options={**opened.as_arguments(), **(self._options.get("options") or {})},
            teacher=self._options.get("teacher"),
            seed=self._seed,
            progress=self._progress,
            loss=self._loss if self._options.get("loss") is not None else None,
        )

    def _open_data(self, data: TrainData) -> tuple[ArrayBatches | OwnBatches, ArrayBatches | OwnBatches]:
        framework = self._framework

        def opened(given: TrainData) -> ArrayBatches | OwnBatches:
            size = self._train.batch_size
            return open_training_data(given, framework.inputs, framework.outputs, batch_size=size, seed=self._seed)

        evaluation = self._options.get("evaluation")
        return with_evaluation(opened(data), None if evaluation is None else opened(evaluation))

    def _find_loss(self) -> Callable[[dict[str, Any], Any], Any]:
        wanted = self._options.get("loss")
        own = [name for name in ("train_step", "fit") if self._options.get(name) is not None]
        if (wanted is not None) + len(own) != 1:
            got = "none" if wanted is None and not own else "more than one"
            raise TrainingError(
                f"training needs one of loss, train_step and fit, got {got}", hint=f"losses: {', '.join(LOSSES)}"
            )
        if wanted is None:
            return lambda outputs, targets: None
        if isinstance(wanted, str) and not is_function_reference(wanted):
            if wanted not in LOSSES:
                hint = f"{', '.join(LOSSES)}, or file.py:function"
                raise TrainingError(f"unknown loss `{wanted}`{nearest(wanted, LOSSES)}", hint=hint)
            check_outputs(wanted, self._framework, next(self._train_data.epoch(0)))
            common: Callable[[dict[str, Any], Any], Any] = self._framework.loss(wanted)
            return common
        own_loss: Callable[[dict[str, Any], Any], Any] = self._framework.own_loss(user_function(wanted, "loss"))
        return own_loss

    def _find_metric(self) -> Metric:
        wanted = self._options.get("metric")
        if isinstance(wanted, str) and is_function_reference(wanted):
            wanted = user_function(wanted, "metric")
        return find_metric(
            wanted,
            loss=self._options.get("loss"),
            class_axis=self._framework.class_axis,
            goal=self._options.get("metric_goal"),
        )

    def _evaluate(self, model: Any) -> float:
        return evaluate(self._framework, model, self._eval_data, self._metric)


def evaluate(framework: Any, model: Any, data: ArrayBatches | OwnBatches, metric: Metric) -> float:
    """A metric of a model on all evaluation data."""
    import numpy as np

    outputs: dict[str, list[Any]] = {}
    targets: list[Any] = []
    for batch in data.in_order():
        for name, values in framework.predict(model, batch.inputs).items():
            outputs.setdefault(name, []).append(values)
        targets.append(batch.targets)
    whole = {name: np.concatenate(parts) for name, parts in outputs.items()}
    return metric.measure(whole, _joined(targets))


def _joined(targets: list[Any]) -> Any:
    import numpy as np

    if isinstance(targets[0], Mapping):
        return {name: np.concatenate([t[name] for t in targets]) for name in targets[0]}
    return None if targets[0] is None else np.concatenate(targets)


def _recipe(recipe: str | Path | Recipe, options: TrainOptions) -> Recipe:
    """The recipe with what the user said laid over its [train] table."""
    found = recipe if isinstance(recipe, Recipe) else find_recipe(recipe)
    table = _table(found)
    over: dict[str, Any] = {
        key: options.get(key)
        for key in ("epochs", "learning_rate", "batch_size", "patience")
        if options.get(key) is not None
    }
    stages: dict[str, Any] = {
        name: replace(settings, **{k: None for k in ("epochs", "learning_rate") if k in over and settings.epochs != 0})
        for name, settings in table.stages.items()
    }
    return replace(found, train=replace(table, **over, **stages))


def _table(recipe: Recipe) -> Train:
    if recipe.train is None:
        raise RecipeError(
            f"recipe {recipe.name} has no [train] table", hint="qat_wi8_ai8 has one; `convert` needs no training"
        )
    return recipe.train


def _as_json(report: StageReport) -> dict[str, Any]:
    return {**vars(report), "file": vars(report.file) if report.file else None}


def _reports(place: Place | None) -> list[StageReport]:
    """Reports of the stages that an interrupted run had finished."""
    done = place.done if place else []
    return [
        StageReport(
            **{
                **one,
                "losses": tuple(one["losses"]),
                "metrics": tuple(one["metrics"]),
                "file": FileFacts(**one["file"]) if one["file"] else None,
            }
        )
        for one in done
    ]
