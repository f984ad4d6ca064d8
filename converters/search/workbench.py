"""Makes and measures files for a search, by the line that ``convert`` uses; what is found out goes into the archive."""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.converters.layout import Axes, applied
from edge_sdk.converters.pipeline import Line
from edge_sdk.converters.proving.proof import Judgement, Proof
from edge_sdk.converters.search.archive import Archive, content_key
from edge_sdk.converters.search.bench import Part
from edge_sdk.converters.search.clocks import Clock
from edge_sdk.converters.search.eval_data import EvalData, Parts, Rows
from edge_sdk.converters.search.making import file_facts
from edge_sdk.converters.search.metrics import Metric, rows, whole_drop
from edge_sdk.converters.search.paired import LOOKS, Drop, Values, drop_of
from edge_sdk.converters.search.predicting.cut import Network
from edge_sdk.converters.search.predicting.groups import Group, find_groups
from edge_sdk.converters.search.rankings import Rankings, Subject
from edge_sdk.converters.search.records import File, Latency, Point, Score
from edge_sdk.converters.search.tools import Tools
from edge_sdk.converters.workers.workshop import Workshop
from edge_sdk.data import SampleStore, spool
from edge_sdk.data.opening import DataSource
from edge_sdk.files import write_bytes
from edge_sdk.parity.slices import parts_of
from edge_sdk.recipe import Recipe, find_recipe
from edge_sdk.records import read_record
from edge_sdk.signature import Arrays

_RANKED = 32
_JUDGED = 8
_POINTS = "points"


@dataclass(frozen=True)
class Trial:
    """What files are measured by.

    Attributes:
        metric: a number for each sample, or for all.
        data: samples with their targets.
        store: the samples, spooled.
        parts: which of them are for what.
    """

    metric: Metric
    data: EvalData
    store: SampleStore
    parts: Parts


