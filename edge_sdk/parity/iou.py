"""How well a candidate's boxes cover the reference's, summed up run by run.

Where scores from 0 to 1 stand beside the boxes, a side's boxes from a score of 0.25 on are thinned as a detector's
suppression does (the best first, none that covers a better one of its class by half). Each is found again where the
other side has a box of the same class that covers it by half at least, with a score of 0.2 or more; of those of the
other side each stands for one. Where no score reaches 0.25, the twenty best of
each run stand for those. Without such scores rows are compared by their place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edge_sdk.parity.boxes import Boxes, Form, Head, find_heads, still_holds
from edge_sdk.parity.slices import Part
from edge_sdk.signature import Arrays

Floats = npt.NDArray[np.float64]

THRESHOLD, BEST = 0.25, 20
_OVERLAP = 0.5
# Of the threshold: a score that is a little below it on one side alone is no box lost.
_NEAR = 0.8
# Of the largest coordinate: float32 arithmetic is off by less, and no object is so thin.
_SLIVER = 1e-5
# Of one image, those with the highest scores: suppression asks for each of them against each.
_MOST = 300


@dataclass(frozen=True)
class BoxParity:
    """Boxes of one output, over all samples.

    Attributes:
        form: of the coordinates: ``corners`` or ``centres``.
        told: whether the user said so; else it was found.
        by: how they were paired: ``overlap`` or ``place``.
        mean_iou: of the pairs; None where there are none.
        matched: pairs.
        lost: boxes of the reference without a pair.
        invented: boxes of the candidate without one.
        threshold: score from which a box counts; None where none reaches it, or there are no scores; 0 where all rows
            that a suppression keeps do.
    """

    form: Form
    told: bool
    by: Literal["overlap", "place"]
    mean_iou: float | None
    matched: int
    lost: int
    invented: int
    threshold: float | None

    @property
    def found(self) -> float:
        """Share of the reference's boxes that have a pair; 1 where it has none."""
        return self.matched / (self.matched + self.lost) if self.matched + self.lost else 1.0

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def __str__(self) -> str:
        if self.matched + self.lost + self.invented == 0:
            return "boxes: none on either side"
        size = "" if self.mean_iou is None else f"mean IoU {self.mean_iou:.3f}"
        if self.by == "place":
            return f"boxes: {size or 'no IoU'} of {self.matched}, by place"
        which = "" if self.threshold is not None else f" of the {BEST} best a sample"
        found = f"{self.matched} of {self.matched + self.lost}{which} found again"
        more = f", {self.invented} others" if self.invented else ""
        return f"boxes: {size}{', ' if size else ''}{found}{more}"


class BoxSums:
    """Finds outputs that are boxes in the first run, and collects those of all runs.

    Args:
        parts: of outputs that end in a concatenation, by output name.
        told: output name to a form, or to ``none``, from the user.
    """

    def __init__(self, parts: Mapping[str, Sequence[Part]], told: Mapping[str, str]) -> None:
        self._parts, self._told = parts, told
        self._heads: dict[str, _HeadSums] | None = None

    def add(self, reference: Mapping[str, npt.NDArray[Any]], candidate: Mapping[str, npt.NDArray[Any]]) -> None:
        """One run of both sides.

        Raises:
            SignatureError: what was told does not fit the outputs.
        """
        if self._heads is None:
            found = find_heads(dict(reference), self._parts, self._told)
            self._heads = {head.output: _HeadSums(head) for head in found}
        for name, sums in list(self._heads.items()):
            if still_holds(sums.head, dict(reference), self._parts):
                sums.add(dict(reference), dict(candidate))
            else:
                del self._heads[name]

    def report(self) -> dict[str, BoxParity]:
        """Output name to what became of its boxes."""
        return {name: sums.parity() for name, sums in (self._heads or {}).items()}


@dataclass(frozen=True)
class Detections:
    """Of one image, the best first: ``corners`` [rows, 4], ``scores`` and ``classes`` [rows]."""

    corners: Floats
    scores: Floats
    classes: Floats

    def __len__(self) -> int:
        return len(self.scores)

    def first(self, count: int) -> Detections:
        """The best."""
        return Detections(self.corners[:count], self.scores[:count], self.classes[:count])

    def thinned(self) -> Detections:
        """Without boxes that cover a better one of their class."""
        alike = self.classes[:, None] == self.classes[None]
        covers = (iou(self.corners, self.corners) > _OVERLAP) & alike
        kept = np.ones(len(self), bool)
        for place in range(len(self)):
            if kept[place]:
                kept[place + 1 :] &= ~covers[place, place + 1 :]
        return Detections(self.corners[kept], self.scores[kept], self.classes[kept])


