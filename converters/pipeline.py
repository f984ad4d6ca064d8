"""The line every model goes down: load, lower, quantize, prove, write. Nothing flows back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_sdk.artifact.model import Artifact, own_artifact, read_artifact
from edge_sdk.artifact.note import note_of
from edge_sdk.artifact.summary import summarize
from edge_sdk.converters.device import (
    compiled_path,
    fit_to_device,
    floats_of_tuning,
    in_forms_of_delegate,
    in_narrow_windows,
)
from edge_sdk.converters.jobs import Job, Quantized, Template, check_calibration, quantized_from
from edge_sdk.converters.layout import Port
from edge_sdk.converters.options import Settings
from edge_sdk.converters.proving.finish import finish
from edge_sdk.converters.proving.float_model import FloatModel
from edge_sdk.converters.proving.form import check_form
from edge_sdk.converters.proving.labels import with_labels
from edge_sdk.converters.proving.ladder import Ladder, Note
from edge_sdk.converters.proving.latency import (
    against_whole,
    is_slower,
    latency_findings,
    measured,
    outside,
    refuse_slow,
    untimed,
)
from edge_sdk.converters.proving.linting import lint_findings
from edge_sdk.converters.proving.proof import Measure, Proof
from edge_sdk.converters.proving.telling import findings_of, untuned
from edge_sdk.converters.quantize import PRELOAD, QUANTIZERS
from edge_sdk.converters.quantize.crash import named_crash
from edge_sdk.converters.quantize.forms.integer_forms import with_integer_forms
from edge_sdk.converters.quantize.tuning.float_spans import floated_in
from edge_sdk.converters.quantize.tuning.tuning import forget, tuned_in
from edge_sdk.converters.reports.conversion import ConversionReport, Stage
from edge_sdk.converters.reports.details import Details
from edge_sdk.converters.samples import Samples
from edge_sdk.converters.sources.from_tflite import refuse_quantized
from edge_sdk.converters.sources.from_trained import TrainedSource
from edge_sdk.converters.sources.opened import OpenSource
from edge_sdk.converters.sources.quantized_already import may_be_quantized
from edge_sdk.converters.workers.workshop import Workshop
from edge_sdk.data.opening import Data
from edge_sdk.errors import ConversionError
from edge_sdk.files import check_writable, own_content, write_bytes, write_own
from edge_sdk.findings import Finding, gravest_first
from edge_sdk.measure.side_by_side import Timing
from edge_sdk.profile.records import DeviceProfile
from edge_sdk.progress import Parts, Progress, Silent
from edge_sdk.recipe import Recipe
from edge_sdk.version import __version__


def run_jobs(
    source: object, jobs: Sequence[Job], settings: Settings, progress: Progress | None = None
) -> Iterator[ConversionReport]:
    """Makes the files one after the other; the source is loaded, lowered and run once.

    Yields:
        A report for each file, after it was written.

    Raises:
        EdgeSdkError: the first failure; files made before it stay, the failing one is not written.
    """
    refuse_quantized(source)
    for job in jobs:
        check_writable(job.output)
        if compiled := compiled_path(job.output, settings.profile):
            check_writable(compiled)
        if not may_be_quantized(source):
            check_calibration(job, settings, has_ranges=TrainedSource.reads(source))
    with Workshop(settings.work_dir, settings.workers) as shop:
        float_only = all(job.recipe.mode == "float" for job in jobs)
        line = Line(shop, source, settings, progress or Silent(), float_only=float_only)
        for job in jobs:
            # What is quantized already brings its ranges, which only the loaded model says for sure.
            check_calibration(job, settings, has_ranges=line.has_ranges)
        for job in jobs:
            yield line.make(job)


def make_template(source: object, recipe: Recipe, settings: Settings, progress: Progress | None = None) -> Template:
    """Lowers and quantizes a source, and checks the form of the int8 file but not its accuracy.

    Raises:
        EdgeSdkError: as for :func:`run_jobs`.
    """
    with Workshop(settings.work_dir, settings.workers) as shop:
        return Line(shop, source, settings, progress or Silent()).template(recipe)


class Line:
    """One source on its way to several files: loaded once, lowered and run once."""

    def __init__(
        self, shop: Workshop, source: object, settings: Settings, progress: Progress, *, float_only: bool = False
    ) -> None:
        self._shop = shop
        self._settings = settings
        self._progress = progress
        self._stages: list[Stage] = []
        self._original = source
        self._name = str(source) if isinstance(source, str | Path) else f"{type(source).__name__} in memory"
        with self._stage("load the source"):
            # What is needed later is imported while the source loads.
            shop.worker("engine", preload=("edge_sdk.converters.proving.candidate", "ai_edge_litert.interpreter"))
            self._source = OpenSource(shop, source, settings.options)
            self._source.refuse_text()
        self._findings = list(self._source.description.findings)
        specs = self._source.description.inputs
        self._samples = Samples(specs, shop.folder, settings, self._stage, self._progress, float_only=float_only)
        self._opening = self._stages
        self._proof = Proof(shop, self._source, blamed_samples=8, boxes=settings.boxes, classes=settings.classes)
        self._floats: dict[str, tuple[FloatModel, Stage]] = {}

    @property
    def source(self) -> OpenSource:
        """The source, open."""
        return self._source

    def calibrate(self, data: Data) -> None:
        """Observes ranges on other data than the settings name."""
        self._samples.calibrate(data)

    @property
    def has_ranges(self) -> bool:
        """Whether the source brings its own ranges: it was trained here, or is quantized already."""
        return TrainedSource.reads(self._original) or self._source.description.quantized_by is not None

    def make(self, job: Job) -> ConversionReport:
        """Makes, proves and writes one file."""
        self._stages = []
        lowered = self._ready(job.recipe, self.lowered(job.recipe))
        path, made = self._quantize(job.recipe, lowered, place=True)
        findings = list(made.findings)
        lowered = made.inside(lowered)
        with self._stage("compare with the source"):
            artifact = own_artifact(path)
            quantized = self._source.description.quantized_by is not None
            findings += check_form(artifact, lowered.artifact, job.recipe, made.islands, quantized=quantized)
            judged = self._proof.of_file(path, lowered, job.recipe, explained=made.explained)
            lint = lint_findings(artifact, lowered.artifact, islands=bool(made.islands), quantized=quantized)
            findings += [
                *findings_of(judged.rows, drawn=self._proof.facts.drawn),
                *untuned(judged.rows, job.recipe),
                *lint,
            ]
        details = self._details(path, lowered)
        timings, slow = self._time(lowered, path, made.plain, job.recipe)
        if not self._settings.allow_slow:
            refuse_slow(timings, job.recipe, self._settings.profile, slow)
        report = ConversionReport(
            verified=judged.right.ok and judged.accuracy.state != "lost" and lowered.verified,
            right=judged.right,
            accuracy=judged.accuracy,
            output=str(job.output),
            recipe=job.recipe.name,
            source=self._name,
            framework=self._source.description.framework,
            artifact=replace(artifact, path=job.output),
            summary=summarize(artifact),
            layouts=lowered.layouts,
            attempts=lowered.attempts,
            data=self._proof.facts,
            calibration=self._samples.calibration_facts if job.recipe.needs_calibration else None,
            float_parity=lowered.parity,
            parity=judged.rows,
            labelled=self._proof.labelled(),
            labels=next(iter(self._settings.labels.values()), ()),
            timings=timings,
            ranges=made.ranges,
            corrections=made.corrections,
            tools=(lowered.tool, *made.tools),
            findings=gravest_first([*self._findings, *lowered.findings, *findings, *slow]),
            stages=(*self._opening, *self._stages),
            choice=job.choice,
            samples=self._proof.first(self._settings.keep_samples, lowered),
            image_scale=self._samples.images.scale,
            details=details,
        )
        if not report.verified and not self._settings.keep_unverified:
            raise self._proof.error(report, path, lowered)
        write_bytes(job.output, own_content(path))
        profile = self._settings.profile
        return report if profile is None else self._fit(report, job.output, profile)

    def _details(self, path: Path, lowered: FloatModel) -> Details | None:
        if not self._settings.details:
            return None
        with self._stage("look at every result"):
            return self._proof.details(path, lowered, timed=self._settings.timing)

    def _fit(self, report: ConversionReport, output: Path, profile: DeviceProfile) -> ConversionReport:
        with self._stage(f"check against {profile.id}"):
            checked = fit_to_device(report, output, profile)
        return replace(checked, stages=(*report.stages, self._stages[-1]), findings=gravest_first(checked.findings))

    def file(self, recipe: Recipe) -> tuple[FloatModel, Path, Quantized]:
        """The file that :meth:`make` makes, not proven: what it was made from, where it is, what its quantizer said."""
        lowered = self._ready(recipe, self.lowered(recipe))
        path, made = self._quantize(recipe, lowered, place=True)
        check_form(read_artifact(path), lowered.artifact, recipe, made.islands)
        return lowered, path, made

    def template(self, recipe: Recipe) -> Template:
        """The float and the int8 file; its biases are the float file's, for they are trained."""
        recipe = replace(recipe, bias_correction=False, tune=False, equalize=False, forms="plain")
        lowered = self._ready(recipe, self.lowered(recipe))
        path, made = self._quantize(recipe, lowered, place=False)
        findings = [*made.findings, *check_form(read_artifact(path), lowered.artifact, recipe, made.islands)]
        every = gravest_first([*self._findings, *findings])
        tools = (lowered.tool, *made.tools)
        return Template(lowered, lowered.path.read_bytes(), path.read_bytes(), tools, every)

    def level(self, recipe: Recipe, measure: Measure = Proof.level) -> float:
        """What a recipe's file has by a measure of the proof's: SQNR in dB of the worst output, if none is said."""
        lowered = self._ready(recipe, self.lowered(recipe))
        path, _ = self._quantize(recipe, lowered, place=True)
        return measure(self._proof, path, lowered, recipe)

    def noise(self, recipe: Recipe) -> tuple[FloatModel, list[dict[str, Any]]]:
        """The float file, and what each result of the recipe's file adds in noise (:class:`~.TensorParity`)."""
        lowered = self._ready(recipe, self.lowered(recipe))
        path, made = self._quantize(recipe, lowered, place=False)
        return self.lowered(recipe), self._proof.blame(path, made.inside(lowered))

    def lowered(self, recipe: Recipe) -> FloatModel:
        """The float file that a recipe begins with."""
        rungs = self._source.rungs(static_range=recipe.mode == "static_range")
        key = repr(rungs[0])
        if key in self._floats:
            lowered, stage = self._floats[key]
            self._stages.append(stage)
            return lowered
        with self._stage("lower to float32"):
            ladder = Ladder(self._shop, self._source, self._proof, self._prepare_comparison, self._noting(recipe))
            lowered = ladder.climb(rungs, keep_unverified=self._settings.keep_unverified)
        self._floats[key] = lowered, self._stages[-1]
        return lowered

    def _ready(self, recipe: Recipe, lowered: FloatModel) -> FloatModel:
        """The float file that the quantizer shall see, in forms of the recipe's and of the target's delegate."""
        if lowered.quantized is not None:
            return lowered
        data = lowered.path.read_bytes()
        ready = with_integer_forms(data, recipe) if recipe.mode == "static_range" else data
        narrow = in_narrow_windows(ready, recipe, self._settings.profile)
        if narrow is not None:
            plain = self._written(ready, f"{recipe.name}.whole.tflite")
            lowered = replace(lowered, plain=plain, findings=(narrow[1],))
            ready = narrow[0]
        if ready is data:
            return lowered
        path = self._written(ready, f"{recipe.name}.float.tflite")
        return replace(lowered, path=path, artifact=read_artifact(path))

    def _written(self, data: bytes, name: str) -> Path:
        path = self._shop.path(name)
        path.write_bytes(data)
        return path

    def _prepare_comparison(self, artifact: Artifact) -> None:
        store, facts, findings = self._samples.for_comparison(artifact)
        self._findings += findings
        self._proof.begin(store, facts)

    def _quantize(self, recipe: Recipe, lowered: FloatModel, *, place: bool) -> tuple[Path, Quantized]:
        """The finished file; in the forms that the delegate takes if it shall be placed."""
        if recipe.mode == "float":
            return self._as_it_is(recipe, lowered), Quantized()
        if lowered.quantized is not None:
            data, made = lowered.quantized_bytes(recipe), Quantized()
        else:
            raw = self._shop.path(f"{recipe.name}.raw.tflite")
            with self._stage(f"quantize to {recipe.name}") as parts:
                written = self._run_quantizer(recipe, lowered, raw, parts)
            made = quantized_from(self._tuned(recipe, written, raw, lowered) if recipe.tune else written)
            data = raw.read_bytes()
        exact = made.inside(lowered).path.read_bytes()
        placed = in_forms_of_delegate(data, recipe, self._settings.profile, exact) if place else None
        if placed is None:
            return self._finished(data, recipe, lowered), made
        plain = self._shop.path(f"{recipe.name}.plain.tflite")
        plain.write_bytes(data)
        told = (*made.findings, placed.finding(recipe.name))
        made = replace(made, findings=told, islands=made.islands | placed.names, plain=plain)
        return self._finished(placed.data, recipe, lowered), made

    def _as_it_is(self, recipe: Recipe, lowered: FloatModel) -> Path:
        """The lowered file, which is not packed again where it says already what it shall."""
        note = self._note(recipe, lowered.inputs, lowered.outputs)
        if self._settings.labels or note_of(lowered.artifact) != json.loads(json.dumps(note)):
            return self._finished(own_content(lowered.path), recipe, lowered)
        path = self._shop.path(f"{recipe.name}.tflite")
        path.unlink(missing_ok=True)
        path.hardlink_to(lowered.path)
        return path

    def _finished(self, data: bytes | memoryview, recipe: Recipe, lowered: FloatModel) -> Path:
        path = self._shop.path(f"{recipe.name}.tflite")
        done = finish(data, lowered.inputs, lowered.outputs, self._note(recipe, lowered.inputs, lowered.outputs))
        write_own(path, with_labels(done, self._settings.labels) if self._settings.labels else done)
        return path

    def _run_quantizer(self, recipe: Recipe, lowered: FloatModel, raw: Path, parts: Parts) -> dict[str, Any]:
        store = self._samples.calibration
        worker = self._shop.worker(lowered.role, preload=PRELOAD.get(recipe.mode, ()))
        arguments = {
            "path": str(lowered.path),
            "samples": str(store.folder) if store else None,
            "axes": lowered.input_axes,
        }
        try:
            made: dict[str, Any] = worker.function(
                QUANTIZERS[recipe.mode],
                f"quantizing to {recipe.name}",
                progress=parts,
                target=str(raw),
                recipe=recipe.as_json(),
                **arguments,
            )
        except ConversionError as error:
            if worker.alive or recipe.mode != "static_range":
                raise
            raise named_crash(error, self._shop.worker(lowered.role), arguments) from error
        return made

    def _tuned(self, recipe: Recipe, said: dict[str, Any], raw: Path, lowered: FloatModel) -> dict[str, Any]:
        store = self._samples.calibration
        # Of its own: PyTorch does not share a process with every other framework.
        worker, seed = self._shop.worker("tuning"), self._settings.seed
        kept = self._settings.checkpoint
        given = {
            "target": str(raw),
            "samples": str(store.folder) if store else "",
            "axes": lowered.input_axes,
            "asked": {"minutes": recipe.tune_minutes, "checkpoint": str(kept) if kept else None, "seed": seed},
        }
        with self._stage(f"tune, at most {recipe.tune_minutes:g} min") as parts:
            resume = self._settings.resume
            said = tuned_in(worker, said, parts, resume=resume, **given)
            floats = floats_of_tuning(recipe, self._settings.profile)
            made = floated_in(worker, said, parts, floats=floats, **given)
        if kept:
            forget(Path(kept))
        return made

    def _time(
        self, lowered: FloatModel, path: Path, plain: Path | None, recipe: Recipe
    ) -> tuple[tuple[Timing, ...], list[Finding]]:
        """The float file's latency, this one's, and that of the same in plain forms, where there is one.

        A float file's own are not told, only what its forms bought.
        """
        if recipe.mode == "float" and lowered.plain is None:
            return (), []
        if not self._settings.timing:
            return (), untimed(recipe, self._settings.profile)
        with self._stage("measure latency"):
            worker = self._shop.worker("engine")
            every = [lowered.path, *([] if recipe.mode == "float" else [path, *([plain] if plain else [])])]
            timings = measured(worker, [*every, *([lowered.plain] if lowered.plain else [])])
            whole = against_whole(timings[0], timings[len(every) :], recipe)
            timings = timings[: len(every)] if recipe.mode != "float" else ()
            slow = is_slower(timings)
            left = outside(worker, path, self._shop.path("alone"), timings[1], lowered.path) if slow else None
        return timings, [*whole, *latency_findings(timings, recipe, left)]

    def _noting(self, recipe: Recipe) -> Note:
        """What the float file says of its making: as the result, where it is that."""
        return lambda inputs, outputs: self._note(recipe, inputs, outputs) if recipe.mode == "float" else {}

    def _note(self, recipe: Recipe, inputs: Sequence[Port], outputs: Sequence[Port]) -> dict[str, Any]:
        return {
            "edge_sdk": __version__,
            "recipe": recipe.name,
            "source": self._source.description.framework,
            "inputs": [port.as_json() for port in inputs],
            "outputs": [port.as_json() for port in outputs],
        }

    @contextmanager
    def _stage(self, name: str) -> Iterator[Parts]:
        parts = Parts(name, self._progress)
        yield parts
        self._stages += [Stage(part, seconds) for part, seconds in parts.ended().items()]
