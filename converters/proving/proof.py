"""Candidates against the source: the same samples through both, and a bound for every output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from edge_sdk.artifact.model import Artifact, own_artifact
from edge_sdk.artifact.suppressions import suppressed_rows
from edge_sdk.artifact.tree import compute_alike
from edge_sdk.converters.layout import laid_out
from edge_sdk.converters.proving.conditioning import float_rows, moved_by_last_place, with_rounded_weights
from edge_sdk.converters.proving.details import details_of, with_op_times
from edge_sdk.converters.proving.rows_kept import RowsKept
from edge_sdk.converters.reports.conversion import ConversionReport
from edge_sdk.converters.reports.details import Details
from edge_sdk.converters.sources.opened import OpenSource
from edge_sdk.converters.sources.source import read_outputs
from edge_sdk.converters.workers.workshop import Workshop
from edge_sdk.data.checks import DataFacts
from edge_sdk.data.store import SampleStore
from edge_sdk.errors import AccuracyError, CalibrationError, ConversionError, ParityError
from edge_sdk.files import own_content, write_own
from edge_sdk.parity.bounds import Bound, measured_bound
from edge_sdk.parity.boxes import check_told
from edge_sdk.parity.compare import OutputParity, ParityMeter
from edge_sdk.parity.labelled import Labelled, labelled
from edge_sdk.parity.ordered import SecondLook
from edge_sdk.parity.ranking import ranked_outputs
from edge_sdk.parity.scores import check_told_classes
from edge_sdk.parity.slices import parts_of, step_of
from edge_sdk.parity.swaps import swapped_outputs
from edge_sdk.parity.verdict import Accuracy, Rightness, accuracy_of, output_faults
from edge_sdk.recipe import Recipe, Weights
from edge_sdk.signature import Arrays

if TYPE_CHECKING:
    from edge_sdk.converters.proving.float_model import FloatModel

_RUN = "edge_sdk.converters.proving.candidate:run"
_BLAMED = 3
# Each has thousands of values of every op; what an op does wrong it does wrong on all.
_CHECKED_SAMPLES = 2


@dataclass(frozen=True)
class Judgement:
    """Parity of the outputs, and both answers."""

    rows: tuple[OutputParity, ...]
    right: Rightness
    accuracy: Accuracy


class Proof:
    """Compares files with one source on one set of samples; the source runs once.

    Args:
        shop: workers and folder.
        source: the open source.
        blamed_samples: samples on which ops are looked at when accuracy is lost.
        boxes: output to a form of boxes, from the user; see :mod:`edge_sdk.parity.boxes`.
        classes: output to the axis of its classes, likewise; see :mod:`edge_sdk.parity.scores`.

    Raises:
        SignatureError: the source has no such output.
    """

    def __init__(
        self,
        shop: Workshop,
        source: OpenSource,
        *,
        blamed_samples: int,
        boxes: Mapping[str, str] | None = None,
        classes: Mapping[str, str] | None = None,
    ) -> None:
        self._boxes, self._classes = boxes or {}, classes or {}
        check_told(self._boxes, source.description.outputs)
        check_told_classes(self._classes, source.description.outputs)
        self._shop = shop
        self._source = source
        self._blamed_samples = blamed_samples
        self._store: SampleStore | None = None
        self._facts: DataFacts | None = None
        self._reference_count = 0
        self._ran: Path | None = None
        self._moved: dict[str, float] | None = None
        self._rounded: dict[tuple[Path, Weights, str, str], dict[str, float]] = {}
        self._rows = RowsKept(self._boxes)

    @property
    def begun(self) -> bool:
        """Whether the samples are there and the source was run on them."""
        return self._store is not None

    @property
    def facts(self) -> DataFacts:
        """What the samples are."""
        if self._facts is None:
            raise ValueError("begin() first")
        return self._facts

    def begin(self, store: SampleStore, facts: DataFacts) -> None:
        """Runs the source on the samples."""
        self._reference_count = self._source.run(store.folder, self._shop.path("reference"))
        self._store, self._facts = store, facts

    def measure(
        self,
        path: Path,
        input_axes: Mapping[str, Any],
        output_axes: Mapping[str, Any],
        *,
        reference: str = "reference",
        artifact: Artifact | None = None,
    ) -> ParityMeter:
        """Runs a file on the samples and sums up the errors of its outputs.

        Raises:
            ConversionError: an output has another shape than the source's, or the engine died.
            ModelError: the engine refuses the file.
        """
        outputs = self._shop.path("candidate")
        names = self._source.description.outputs
        count = self._shop.worker("engine").function(
            _RUN,
            f"running {path.name}",
            path=str(path),
            samples=str(self._samples),
            outputs=str(outputs),
            input_axes=dict(input_axes),
            output_axes=dict(output_axes),
        )
        self._ran = path
        artifact = artifact or own_artifact(path)
        parts = {name: parts_of(artifact, name, output_axes.get(name)) for name in names}
        meter = ParityMeter(parts, {name: step_of(artifact, name) for name in names}, self._boxes, self._classes)
        references = read_outputs(self._shop.path(reference), names, self._reference_count)
        for expected, got in zip(references, read_outputs(outputs, names, count), strict=True):
            for name in names:
                if expected[name].shape != got[name].shape:
                    shapes = f"{list(got[name].shape)}, the source's is {list(expected[name].shape)}"
                    raise ConversionError(f"output `{name}` has shape {shapes}")
            meter.add(expected, got)
        return meter

    def of_file(self, path: Path, lowered: FloatModel, recipe: Recipe, *, explained: Path | None = None) -> Judgement:
        """Both answers about a finished file: is it right, and what did its precision cost.

        ``explained`` is the float file with what was corrected: constants must be its, outputs the source's.
        """
        reference = self._reference_of(lowered, recipe)
        # Before the file itself, whose outputs are looked at again.
        bounds = {} if recipe.mode == "float" else self._bounds(lowered, recipe, reference)
        if recipe.mode == "float" and recipe.min_sqnr_db is None:
            rows = self._as_lowered(path, lowered)
            return Judgement(rows, self._right_as_source(rows, path, lowered), replace(accuracy_of(rows), state="kept"))
        meter = self.measure(path, lowered.input_axes, lowered.output_axes, reference=reference)
        rows = meter.report(bounds or self._bounds(lowered, recipe, reference))
        rows = self._rows.held(rows, lowered, recipe, self._pairs(reference))
        faults = tuple(output_faults(rows))
        right = self._right(path, lowered, constants=lowered.quantized is None, explained=explained)
        swapped = self._swapped(rows, reference)
        return Judgement(rows, replace(right, faults=(*swapped, *right.faults, *faults)), accuracy_of(rows))

    def _as_lowered(self, path: Path, lowered: FloatModel) -> tuple[OutputParity, ...]:
        """A float file's outputs; the lowered file's where that was run last and differs in metadata alone."""
        if self._ran == lowered.path and compute_alike(own_content(path), own_content(lowered.path)):
            return lowered.parity
        return self.float_rows(own_artifact(path), self.measure(path, lowered.input_axes, lowered.output_axes))

    def float_rows(self, artifact: Artifact, meter: ParityMeter) -> tuple[OutputParity, ...]:
        """Outputs of a float file, held to what float arithmetic allows and to how the source is conditioned."""
        precision = self._source.description.precision
        rows = suppressed_rows(artifact)
        again = SecondLook(ranked_outputs(artifact), self._both, self._boxes, self._classes, rows)
        return float_rows(artifact, meter, precision, self._moved_by_last_place, again)

    def _moved_by_last_place(self) -> Mapping[str, float]:
        if self._moved is None:
            reference = self._shop.path("reference")
            self._moved = moved_by_last_place(self._shop, self._source, self._samples, reference)
        return self._moved

    def _bounds(self, lowered: FloatModel, recipe: Recipe, reference: str) -> dict[str, Bound]:
        """Each output's, from what the source loses by rounding its weights alone; its parts are held to the same."""
        names = self._source.description.outputs
        asked = recipe.min_sqnr_db
        told = {} if asked is None else dict.fromkeys(names, measured_bound(0.0, "float32", min_sqnr_db=asked))
        if told and not self._rows.concern(lowered):
            return told
        key = (lowered.path, recipe.weights, recipe.mode, reference)
        if key not in self._rounded:
            path = self._shop.path("rounded_weights.tflite")
            write_own(path, with_rounded_weights(lowered.path.read_bytes(), recipe))
            meter = self.measure(path, lowered.input_axes, lowered.output_axes, reference=reference)
            self._rounded[key] = {row.name: _least(row) for row in meter.report()}
            self._rows.rounded(lowered, recipe, self._pairs(reference))
        # Dynamic range rounds activations to 8 bits as well, on the fly.
        activations = "int8" if recipe.mode == "dynamic_range" else recipe.activations.dtype
        return told or {name: measured_bound(value, activations) for name, value in self._rounded[key].items()}

    def _right(self, path: Path, lowered: FloatModel, *, constants: bool, explained: Path | None = None) -> Rightness:
        found = self._shop.worker("engine").function(
            "edge_sdk.converters.proving.candidate:check",
            "checking every op",
            reference=str(explained or lowered.path),
            candidate=str(path),
            samples=str(self._samples),
            input_axes=lowered.input_axes,
            limit=_CHECKED_SAMPLES,
            constants=constants,
        )
        return Rightness(**{**found, "faults": tuple(found["faults"])})

    def _right_as_source(self, rows: Sequence[OutputParity], path: Path, lowered: FloatModel) -> Rightness:
        """A float file is right where its outputs are the source's to float32 rounding; only else its ops are asked."""
        if all(row.ok for row in rows):
            return Rightness()
        right = self._right(path, lowered, constants=False)
        return replace(right, faults=({"kind": "output", "text": self.worst(rows)}, *right.faults))

    def op_faults(self, path: Path, input_axes: Mapping[str, Any]) -> list[str]:
        """Ops of a file that the engine computes otherwise than TFLite's own kernels, in words."""
        found = self._shop.worker("engine").function(
            "edge_sdk.converters.proving.candidate:check",
            "looking for the op at fault",
            reference=None,
            candidate=str(path),
            samples=str(self._samples),
            input_axes=dict(input_axes),
            limit=_CHECKED_SAMPLES,
            constants=False,
        )
        return [fault["text"] for fault in found["faults"]]

    def _swapped(self, rows: Sequence[OutputParity], reference: str) -> list[dict[str, Any]]:
        return swapped_outputs([row for row in rows if row.kept is None], self._pairs(reference))

    def _reference_of(self, lowered: FloatModel, recipe: Recipe) -> str:
        """What a file is compared with: a trained int8 file with the model as it was trained, rounding included."""
        if lowered.quantized is None or recipe.mode != "static_range":
            return "reference"
        self._source.run_rounded(self._samples, self._shop.path("reference_rounded"))
        return "reference_rounded"

    def worst(self, rows: Sequence[OutputParity]) -> str:
        """The output furthest beyond its bound, in words."""
        row = min((r for r in rows if not r.ok), key=lambda r: r.sqnr_db, default=rows[0])
        if row.unresolved:
            apart, step = row.unresolved
            what = f"the source's values lie {apart:.2g} apart on these samples, within one step of the file's"
            return f"output `{row.name}`: {what} ({step:.2g}), which is constant: they cannot tell what it computes"
        if row.kept is not None and row.bound:
            return f"output `{row.name}`: {row.kept}, expected {row.bound}"
        lost = [part for part in row.parts if not part.ok]
        if lost and row.bound and row.sqnr_db >= row.bound.value:
            part = min(lost, key=lambda p: p.sqnr_db)
            return f"output `{row.name}`, {part.name}: SQNR {part.sqnr_db:.1f} dB, expected {row.bound}"
        bound = f", expected {row.bound}" if row.bound else ""
        return f"output `{row.name}`: max abs error {row.max_abs_error:.3g}, SQNR {row.sqnr_db:.1f} dB{bound}"

    def first(self, count: int, lowered: FloatModel) -> tuple[Arrays, ...]:
        """The first samples that files are compared on, in the file's layout."""
        every = laid_out(str(self._samples), lowered.input_axes)
        return tuple({name: np.array(values) for name, values in one.items()} for one in islice(every, count))

    def labelled(self) -> Labelled | None:
        """Accuracy of source and of the file measured last, where the data tells classes."""
        classes = SampleStore.open(self._samples).classes
        return labelled(classes, self._both()) if classes else None

    def details(self, path: Path, lowered: FloatModel, *, timed: bool) -> Details:
        """What a page shows of the file that was measured last."""
        store = SampleStore.open(self._samples)
        found = details_of(self._shop, lowered.path, path, store, self._both(), lowered.input_axes)
        return with_op_times(found, self._shop, path) if timed else found

    def _both(self) -> Iterator[tuple[Arrays, Arrays]]:
        """Outputs of the source and of the file measured last, sample by sample."""
        return self._pairs("reference")

    def _pairs(self, reference: str) -> Iterator[tuple[Arrays, Arrays]]:
        names = self._source.description.outputs
        wanted = read_outputs(self._shop.path(reference), names, self._reference_count)
        got = read_outputs(self._shop.path("candidate"), names, self._reference_count)
        return zip(wanted, got, strict=True)

    def error(self, report: ConversionReport, path: Path, lowered: FloatModel) -> ParityError:
        """The error for a file that is wrong, or whose accuracy is lost: numbers, and the ops that lost most."""
        data = report.as_json() | {"output": None}
        if not report.right.ok:
            return ParityError(
                f"{report.recipe}: refused: wrong: {report.right}",
                report=data | {"tensors": []},
                hint=report.right.remedy,
            )
        if any(row.unresolved for row in report.parity):
            return AccuracyError(
                f"{report.recipe}: refused: accuracy cannot be told: {self.worst(report.parity)}",
                report=data | {"tensors": []},
                hint="compare on samples that the source answers to, with --data or other --calibration",
            )
        rows = self.blame(path, lowered)
        losers = sorted(rows, key=lambda row: -float(row["added_noise"]))[:_BLAMED]
        listing = ", ".join(f"{r['op']} `{_short(r['tensor'])}` ({_fall(r)})" for r in losers)
        by_rows = all(row.ok or row.kept is not None for row in report.parity)
        accept = "--keep-unverified" if by_rows else "--min-sqnr-db"
        return AccuracyError(
            f"{report.recipe}: refused: accuracy lost: {self.worst(report.parity)} ({_derivation(report.parity)})",
            report=data | {"tensors": rows},
            hint=(f"most was lost at {listing}; " if listing else "")
            + "leave such ops in float (--keep-float-tensor), take another recipe, or accept with "
            + accept,
        )

    def level(self, path: Path, lowered: FloatModel, recipe: Recipe) -> float:
        """SQNR in dB of a file's worst output, or part of one; 100 stands for equal.

        Rows that a suppression keeps have none: the least there is where too few of them are found again, else 100.
        """
        rows = self._measured(path, lowered, recipe)
        return min(_least(row) if row.kept is None else 100.0 if row.ok else float("-inf") for row in rows)

    def _measured(self, path: Path, lowered: FloatModel, recipe: Recipe) -> tuple[OutputParity, ...]:
        """A file's outputs, with rows behind suppressions held to what is found again."""
        if self._rows.concern(lowered):
            self._bounds(lowered, recipe, "reference")
        rows = self.measure(path, lowered.input_axes, lowered.output_axes).report()
        return self._rows.held(rows, lowered, recipe, self._both())

    def drop(self, path: Path, lowered: FloatModel, recipe: Recipe) -> float:
        """By how many points top-1 is lower in a file: accuracy where the data tells classes, else agreement.

        Raises:
            CalibrationError: no output looks like scores of classes.
        """
        rows = self._measured(path, lowered, recipe)
        known = self.labelled()
        if known is not None:
            return 100 * (known.source - known.file)
        shares = [row.top1_agreement for row in rows if row.top1_agreement is not None]
        if not shares:
            raise CalibrationError(
                "no output looks like scores of classes, of which top-1 could be compared",
                hint="name one and its axis with --classes OUTPUT=AXIS, or give --min-sqnr-db instead of --max-drop; "
                "`edge-sdk optimize --metric` takes your own metric",
            )
        return 100 * (1 - min(shares))

    def blame(self, path: Path, lowered: FloatModel) -> list[dict[str, Any]]:
        """What each result adds in noise; see :class:`~edge_sdk.parity.localize.TensorParity`."""
        rows: list[dict[str, Any]] = self._shop.worker("engine").function(
            "edge_sdk.converters.proving.candidate:blame",
            "looking for the op at fault",
            reference=str(lowered.path),
            candidate=str(path),
            samples=str(self._samples),
            input_axes=lowered.input_axes,
            limit=self._blamed_samples,
        )
        return rows

    @property
    def _samples(self) -> Path:
        if self._store is None:
            raise ValueError("begin() first")
        return self._store.folder


def _derivation(rows: Sequence[OutputParity]) -> str:
    bounds: list[Bound] = [row.bound for row in rows if row.bound and not row.ok]
    return bounds[0].derivation if bounds else "the float file did not pass"


def _fall(row: Mapping[str, Any]) -> str:
    return f"{row['sqnr_db'] + row['loss_db']:.0f} to {row['sqnr_db']:.0f} dB"


def _short(name: str) -> str:
    """TensorFlow joins the names of fused ops with `;`: the last part is the op itself."""
    return name.split(";", maxsplit=1)[0][-60:]


def _least(row: OutputParity) -> float:
    """Of an output and its parts; 100 dB stand for equal."""
    return min(100.0, row.sqnr_db, *(part.sqnr_db for part in row.parts))


Measure: TypeAlias = "Callable[[Proof, Path, FloatModel, Recipe], float]"
"""How good a file made of a float file by a recipe is, the more the better."""
