"""Models of any framework to .tflite files that are proven to compute what their source computes.

Needs the extras of the frameworks it is used with. README.md beside this file shows the line a model goes down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sdk.converters.device import choose_recipe
from edge_sdk.converters.jobs import Job
from edge_sdk.converters.options import Options, recipe_from, settings_from
from edge_sdk.converters.options.described import tells_options
from edge_sdk.converters.pipeline import run_jobs
from edge_sdk.converters.reports.conversion import ConversionReport
from edge_sdk.converters.workers.workshop import Workers
from edge_sdk.progress import Progress
from edge_sdk.recipe import Recipe

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["ConversionReport", "Options", "Workers", "convert", "convert_all"]


@tells_options(Options)
def convert(
    source: object,
    output: str | Path,
    *,
    recipe: str | Path | Recipe | None = None,
    progress: Progress | None = None,
    **options: Unpack[Options],
) -> ConversionReport:
    """Converts a model to one .tflite file and proves it against the source.

    Args:
        source: a Keras 3 or tf_keras model, an ``nn.Module`` with example inputs as ``(module, inputs)``, an
            ``ExportedProgram``, an ONNX ModelProto; or a path: ``.keras``, ``.h5``, a SavedModel folder, ``.pt2``,
            ``.onnx``, a float ``.tflite``, ``file.py:function``.
        output: the file to write; folders that are missing are made.
        recipe: a built-in name (``edge_sdk.recipe_names()``), a ``.toml`` path, or a Recipe; None takes what the
            ``profile`` is served best with, and ``float32`` without one. A recipe that is named is never changed: the
            check at the end says what the device cannot use.
        progress: hears how far the work is.
        options: see :class:`Options`.

    Returns:
        The report; ``report.verified`` is True unless ``keep_unverified`` let a file through, and ``report.fits`` is
        False where the file, right as it is, does not fit the ``profile``.

    Raises:
        EdgeSdkError: see ``edge_sdk.errors``; no file is written.
    """
    profile = settings_from(options).profile
    choice = choose_recipe(profile) if recipe is None and profile else None
    wanted = choice.recipe if choice else recipe or "float32"
    job = Job(recipe_from(wanted, options), Path(output), choice.reason if choice else "")
    (report,) = _run(source, [job], options, progress)
    return report


@tells_options(Options)
def convert_all(
    source: object,
    outputs: Mapping[str, str | Path],
    *,
    progress: Progress | None = None,
    **options: Unpack[Options],
) -> Iterator[ConversionReport]:
    """Converts a model to several files; it is loaded, lowered and run once.

    Args:
        source: see :func:`convert`.
        outputs: recipe (built-in name or ``.toml`` path) to the file to write.
        progress: hears how far the work is.
        options: see :class:`Options`.

    Yields:
        A report for each file, after it was written.

    Raises:
        EdgeSdkError: the first failure; files made before it stay, the failing one is not written.
    """
    if not isinstance(outputs, Mapping):
        raise TypeError(f"outputs: expected recipes with a path for each, got {type(outputs).__name__}")
    jobs = [Job(recipe_from(recipe, options), Path(output)) for recipe, output in outputs.items()]
    yield from _run(source, jobs, options, progress)


def _run(source: object, jobs: list[Job], options: Options, progress: Progress | None) -> Iterator[ConversionReport]:
    """Jobs whose recipe trains go one by one, with a model of their own; the others share one source."""
    if options.get("repair"):
        from edge_sdk.converters.repairing import repair

        yield from (repair(source, job, settings_from(options), progress) for job in jobs)
        return
    if all(job.recipe.train is None for job in jobs):
        from edge_sdk.converters.training_jobs import refuse_training_options

        refuse_training_options(jobs, options)
        yield from run_jobs(source, jobs, settings_from(options), progress)
        return
    from edge_sdk.converters.training_jobs import run_training_job

    for job in jobs:
        if job.recipe.train is None:
            yield from run_jobs(source, [job], settings_from(options), progress)
        else:
            yield run_training_job(source, job, options, progress)
