"""From a source to a bundle in one go: several recipes, one lowering, and the data they were proven on as self-test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sdk.bundle.asked import ProcessingOptions
from edge_sdk.bundle.creating import check_options, create_bundle
from edge_sdk.bundle.options import BundleOptions, Golden
from edge_sdk.bundle.report import BundleReport
from edge_sdk.bundle.sources import source_facts
from edge_sdk.converters.compilers.for_bundle import Chip, CompileFor, chips_of, compiled_files
from edge_sdk.converters.device import choose_recipe
from edge_sdk.converters.jobs import Job
from edge_sdk.converters.options import Options, recipe_from, settings_from
from edge_sdk.converters.options.described import tells_options
from edge_sdk.converters.pipeline import run_jobs
from edge_sdk.converters.reports.conversion import ConversionReport
from edge_sdk.errors import BundleError
from edge_sdk.files import check_writable
from edge_sdk.folders import temporary_folder
from edge_sdk.profile.reading import find_profile
from edge_sdk.progress import Progress, Silent
from edge_sdk.recipe import Recipe, find_recipe

if TYPE_CHECKING:
    from typing_extensions import Unpack


@dataclass(frozen=True)
class BundleConversion:
    """A bundle, and the report of each file in it."""

    bundle: BundleReport
    reports: tuple[ConversionReport, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**self.bundle.as_json(), "conversions": [report.as_json() for report in self.reports]}


@tells_options(Options)
def convert_bundle(
    source: object,
    output: str | Path,
    *,
    recipes: Sequence[str | Path | Recipe] | None = None,
    bundle: BundleOptions | None = None,
    compile_for: CompileFor | None = None,
    progress: Progress | None = None,
    **options: Unpack[Options],
) -> BundleConversion:
    """Converts a model to a bundle with a variant for each recipe, each proven against the source.

    The self-test runs on the first samples that the files were compared on, unless ``bundle`` names other data.

    Args:
        source: see ``edge_sdk.convert``.
        output: the .edge file to write.
        recipes: a built-in name, a ``.toml`` path or a Recipe for each variant; None takes what each of the bundle's
            profiles is served best with, and ``float32`` where there are none.
        bundle: what goes in beside the models.
        compile_for: devices for whose NPUs the variant that suits them is compiled, once more for each chip.
        progress: hears how far the work is.
        options: of the conversion.

    Raises:
        EdgeSdkError: see ``edge_sdk.errors``; no file is written.
    """
    asked: BundleOptions = {**(bundle or {})}
    check_writable(Path(output))
    check_options(asked)
    golden, chips = asked.get("golden") or Golden(), chips_of(compile_for) if compile_for else ()
    with temporary_folder("bundle") as folder:
        jobs = _jobs(recipes if recipes is not None else _best(asked, chips), Path(folder), options)
        settings = replace(settings_from(options), keep_samples=golden.samples)
        reports = tuple(run_jobs(source, jobs, settings, progress))
        asked["golden"] = _golden(golden, reports[0])
        asked["processing"] = _processing(asked.get("processing"), reports[0])
        asked["reports"] = [report.as_json() for report in reports]
        asked["source"] = source_facts(source, reports[0].framework)
        if compile_for:
            files = [job.output for job in jobs]
            asked["compiled"] = tuple(compiled_files(files, chips, compile_for, progress or Silent()))
        made = create_bundle([job.output for job in jobs], output, progress=progress, **asked)
    return BundleConversion(made, tuple(_in_bundle(report, Path(output)) for report in reports))


def _in_bundle(report: ConversionReport, bundle: Path) -> ConversionReport:
    """The file it was made in is gone."""
    artifact = replace(report.artifact, path=None)
    return replace(report, output=f"{bundle}:{report.recipe}", artifact=artifact)


def _best(asked: BundleOptions, chips: Sequence[Chip]) -> list[Recipe]:
    """A recipe for each device, each once."""
    devices = [find_profile(str(one)) for one in asked.get("profiles", ())]
    devices += [one for chip in chips for one in chip.profiles]
    chosen = [choose_recipe(one).recipe for one in devices]
    return list({recipe.name: recipe for recipe in chosen}.values()) or [find_recipe("float32")]


def _jobs(recipes: Sequence[str | Path | Recipe], folder: Path, options: Options) -> list[Job]:
    resolved = [recipe_from(recipe, options) for recipe in recipes]
    names = [recipe.name for recipe in resolved]
    if len(set(names)) != len(names) or not names:
        raise BundleError(f"recipes {', '.join(names)}: each must be another", hint="a bundle has one variant of each")
    training = [recipe.name for recipe in resolved if recipe.train is not None]
    if training:
        hint = "convert it to a .tflite first, then `edge-sdk bundle create`"
        raise BundleError(f"recipe {training[0]} trains, which a bundle does not wait for", hint=hint)
    return [Job(recipe, folder / f"{recipe.name}.tflite") for recipe in resolved]


def _processing(asked: ProcessingOptions | None, report: ConversionReport) -> ProcessingOptions | None:
    """Pictures reach the device's model as they reached it here: what it scales itself is not scaled before."""
    if asked is None or asked.images is None or asked.images.scale is not None:
        return asked
    return replace(asked, images=replace(asked.images, scale=report.image_scale))


def _golden(asked: Golden, report: ConversionReport) -> Golden:
    """The data asked for; else the samples that the conversion ran on, in the file's layout."""
    if asked.data is not None or not asked.samples:
        return asked
    samples: list[Mapping[str, Any]] = list(report.samples)
    return replace(asked, data=samples, description=asked.description or report.data.description)