class Workbench:
    """See :class:`~edge_sdk.converters.search.bench.Bench`.

    Args:
        tools: what to work with.
        trial: what to measure by.
        archive: what is known.
        folder: where files are kept.
        base: the recipe whose float file groups are taken from.
    """

    def __init__(self, tools: Tools, trial: Trial, archive: Archive, folder: Path, base: Recipe) -> None:
        self._tools, self._trial, self._archive, self._base = tools, trial, archive, base
        # Workers have folders of their own.
        self._folder = folder.absolute() / _POINTS
        self._folder.mkdir(exist_ok=True)
        self._axes: dict[str, tuple[Axes, Axes]] = {}
        self._proofs: dict[Line, Proof] = {}
        self._outputs: dict[Part, Arrays] = {}
        self.samples_run = 0

    # --- files ------------------------------------------------------------------------------------------------------

    def path(self, file: File) -> Path:
        """Where a file is."""
        return self._folder / f"{file.key}.tflite"

    def make(self, recipe: Recipe) -> File:
        """See :class:`~.bench.Bench`; a file that was made before is not made again."""
        key = content_key(recipe.as_json())
        known = self._archive.recall("file", key, lambda: self._facts(self._write(recipe)))
        file = read_record(File, known)
        if not self.path(file).exists():
            self._write(recipe)
        axes = self._archive.recall("axes", key, lambda: self._layout(recipe))
        self._axes[file.key] = axes["inputs"], axes["outputs"]
        return file

    def _layout(self, recipe: Recipe) -> dict[str, Axes]:
        lowered = self._tools.trainer.line(recipe).lowered(recipe)
        return {"inputs": lowered.input_axes, "outputs": lowered.output_axes}

    def _write(self, recipe: Recipe) -> bytes:
        data = self._tools.trainer.line(recipe).file(recipe)[1].read_bytes()
        write_bytes(self._folder / f"{hashlib.sha256(data).hexdigest()}.tflite", data)
        return data

    def _facts(self, data: bytes) -> dict[str, Any]:
        return asdict(file_facts(data, self._tools.profile))

    def fault(self, file: File, recipe: Recipe) -> str | None:
        """Why a file is wrong whatever its metric: an op that computes something else; None where it is right."""
        return self._judged(file, recipe)["fault"]  # type: ignore[no-any-return]

    def needs_sqnr_db(self, file: File, recipe: Recipe) -> float | None:
        """What ``min_sqnr_db`` must be for ``convert`` to accept the file; None where it does anyway."""
        return self._judged(file, recipe)["min_sqnr_db"]  # type: ignore[no-any-return]

    def _judged(self, file: File, recipe: Recipe) -> dict[str, Any]:
        def find_out() -> dict[str, Any]:
            line = self._tools.trainer.line(recipe)
            ready, _, made = line.file(recipe)
            judged: Judgement = self._proof(line).of_file(self.path(file), ready, recipe, explained=made.explained)
            lost = judged.accuracy.state == "lost"
            levels = [v for row in judged.rows for v in (row.sqnr_db, *(part.sqnr_db for part in row.parts))]
            return {
                "fault": None if judged.right.ok else str(judged.right),
                "min_sqnr_db": math.floor(min(levels) * 2) / 2 - 0.5 if lost else None,
            }

        found: dict[str, Any] = self._archive.recall("judgement", file.key, find_out)
        return found

    def _proof(self, line: Line) -> Proof:
        """On samples that the search looks at, in a folder of its own beside the line's."""
        if line in self._proofs:
            return self._proofs[line]
        shop = Workshop(self._tools.shop.path(f"judging_{len(self._proofs)}"), workers=self._tools.shop.workers)
        proof = Proof(shop, line.source, blamed_samples=_JUDGED)
        source = self._chosen(self._trial.parts.search[:_RANKED], "of the evaluation data")
        store, checked = spool(source, self._trial.store.specs, shop.path("samples"))
        proof.begin(store, checked.facts)
        self._proofs[line] = proof
        return proof

    def _chosen(self, places: Rows, words: str) -> DataSource:
        store = self._trial.store
        columns = {spec.name: store.column(spec.name) for spec in store.specs}
        return DataSource(
            f"{len(places)} samples {words}",
            len(places),
            lambda: ({name: np.array(column[place]) for name, column in columns.items()} for place in places),
        )

    def golden(self, file: File, count: int = 4) -> list[Arrays]:
        """The first samples that the search looks at, in the file's layout."""
        axes, source = self._axes[file.key][0], self._chosen(self._trial.parts.search[:count], "")
        return [{name: applied(values, axes.get(name)) for name, values in one.items()} for one in source.samples()]

    # --- time -------------------------------------------------------------------------------------------------------

    def latency(self, file: File) -> Latency | None:
        """See :class:`~.bench.Bench`: in turn with the float file, as a ratio to the float file's first time."""
        clock = self._tools.clock
        if clock is None:
            return None
        base = self.make(find_recipe("float32"))
        first = self._time(clock, base, base)[1]
        if file.key == base.key:
            return first
        beside, own = self._time(clock, base, file)
        factor = first.ms / beside.ms
        low, high = (None if end is None else end * factor for end in (own.low_ms, own.high_ms))
        return Latency(own.ms * factor, low, high, own.truth, own.where)

    def _time(self, clock: Clock, base: File, file: File) -> tuple[Latency, Latency]:
        def find_out() -> list[dict[str, Any]]:
            return [asdict(one) for one in clock.measure(self.path(base), self.path(file))]

        one, other = self._archive.recall("latency", f"{file.key} {clock.where}", find_out)
        return Latency(**one), Latency(**other)

    # --- the metric -------------------------------------------------------------------------------------------------

    def score(self, file: File, part: Part, most: float | None) -> Score:
        """See :class:`~.bench.Bench`."""
        reference = self.make(find_recipe("float32"))
        key = f"{file.key} {part} {'' if file.key == reference.key else most}"
        find_out = self._score_of_reference if file.key == reference.key else self._score_of
        known = self._archive.recall("score", key, lambda: _plain(find_out(file, reference, part, most)))
        return Score(known["value"], Drop(**known["drop"]))

    def _score_of_reference(self, file: File, _: File, part: Part, __: float | None) -> Score:
        outputs = self._reference(file, part)
        count = len(next(iter(outputs.values())))
        value = self._trial.metric.whole(outputs, self._others(outputs, part, slice(None)))
        return Score(value, Drop(0.0, 0.0, 0.0, count, count, "within"))

    def _score_of(self, file: File, reference: File, part: Part, most: float | None) -> Score:
        metric, places = self._trial.metric, getattr(self._trial.parts, part)
        expected = self._reference(reference, part)
        if metric.each is None:
            got = self._run(file, places, self._tools.shop.path("candidate_rows"))
            targets = self._targets(places)
            drop = whole_drop(metric, expected, got, targets, most)
            return Score(metric.whole(got, targets), drop)
        looks = LOOKS if part == "search" and most is not None else (1.0,)
        values: list[Values] = []
        losses: list[Values] = []
        done = 0
        drop = Drop(0.0, None, None, 0, len(places), "undecided")
        for look in looks:
            until = max(done + 1, round(look * len(places)))
            mine, theirs = self._values(file, expected, part, done, until)
            values, losses, done = [*values, mine], [*losses, metric.losses(theirs, mine)], until
            total = np.concatenate(losses)
            per_sample = len(total) // done
            allowed = None if most is None else most / metric.scale
            drop = drop_of(total, len(places) * per_sample, allowed, looks=len(looks)).scaled(metric.scale)
            if drop.state != "undecided" or until == len(places):
                break
        return Score(float(np.concatenate(values).mean()), drop)

    def _values(self, file: File, expected: Arrays, part: Part, begin: int, end: int) -> tuple[Values, Values]:
        """The metric of each sample from one place to another: of a file, and of the reference."""
        places = getattr(self._trial.parts, part)[begin:end]
        got = self._run(file, places, self._tools.shop.path("candidate_rows"))
        each = self._trial.metric.each
        if each is None:
            raise ValueError("a metric of single samples")
        per_sample = len(next(iter(got.values()))) // len(places)
        at = slice(begin * per_sample, end * per_sample)
        own = {name: values[at] for name, values in expected.items()}
        others = self._others(own, part, slice(begin, end))
        return each(got, others), each(own, others)

    def _others(self, reference: Arrays, part: Part, chosen: slice) -> Any:
        """What outputs are held against: targets, or the reference's own outputs."""
        if not self._trial.metric.needs_targets and self._trial.metric.each is not None:
            return reference
        return self._targets(getattr(self._trial.parts, part)[chosen])

    def _targets(self, places: Rows) -> Any:
        targets = self._trial.data.targets
        if targets is None:
            return None
        first = next(iter(targets.values())) if isinstance(targets, Mapping) else targets
        per_sample = len(first) // self._trial.store.count
        at = (np.asarray(places)[:, None] * per_sample + np.arange(per_sample)).ravel()
        return rows(targets, at)

    def _reference(self, file: File, part: Part) -> Arrays:
        """The float file's outputs, run when they are first needed and kept on disk."""
        if part not in self._outputs:
            self._outputs[part] = self._run(
                file, getattr(self._trial.parts, part), self._tools.shop.path(f"rows_{part}")
            )
        return self._outputs[part]

    def _run(self, file: File, places: Rows, folder: Path) -> Arrays:
        shutil.rmtree(folder, ignore_errors=True)
        input_axes, output_axes = self._axes[file.key]
        self.samples_run += len(places)
        progress = self._tools.progress
        names: Sequence[str] = self._tools.shop.worker("engine").function(
            "edge_sdk.converters.search.running:run_rows",
            "running a file over the evaluation data",
            progress=lambda done: progress.count(done, len(places)),
            path=str(self.path(file)),
            samples=str(self._trial.store.folder),
            places=[int(place) for place in places],
            outputs=str(folder),
            input_axes=input_axes,
            output_axes=output_axes,
        )
        outputs = {name: np.load(folder / f"{n}.npy", mmap_mode="r") for n, name in enumerate(names)}
        return outputs if self._trial.metric.needs_targets else self._apart(outputs)

    def _apart(self, outputs: Arrays) -> Arrays:
        """Without targets each part of an output that a concatenation ends in counts by itself."""
        if self._trial.metric.each is None:
            return outputs
        model = self._line.lowered(find_recipe("float32"))
        made = {}
        for name, values in outputs.items():
            for part in parts_of(model.artifact, name, model.output_axes.get(name)):
                place = (slice(None),) * part.axis + (slice(part.start, part.stop),)
                made[f"{name}[{part}]"] = values[place] if part.axis else values
            if not any(key.startswith(f"{name}[") for key in made):
                made[name] = values
        return made

    # --- groups -----------------------------------------------------------------------------------------------------

    @cached_property
    def groups(self) -> Sequence[Group]:
        """See :class:`~.bench.Bench`."""
        return find_groups(self._line.lowered(self._base).artifact)

    @property
    def _line(self) -> Line:
        """The source's own, nothing trained."""
        return self._tools.trainer.plain

    def added_noise(self) -> Sequence[float]:
        """See :class:`~.bench.Bench`."""

        def find_out() -> dict[str, float]:
            rows = self._line.noise(self._base)[1]
            return {str(row["tensor"]): float(row["added_noise"]) for row in rows}

        found = self._archive.recall("noise", content_key(self._base.as_json()), find_out)
        return [sum(max(0.0, found.get(name, 0.0)) for name in group.results) for group in self.groups]

    @cached_property
    def _rankings(self) -> Rankings:
        chosen = self._chosen(self._trial.parts.search[:_RANKED], "")
        subject = Subject(self._line, self._base, self.groups, chosen, self._trial.store.specs)
        return Rankings(self._tools, self._archive, subject)

    @property
    def ranking(self) -> str:
        """How groups were ranked, in words; empty where they were not."""
        return self._rankings.how

    def network(self, plain: Point, reference: Point) -> Network:
        """See :class:`~.bench.Bench`."""
        return self._rankings.network(plain, reference, self._path_of(plain))

    def other_networks(self, plain: Point, reference: Point) -> Mapping[str, Network]:
        """Likewise."""
        return self._rankings.others(plain, reference, self._path_of(plain))

    def _path_of(self, point: Point) -> Path:
        if point.file is None:
            raise ValueError("int8 was made")
        return self.path(point.file)


def _plain(score: Score) -> dict[str, Any]:
    return asdict(score)
