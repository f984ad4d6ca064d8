"""Errors of a candidate's outputs against a reference's, summed up sample by sample."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import ParityError
from edge_sdk.parity.bounds import Bound
from edge_sdk.parity.carriers import Carriers, carriers_of
from edge_sdk.parity.decisions import Decisions, DecisionSums
from edge_sdk.parity.iou import BoxParity, BoxSums
from edge_sdk.parity.kept_rows import KeptRows
from edge_sdk.parity.ranking import Ranks
from edge_sdk.parity.reading import Reading
from edge_sdk.parity.scores import ScoreForm, ScoreSums
from edge_sdk.parity.slices import VARIES, AxisSums, Part, SliceParity, watched_axes

# Agreement that looks good, and a tenth of noise in what it is about.
_SHARED_DB, _FAINT_DB = 20.0, 10.0
# A float file agrees to 100 dB and more, unless they are the remainder of a sum, or a sigmoid near 0.
_DROWNED_DB, _DROWNED = 40.0, 0.01


@dataclass(frozen=True)
class OutputParity:
    """How far one output moved, over all samples.

    Attributes:
        name: the output's name.
        samples: number of runs compared.
        max_abs_error: largest difference of any value.
        max_abs_reference: largest magnitude in the reference.
        sqnr_db: ``10 log10(sum(ref^2) / sum((ref - cand)^2))``; infinite when equal.
        cosine: cosine similarity of all values as one vector; NaN when one side is all zero.
        top1_agreement: share of rows with the same largest class; None where the output is not class-like.
        top5_agreement: share of rows whose largest class is among the candidate's first five.
        divergence: mean Kullback-Leibler divergence in nats, where rows are probabilities.
        rows: of a class-like output, over all samples.
        relative_variation: RMS change of the reference between samples over its RMS value.
        bound: what it is held to, None where nothing was asked.
        ok: within the bound, and so are its parts.
        parts: what a final concatenation joined, each by itself.
        dead: axis to indices along it at which the candidate is constant and the reference is not.
        constant: the whole candidate is, and the reference is not.
        unresolved: how far the reference's values lie apart, and the larger step of the candidate's, whose values are
            all one: these samples tell nothing of it.
        not_finite: values, over all samples, that are NaN or infinite in the reference; where the candidate has the
            same they are equal, and count in no sum.
        carriers: the few samples that hold most of the error; None where it is spread.
        ranks: how far its rows' order is the source's, where rows were put in that order first.
        boxes: how well the candidate's cover the reference's; None where the output is not known to hold boxes.
        kept: of an output behind a suppression, how many of its rows are found again, by which it is held.
        scores: of an output of more than two dimensions, along which axis it has classes; its rows are all others.
        reading: of a text or speech recogniser's steps, how many strings are read alike.
        decisions: of values from 0 to 1 that are no shares of classes, how many are above one half on both sides.
        winners: how many classes are the best of any row in the reference; None where the output is not class-like.
    """

    name: str
    samples: int
    max_abs_error: float
    max_abs_reference: float
    sqnr_db: float
    cosine: float
    top1_agreement: float | None
    relative_variation: float
    bound: Bound | None
    ok: bool
    top5_agreement: float | None = None
    divergence: float | None = None
    rows: int = 0
    parts: tuple[SliceParity, ...] = ()
    dead: tuple[tuple[int, tuple[int, ...]], ...] = ()
    constant: bool = False
    unresolved: tuple[float, float] | None = None
    not_finite: int = 0
    boxes: BoxParity | None = None
    carriers: Carriers | None = None
    ranks: Ranks | None = None
    kept: KeptRows | None = None
    scores: ScoreForm | None = None
    reading: Reading | None = None
    winners: int | None = None
    decisions: Decisions | None = None

    @property
    def has_power(self) -> bool:
        """Whether agreement says anything: the reference varies between samples."""
        return self.relative_variation >= VARIES

    @property
    def varied_db(self) -> float | None:
        """SQNR of what differs between samples: their mean, however large, is no answer to any of them.

        None without power, and where both sides are equal.
        """
        if not self.has_power or not math.isfinite(self.sqnr_db):
            return None
        return self.sqnr_db + 20 * math.log10(self.relative_variation)

    @property
    def is_faint(self) -> bool:
        """Whether what all samples share agrees, and what differs between them hardly does."""
        return self.kept is None and self.sqnr_db >= _SHARED_DB and (self.varied_db or math.inf) < _FAINT_DB

    @property
    def rounding_share(self) -> float | None:
        """By which share of its largest value float rounding alone may move it; None where it is held otherwise."""
        if self.bound is None or self.bound.kind != "max_abs_error" or not self.max_abs_reference:
            return None
        return self.bound.value / self.max_abs_reference

    @property
    def is_drowned(self) -> bool:
        """Whether its values are so small that float rounding hides what a file does to them."""
        return self.sqnr_db < _DROWNED_DB and (self.rounding_share or 0.0) > _DROWNED

    def figures(self) -> dict[str, Any]:
        """What a table shows of it beside its name."""
        return {
            "sqnr_db": self.sqnr_db,
            "max_abs_error": self.max_abs_error,
            "top1_agreement": self.top1_agreement,
            "mean_iou": self.boxes.mean_iou if self.boxes else None,
            "ok": self.ok,
        }

    def as_json(self) -> dict[str, Any]:
        """Plain data; infinities and NaN become None, since JSON has neither."""
        data = asdict(self) | {
            "has_power": self.has_power,
            "varied_db": self.varied_db,
            "parts": [part.as_json() for part in self.parts],
        }
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in data.items()}


class _Sums:
    """Running sums of one output: memory is one output, however many samples."""

    def __init__(self, parts: Sequence[Part] = (), scores: ScoreSums | None = None) -> None:
        self.parts = parts
        self.axes: dict[int, AxisSums] | None = None
        self.scores = scores or ScoreSums()
        self.decisions = DecisionSums()
        self.lowest, self.highest = math.inf, -math.inf
        self.least, self.most = math.inf, -math.inf
        self.samples = self.not_finite = 0
        self.reference_power = self.candidate_power = self.error_power = self.product = 0.0
        self.max_abs_error = self.max_abs_reference = 0.0
        self.errors: list[float] = []
        self.powers: list[float] = []
        self.mean: npt.NDArray[Any] | None = None
        self.squares: npt.NDArray[Any] | None = None

    def settled(self, reference: npt.NDArray[Any], candidate: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], ...]:
        """Both sides, with zero where both hold the same infinity or NaN: equal, and without a size."""
        odd = ~np.isfinite(reference) if reference.dtype.kind == "f" else np.zeros(0, bool)
        if not odd.any():
            return reference, candidate
        self.not_finite += int(odd.sum())
        same = odd & ((reference == candidate) | (np.isnan(reference) & np.isnan(candidate)))
        return np.where(same, 0, reference), np.where(same, 0, candidate)

    def add(self, reference: npt.NDArray[Any], candidate: npt.NDArray[Any]) -> None:
        wide, other = reference.astype(np.float64), candidate.astype(np.float64)
        error = np.abs(wide - other)
        # A candidate that is not finite where the reference is must not vanish in comparisons with NaN.
        worst = float(np.max(np.where(np.isnan(error), np.inf, error), initial=0.0))
        self.samples += 1
        self.max_abs_error = max(self.max_abs_error, worst)
        self.max_abs_reference = max(self.max_abs_reference, float(np.max(np.abs(wide), initial=0.0)))
        self.powers.append(float(np.sum(wide * wide)))
        self.errors.append(float(np.sum(error * error)) if math.isfinite(worst) else math.inf)
        self.reference_power += self.powers[-1]
        self.candidate_power += float(np.sum(other * other))
        self.error_power += self.errors[-1]
        self.product += float(np.sum(wide * other))
        self.mean = wide if self.mean is None else self.mean + wide
        self.squares = wide * wide if self.squares is None else self.squares + wide * wide
        self.least = min(self.least, float(np.min(wide, initial=math.inf)))
        self.most = max(self.most, float(np.max(wide, initial=-math.inf)))
        self.lowest = min(self.lowest, float(np.min(other, initial=math.inf)))
        self.highest = max(self.highest, float(np.max(other, initial=-math.inf)))
        self.scores.add(reference, candidate)
        self.decisions.add(reference, candidate)
        if self.axes is None:
            self.axes = {axis: AxisSums(axis) for axis in watched_axes(reference.shape, self.parts)}
        for sums in self.axes.values():
            sums.add(reference, candidate)

    def slices(self) -> tuple[SliceParity, ...]:
        axes = self.axes or {}
        found = [axes[part.axis].part(part) for part in self.parts if part.axis in axes]
        return tuple(one for one in found if one is not None)

    def dead(self, step: float) -> tuple[tuple[int, tuple[int, ...]], ...]:
        # Most probabilities round to zero, as they should.
        looked = {axis: sums for axis, sums in (self.axes or {}).items() if not self.scores.shares_along(axis)}
        every = ((axis, tuple(sums.dead(step))) for axis, sums in looked.items())
        return tuple((axis, indices) for axis, indices in every if indices)

    def relative_variation(self) -> float:
        if self.mean is None or self.squares is None or self.samples < 2:
            return 0.0
        variance = np.maximum(self.squares / self.samples - (self.mean / self.samples) ** 2, 0.0)
        power = self.reference_power / max(1, self.samples * variance.size)
        return math.sqrt(float(np.mean(variance)) / power) if power > 0 else 0.0


class ParityMeter:
    """Collects pairs of outputs, then reports per output.

    Args:
        parts: of outputs that end in a concatenation, by output name.
        steps: distance of two neighbouring values of the candidate's outputs, by name; 0 for float.
        boxes: output name to a form of boxes, or ``none``, from the user; others are found, see :mod:`.boxes`.
        classes: output name to the axis of its classes, or ``none``, likewise; see :mod:`.scores`.
    """

    def __init__(
        self,
        parts: Mapping[str, Sequence[Part]] | None = None,
        steps: Mapping[str, float] | None = None,
        boxes: Mapping[str, str] | None = None,
        classes: Mapping[str, str] | None = None,
    ) -> None:
        self._parts, self._steps, self._classes = parts or {}, steps or {}, classes or {}
        self._boxes = BoxSums(self._parts, boxes or {})
        self._sums: dict[str, _Sums] = {}

    def add(self, reference: Mapping[str, npt.NDArray[Any]], candidate: Mapping[str, npt.NDArray[Any]]) -> None:
        """Adds one run: the same outputs, by name and shape, of both sides.

        Raises:
            SignatureError: boxes that were told do not fit the outputs.
            ParityError: an output has another shape than in the run before: nothing is the same element in both.
        """
        self._boxes.add(reference, candidate)
        for name, expected in reference.items():
            if name not in self._sums:
                scores = ScoreSums(name, self._classes.get(name))
                self._sums[name] = _Sums(self._parts.get(name, ()), scores)
            before = self._sums[name].mean
            if before is not None and before.shape != _in_parts(expected).shape:
                raise ParityError(
                    f"output `{name}` has shape {list(expected.shape)} in one run and {list(before.shape)} in another: "
                    "what it holds depends on data, so that no element can be compared",
                    hint="keep the whole tensor and choose by its mask (torch.where), or return it before that step",
                )
            self._sums[name].add(*self._sums[name].settled(_in_parts(expected), _in_parts(candidate[name])))

    def max_abs_reference(self) -> dict[str, float]:
        """Largest magnitude of each output of the reference."""
        return {name: sums.max_abs_reference for name, sums in self._sums.items()}

    def report(self, bounds: Mapping[str, Bound] | None = None) -> tuple[OutputParity, ...]:
        """One row for each output, held to its bound where one is given."""
        bounds, boxes = bounds or {}, self._boxes.report()
        rows = (_row(name, sums, bounds.get(name), self._steps.get(name, 0)) for name, sums in self._sums.items())
        return tuple(_with_boxes(row, boxes.get(row.name)) for row in rows)


def _with_boxes(row: OutputParity, boxes: BoxParity | None) -> OutputParity:
    """Columns of boxes that stand beside scores are no classes."""
    found = row.scores is not None and not row.scores.told
    if boxes is None or not found:
        return replace(row, boxes=boxes)
    bare = replace(row, top1_agreement=None, top5_agreement=None, divergence=None, rows=0, winners=None)
    return replace(bare, boxes=boxes, scores=None, reading=None, decisions=None)


def _in_parts(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Of complex values the real and the imaginary ones, each in a place of a first axis; all others as they are."""
    return values if values.dtype.kind != "c" else np.stack([values.real, values.imag])[:, None]


