"""Files whose recipe trains: the model is trained first, then it goes down the line as every other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from edge_sdk.converters.jobs import Job
from edge_sdk.converters.options import Options, settings_from, source_options_from
from edge_sdk.converters.options.training import TrainingOptions
from edge_sdk.converters.pipeline import run_jobs
from edge_sdk.converters.reports.conversion import ConversionReport
from edge_sdk.converters.sources.from_trained import TrainedGraph
from edge_sdk.converters.train import TrainedModel, TrainOptions, train
from edge_sdk.errors import RecipeError, TrainingError
from edge_sdk.files import check_writable
from edge_sdk.progress import Progress

_TRAINING = tuple(TrainingOptions.__annotations__)
_LOWERING = ("lowering", "layout", "workers", "work_dir")


def run_training_job(source: object, job: Job, options: Options, progress: Progress | None) -> ConversionReport:
    """Trains and makes one file.

    Raises:
        TrainingError: no training data.
        EdgeSdkError: see ``train`` and ``convert``.
    """
    if isinstance(source, TrainedGraph):
        (report,) = run_jobs(source, [job], settings_from(options), progress)
        return report
    check_writable(job.output)
    data = options.get("train_data")
    if data is None:
        raise TrainingError(
            f"recipe {job.recipe.name} trains, and there is no training data",
            hint="give --train-data: a .npz with the inputs and targets, or file.py:function",
        )
    given: dict[str, Any] = {key: options[key] for key in _TRAINING if key in options}  # type: ignore[literal-required]
    settings: dict[str, Any] = {
        **given,
        "checkpoint": _checkpoint(job, options),
        "seed": options.get("seed", 0),
        "measure": options.get("timing", True),
        "source_options": source_options_from(options),
        "options": {key: options[key] for key in _LOWERING if options.get(key) is not None},  # type: ignore[literal-required]
        "progress": progress,
    }
    trained = train(source, data, recipe=job.recipe, **cast("TrainOptions", settings))
    report = _convert(trained, job, options, progress)
    return replace(report, source=str(source)) if isinstance(source, str | Path) else report


def _checkpoint(job: Job, options: Options) -> Path | None:
    """A folder of its own for each recipe inside the one that was given."""
    folder = options.get("checkpoint")
    return Path(folder) / job.recipe.name if folder else None


def _convert(trained: TrainedModel, job: Job, options: Options, progress: Progress | None) -> ConversionReport:
    """The trained model down the line; what it was trained on stands in for data that was not given."""
    settings = settings_from(options)
    own = trained.inputs
    settings = replace(settings, calibration=settings.calibration or own, data=settings.data or own)
    job = replace(job, recipe=trained.recipe)
    (report,) = run_jobs(trained.convertible, [job], settings, progress)
    findings = tuple(dict.fromkeys((*trained.report.findings, *report.findings)))
    return replace(report, training=trained.report, findings=findings)


def refuse_training_options(jobs: Sequence[Job], options: Options) -> None:
    """A recipe that does not train has no use for what training is told.

    Raises:
        RecipeError: some of it was given.
    """
    # Tuning can be gone on with as well.
    kept = {"checkpoint", "resume"} if any(job.recipe.tune for job in jobs) else set()
    names = [name for name in ("train_data", *_TRAINING) if name not in kept]
    given = [name for name in names if options.get(name) not in (None, False)]
    if given:
        raise RecipeError(
            f"recipe {jobs[0].recipe.name} does not train, but {', '.join(given)} was given",
            hint="take a recipe with a [train] table, for example qat_wi8_ai8",
        )
