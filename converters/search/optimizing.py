"""``edge_sdk.optimize``: from a source and data to the best file for a device."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_sdk.bundle.creating import create_bundle
from edge_sdk.bundle.options import Golden
from edge_sdk.bundle.sources import source_facts
from edge_sdk.checks.timing.table import beside, check_belongs, read_table
from edge_sdk.converters.options import settings_from
from edge_sdk.converters.pipeline import Line
from edge_sdk.converters.pixels import is_folder
from edge_sdk.converters.search.account import expectations, group_facts
from edge_sdk.converters.search.archive import Archive
from edge_sdk.converters.search.clocks import Clock, Here, Predicted, There
from edge_sdk.converters.search.engine import Search
from edge_sdk.converters.search.eval_data import open_eval, split
from edge_sdk.converters.search.making import has_accelerator
from edge_sdk.converters.search.metrics import Metric, find_metric
from edge_sdk.converters.search.paired import samples_to_confirm
from edge_sdk.converters.search.planning import SearchOptions, planned
from edge_sdk.converters.search.records import MetricFacts, Result
from edge_sdk.converters.search.tools import Tools
from edge_sdk.converters.search.training.options import lesson_from, training_facts, training_words
from edge_sdk.converters.search.training.trainer import Trainer
from edge_sdk.converters.search.workbench import Trial, Workbench
from edge_sdk.converters.workers.child import tool_version
from edge_sdk.converters.workers.workshop import Workshop
from edge_sdk.data import check_samples, spool
from edge_sdk.data.images import ImageOptions
from edge_sdk.data.wanted import pixel_scale
from edge_sdk.errors import BundleError, CalibrationError, OutputError, ProfileError
from edge_sdk.files import write_bytes
from edge_sdk.progress import Progress, Silent
from edge_sdk.recipe import find_recipe
from edge_sdk.recipe.writing import recipe_text
from edge_sdk.version import __version__

if TYPE_CHECKING:
    from typing_extensions import Unpack

BEST, FRONT, RECIPE, BUNDLE, CALIBRATION = "best.tflite", "front.json", "recipe.toml", "best.edge", "calibration.npz"
_TOOLS = ("ai-edge-litert", "ai-edge-quantizer", "litert-quantizer", "tensorflow", "torch")


def optimize(
    source: object, output: str | Path, *, progress: Progress | None = None, **options: Unpack[SearchOptions]
) -> Result:
    """Finds the best file for a device under budgets, with few evaluations.

    Args:
        source: see ``edge_sdk.convert``.
        output: a folder, made if absent: ``best.tflite`` (the best so far that fits, at all times), ``best.edge``,
            ``recipe.toml`` that reproduces it by ``convert``, ``front.json`` (``FRONT.md`` beside this file), and the
            archive that ``resume`` reads.
        progress: hears what is tried, why, and what is best.
        options: see :class:`SearchOptions`; ``evaluation``, ``metric`` and ``metric_goal`` say what to measure by,
            also of models that are trained (``train_data``, ``loss``). Ranges are observed on ``calibration``, and
            without it on a fifth of the evaluation data that nothing else sees.

    Returns:
        What was found; ``best`` is None where nothing fits, and ``why`` says what was nearest.

    Raises:
        EdgeSdkError: see ``edge_sdk.errors``.
    """
    folder = Path(output)
    try:
        made = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error
    try:
        with Workshop(_path(options.get("work_dir")), options.get("workers")) as shop:
            return _Run(shop, source, folder, options, progress or Silent()).answer()
    finally:
        if made and not any(folder.iterdir()):
            folder.rmdir()  # refused before anything was found


class _Run:
    """One search with its files."""

    def __init__(
        self, shop: Workshop, source: object, folder: Path, options: SearchOptions, progress: Progress
    ) -> None:
        self._begin = time.monotonic()
        self._shop, self._source, self._folder, self._options = shop, source, folder, options
        self._progress = progress
        self._findings: list[str] = []
        self._plan = planned(source, options)
        self._written: str | None = None
        settings = replace(settings_from(options), timing=False, data=None, checkpoint=None, resume=False)
        self._settings = settings
        # First of all, for it may not answer.
        self._clock = self._open_clock()
        try:
            self._search = self._open_search(progress)
        except BaseException:
            self._close()
            raise

    def _open_search(self, progress: Progress) -> Search:
        shop, source, folder, options = self._shop, self._source, self._folder, self._options
        self._line = Line(shop, source, self._settings, progress)
        self._trial = self._open_trial()
        self._facts = self._metric_facts()
        archive = Archive(folder, self._context(), resume=options.get("resume", False))
        lesson = lesson_from(source, options, progress)
        trainer = Trainer(shop, self._line, self._settings, progress, folder.absolute(), lesson)
        by_placement = isinstance(self._clock, Here | None) and has_accelerator(self._plan.profile)
        tools = Tools(shop, trainer, self._clock, self._plan.profile, progress, self._settings.seed, by_placement)
        self._bench = Workbench(tools, self._trial, archive, folder, self._plan.wanted.base)
        wanted = replace(self._plan.wanted, by_placement=by_placement)
        return Search(self._bench, wanted, self._plan.limits, progress.stage, self._keep)

    def answer(self) -> Result:
        """Runs the search; an interruption leaves what was found so far."""
        try:
            self._search.run()
        except BaseException as ended:
            if isinstance(ended, Exception):
                raise
            self._search.stopped = "interrupted"
            self._keep(self._search)
            if isinstance(ended, KeyboardInterrupt):
                raise KeyboardInterrupt(self._left_behind()) from ended
            raise
        finally:
            self._close()
        self._bundle()
        result = self._result()
        self._write_front(result)
        return result

    def _close(self) -> None:
        if isinstance(self._clock, There):
            self._clock.close()

    # --- what is written --------------------------------------------------------------------------------------------

    def _keep(self, search: Search) -> None:
        """Files first, then the account of them: a reader of ``front.json`` finds what it names."""
        best = search.best
        if best is not None and best.file is not None and best.file.key != self._written:
            write_bytes(self._folder / BEST, self._bench.path(best.file).read_bytes())
            self._write_recipe()
            self._written = best.file.key
        elif best is None:
            for name in (BEST, RECIPE, BUNDLE):
                (self._folder / name).unlink(missing_ok=True)
            self._written = None
        result = self._result()
        self._write_front(result)
        callback = self._options.get("callback")
        if callback is not None:
            callback(result)

    def _write_recipe(self, min_sqnr_db: float | None = None) -> None:
        best = self._search.best
        if best is None:
            return
        recipe = best.recipe if min_sqnr_db is None else replace(best.recipe, min_sqnr_db=min_sqnr_db)
        comment = f"Chosen by edge-sdk optimize {__version__}: {best.why}\n{self._command()}"
        write_bytes(self._folder / RECIPE, recipe_text(recipe, comment=comment).encode())

    def _command(self) -> str:
        """How ``convert`` makes the same file."""
        best = self._search.best
        needs = best is not None and best.recipe.needs_calibration
        data = self._options.get("calibration")
        told = data if isinstance(data, str | Path) else self._folder / CALIBRATION
        calibration = f" --calibration {told}" if needs else ""
        seed = f" --seed {self._settings.seed}" if self._settings.seed else ""
        profile = f" --profile {self._plan.profile.id}" if self._plan.profile else ""
        training = training_words(self._options) if best is not None and best.recipe.train else ""
        shapes = self._options.get("shapes") or {}
        inputs = "".join(f" --input {name}={','.join(map(str, shape))}" for name, shape in shapes.items())
        source = self._source if isinstance(self._source, str | Path) else "SOURCE"
        made = f"{self._folder / RECIPE}{calibration}{training}{profile}{seed}"
        return f"edge-sdk convert {source}{inputs} -r {made} -o FILE makes it again."

    def _bundle(self) -> None:
        """The answer as a bundle; what stands against one is a finding, for the file is what was asked for."""
        best = self._search.best
        if best is None or best.file is None:
            return
        self._write_recipe(self._bench.needs_sqnr_db(best.file, best.recipe))
        self._progress.stage(f"write {BUNDLE}")
        profile = self._options.get("profile")
        profiles = [profile] if isinstance(profile, str | Path) else []
        framework = self._line.source.description.framework
        try:
            create_bundle(
                [self._folder / BEST],
                self._folder / BUNDLE,
                golden=Golden(data=self._bench.golden(best.file), description="the first of the evaluation data"),
                profiles=profiles,
                source=source_facts(self._source, framework),
            )
        except (BundleError, CalibrationError, ProfileError) as error:
            self._findings.append(f"no {BUNDLE} was written: {error}")
            (self._folder / BUNDLE).unlink(missing_ok=True)

    def _write_front(self, result: Result) -> None:
        write_bytes(self._folder / FRONT, json.dumps(result.as_json(), indent=1, default=str).encode())

    def _left_behind(self) -> str:
        best = self._search.best
        held = f"the best so far is {self._folder / BEST}" if best else "nothing that fits was found yet"
        return f"interrupted; {held}; go on with --resume"

    def _result(self) -> Result:
        search = self._search
        return Result(
            source=str(self._source) if isinstance(self._source, str | Path) else type(self._source).__name__,
            profile=self._plan.profile.id if self._plan.profile else None,
            metric=self._facts,
            budgets=self._plan.budgets,
            reference=search.reference,
            points=tuple(search.points[1:]),
            best=search.best,
            why=search.why(),
            stopped=search.stopped,
            evaluations=search.evaluations,
            samples_run=self._bench.samples_run,
            seconds=time.monotonic() - self._begin,
            groups=group_facts(search),
            family=expectations(search),
            ranking="; ".join(filter(None, (self._bench.ranking, search.outlook.why if search.outlook else ""))),
            findings=tuple(self._findings),
            folder=str(self._folder),
        )

    # --- what is opened ---------------------------------------------------------------------------------------------

    def _open_trial(self) -> Trial:
        """Evaluation data on disk, and its parts; ranges are observed on one of them where no other data is given."""
        options, settings = self._options, self._settings
        data = options.get("evaluation")
        if data is None:
            raise CalibrationError("no evaluation data", hint="give --eval: a folder of images by class, or a .npz")
        self._progress.stage("lower the source to float32")
        lowered = self._line.lowered(find_recipe("float32"))
        description = self._line.source.description
        images = settings.images
        if is_folder(data) and images.scale is None and pixel_scale(lowered.artifact, description.inputs[0].name) == 1:
            images = replace(images, scale=1.0)
            self._findings.append("the model scales pixels itself: images are fed as 0 to 255")
        self._images: ImageOptions = images
        self._progress.stage("read the evaluation data")
        opened = open_eval(data, description.inputs, description.outputs, images)
        store, checked = spool(opened.source, description.inputs, self._shop.path("evaluation"))
        # Raw pixels are no mistake where the model scales them.
        pixels = [description.inputs[0].name] if is_folder(data) and images.scale == 1 else []
        self._findings += [str(one) for one in check_samples(checked, purpose="comparison", pixels=pixels)]
        parts = split(store.count, settings.seed, calibrate=options.get("calibration") is None)
        metric = find_metric(options.get("metric"), options.get("metric_goal"), labelled=opened.targets is not None)
        self._findings += _too_few_to_confirm(len(parts.confirm), metric, self._plan.budgets.max_drop)
        if options.get("calibration") is None:
            chosen = {spec.name: np.array(store.column(spec.name)[parts.calibrate]) for spec in description.inputs}
            if not (self._folder / CALIBRATION).exists():
                _write_arrays(self._folder / CALIBRATION, chosen)
            self._line.calibrate(chosen)
            self._settings = replace(settings, calibration=chosen)
        return Trial(metric, opened, store, parts)

    def _metric_facts(self) -> MetricFacts:
        trial, given = self._trial, self._options.get("calibration")
        words = f"{len(trial.parts.calibrate)} samples of the evaluation data that nothing else sees"
        return MetricFacts(
            name=trial.metric.name,
            unit=trial.metric.unit,
            higher_is_better=trial.metric.higher_is_better,
            data=trial.data.source.description,
            search_samples=len(trial.parts.search),
            confirm_samples=len(trial.parts.confirm),
            calibration=words if given is None else str(given) if isinstance(given, str | Path) else "given in memory",
        )

    def _open_clock(self) -> Clock | None:
        address, profile = self._options.get("on"), self._plan.profile
        if address and address != "local":
            return There(address)
        given = self._options.get("profile")
        table = self._options.get("calibration_table") or beside(given if isinstance(given, str) else "")
        if table is not None:
            read = read_table(table)
            if profile is not None:
                check_belongs(read, profile, where=str(table))
            return Predicted(read)
        if self._plan.profile is not None and self._plan.budgets.max_latency_ms is not None:
            raise ProfileError(
                f"--max-latency-ms for {self._plan.profile.id}: no time of that device is known here",
                hint="give --on or --calibration-table, or leave --profile out to mean this machine's CPU",
            )
        if self._plan.profile is not None:
            told = "files are compared by where its rules place their ops (predicted)"
            compared = f"; {told}" if has_accelerator(profile) else ""
            self._findings.append(f"times are this machine's, not those of {self._plan.profile.id}{compared}")
        return Here(self._shop) if self._options.get("timing", True) else None

    def _context(self) -> Mapping[str, Any]:
        """All that answers in the archive depend on."""
        facts = source_facts(self._source, None)
        lowered = self._line.lowered(find_recipe("float32"))
        given = self._options.get("calibration")
        return {
            "source": facts.sha256 or hashlib.sha256(lowered.path.read_bytes()).hexdigest(),
            "evaluation": _data_hash(self._trial),
            "calibration": "of the evaluation data" if given is None else _folder_hash(self._shop.path("calibration")),
            "calibration_samples": self._settings.calibration_samples,
            "metric": [self._trial.metric.name, self._trial.metric.higher_is_better],
            "seed": self._settings.seed,
            "budgets": asdict(self._plan.budgets),
            "profile": self._plan.profile.id if self._plan.profile else None,
            "training": training_facts(self._options),
            "time": self._clock.where if self._clock else None,
            "versions": {"edge-sdk": __version__} | {tool: tool_version(tool) for tool in _TOOLS},
        }


def _too_few_to_confirm(samples: int, metric: Metric, most: float | None) -> list[str]:
    """That not even a file without a flip can be confirmed; of verdicts on single samples, where this is known."""
    if most is None or not metric.needs_targets or not metric.share:
        return []
    needed = samples_to_confirm(most / metric.scale)
    if needed is not None and samples >= needed:
        return []
    more = "no number does" if needed is None else f"{needed:,} do, where nothing flips"
    return [f"{samples} samples are kept to confirm, and {most:g} {metric.unit} stay undecided on so few: {more}"]


def _write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    from io import BytesIO

    held = BytesIO()
    np.savez(held, **arrays)
    write_bytes(path, held.getvalue())


def _data_hash(trial: Trial) -> str:
    digest = hashlib.sha256(_folder_hash(trial.store.folder).encode())
    targets = trial.data.targets
    for values in targets.values() if isinstance(targets, Mapping) else [targets]:
        digest.update(b"" if values is None else np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _folder_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.raw")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _path(folder: str | Path | None) -> Path | None:
    return Path(folder) if folder else None