def _row(name: str, sums: _Sums, bound: Bound | None, step: float) -> OutputParity:
    sqnr = _sqnr_db(sums.reference_power, sums.error_power)
    classes = sums.scores.chosen
    norms = math.sqrt(sums.reference_power * sums.candidate_power)
    variation = sums.relative_variation()
    parts = tuple(replace(part, ok=_holds(bound, part)) for part in sums.slices())
    still = variation >= VARIES and sums.lowest == sums.highest
    unresolved = (sums.most - sums.least, step) if still and sums.most - sums.least < step else None
    held = bound is None or (bound.holds(sums.max_abs_error, sqnr) and all(part.ok for part in parts))
    return OutputParity(
        name=name,
        samples=sums.samples,
        max_abs_error=sums.max_abs_error,
        max_abs_reference=sums.max_abs_reference,
        sqnr_db=sqnr,
        cosine=sums.product / norms if norms > 0 else math.nan,
        top1_agreement=classes.agreement,
        relative_variation=variation,
        bound=bound,
        ok=held and (bound is None or unresolved is None),
        top5_agreement=classes.top5,
        divergence=classes.divergence,
        rows=classes.rows,
        winners=classes.winners,
        decisions=sums.decisions.found() if classes.divergence is None else None,
        parts=parts,
        dead=sums.dead(step),
        constant=still and unresolved is None,
        unresolved=unresolved,
        not_finite=sums.not_finite,
        carriers=carriers_of(sums.errors, sums.powers),
        scores=sums.scores.form,
        reading=sums.scores.reading,
    )


def _holds(bound: Bound | None, part: SliceParity) -> bool:
    return bound is None or bound.kind != "sqnr_db" or part.sqnr_db >= bound.value


def _sqnr_db(signal: float, noise: float) -> float:
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 and math.isfinite(noise) else -math.inf