class _HeadSums:
    def __init__(self, head: Head) -> None:
        self.head = head
        self._overlaps: list[Floats] = []
        self._images: list[tuple[Detections, Detections]] = []

    def add(self, reference: Arrays, candidate: Arrays) -> None:
        want, got = self.head.rows(reference), self.head.rows(candidate)
        if self.head.probable:
            self._images += zip(_detections(want), _detections(got), strict=True)
            return
        rows = want.corners.reshape(-1, 4)
        real = np.any(rows != 0, axis=1)
        self._overlaps.append(_overlap(rows[real], got.corners.reshape(-1, 4)[real]))

    def parity(self) -> BoxParity:
        head = self.head
        if not head.probable:
            values = np.concatenate(self._overlaps) if self._overlaps else np.zeros(0)
            mean = float(values.mean()) if len(values) else None
            return BoxParity(head.form, head.told, "place", mean, len(values), 0, 0, None)
        best = max((float(want.scores[0]) for want, _ in self._images if len(want)), default=0.0)
        threshold = THRESHOLD if best >= THRESHOLD else None
        there = [paired_boxes(_counting(want, threshold), _near(got, threshold)) for want, got in self._images]
        back = [paired_boxes(_counting(got, threshold), _near(want, threshold)) for want, got in self._images]
        overlaps = np.concatenate([one for one, _, _ in there]) if there else np.zeros(0)
        mean = float(overlaps.mean()) if len(overlaps) else None
        lost, invented = sum(one[1] for one in there), sum(one[1] for one in back)
        return BoxParity(head.form, head.told, "overlap", mean, len(overlaps), lost, invented, threshold)


def _detections(boxes: Boxes) -> list[Detections]:
    found = []
    scores = np.zeros(boxes.corners.shape[:-1]) if boxes.scores is None else boxes.scores
    for corners, values, classes in zip(boxes.corners, scores, boxes.classes, strict=True):
        order = np.argsort(-values, kind="stable")[:_MOST]
        found.append(Detections(corners[order], values[order], classes[order]))
    return found


def _counting(one: Detections, threshold: float | None) -> Detections:
    if threshold is None:
        return one.thinned().first(BEST)
    return one.first(int(np.sum(one.scores >= threshold))).thinned()


def _near(one: Detections, threshold: float | None) -> Detections:
    """Those that a box which counts on the other side may be: what was thinned out there by a hair is still found."""
    return one if threshold is None else one.first(int(np.sum(one.scores >= _NEAR * threshold)))


def paired_boxes(want: Detections, got: Detections) -> tuple[Floats, int, int]:
    """IoU of each pair, and how many of either side have none.

    Boxes that cover each other most are paired first; of equal ones those of the nearest scores. Where a box is left
    whose partners are all taken, others give way, if they have another partner: no more pairs can be had.
    """
    overlaps = np.where(want.classes[:, None] == got.classes[None], iou(want.corners, got.corners), 0.0)
    rows, columns = np.nonzero(overlaps >= _OVERLAP)
    apart = np.abs(want.scores[rows] - got.scores[columns])
    order = np.lexsort((apart, -overlaps[rows, columns]))
    able: dict[int, list[int]] = {}
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        able.setdefault(row, []).append(column)
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if row not in taken and column not in partner:
            partner[column] = row
            taken.add(row)
    for row in sorted(able.keys() - taken):
        _placed(row, able, partner, set())
    found = np.array([overlaps[row, column] for column, row in sorted(partner.items())], np.float64)
    return found, len(want) - len(found), len(got) - len(found)


def _placed(row: int, able: Mapping[int, Sequence[int]], partner: dict[int, int], tried: set[int]) -> bool:
    """Gives a row a column, whose row takes another if it can (Kuhn's algorithm)."""
    for column in able[row]:
        if column not in tried:
            tried.add(column)
            if column not in partner or _placed(partner[column], able, partner, tried):
                partner[column] = row
                return True
    return False


def iou(one: Floats, other: Floats) -> Floats:
    """Intersection over union of each of ``one`` [n, 4] with each of ``other`` [m, 4], as corners: [n, m]."""
    return _overlap(one[:, None], other[None])


def _overlap(one: Floats, other: Floats) -> Floats:
    """IoU of boxes; of slivers that float32 cannot tell from none (cut off at a picture's edge) that of wider ones."""
    edge = _SLIVER * max(np.abs(one).max(initial=0.0), np.abs(other).max(initial=0.0))
    # Of both: against a box with an area a sliver covers nothing.
    side = np.maximum(np.min(one[..., 2:] - one[..., :2], -1), np.min(other[..., 2:] - other[..., :2], -1))
    wider = np.array([-edge, -edge, edge, edge])
    return np.where(side < 4 * edge, _ratio(one + wider, other + wider), _ratio(one, other))


def _ratio(one: Floats, other: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        low, high = np.maximum(one[..., :2], other[..., :2]), np.minimum(one[..., 2:], other[..., 2:])
        shared = np.prod(np.clip(high - low, 0, None), -1)
        whole = np.prod(one[..., 2:] - one[..., :2], -1) + np.prod(other[..., 2:] - other[..., :2], -1) - shared
        # Two equal boxes without area cover each other.
        same = np.all(one == other, -1)
        return np.asarray(np.where(same, 1.0, np.nan_to_num(shared / np.where(whole > 0, whole, 1.0))))
