"""Outputs that are rows which a suppression keeps: held to what they find, for no place is the same on two sides.

One box more before the others moves every row behind it, and rows that do not count hold anything. So of each side
those rows alone are looked at that its count says, and each is looked for among all of the other side: a box of the
same class that covers it by half at least; where no output holds boxes, the same index. As for other boxes
(:mod:`.iou`), those from a score of 0.25 on count, or the twenty best of each sample where none reaches it; all where
nothing is a score from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.suppressions import Kept
from edge_sdk.parity.bounds import Bound
from edge_sdk.parity.boxes import Head, head_of_rows
from edge_sdk.parity.compare import OutputParity
from edge_sdk.parity.iou import BEST, THRESHOLD, BoxParity, Detections, paired_boxes
from edge_sdk.parity.kept_rows import KeptRows
from edge_sdk.signature import Arrays

_ONNX_COLUMNS = 3


@dataclass(frozen=True)
class Agreement:
    """What two sides of one suppression have in common: ``boxes`` of output ``output``, where one holds them."""

    kept: KeptRows
    boxes: BoxParity | None = None
    output: str = ""


@dataclass
class _Runs:
    """Rows that count, run by run, of both sides."""

    wanted: list[Arrays] = field(default_factory=list)
    got: list[Arrays] = field(default_factory=list)

    def whole(self) -> Arrays:
        """Of all runs of the reference, one below the other."""
        return {name: np.concatenate([run[name] for run in self.wanted]) for name in self.wanted[0]}


def agreements(
    tables: Sequence[Kept], pairs: Iterable[tuple[Arrays, Arrays]], told: Mapping[str, str]
) -> list[Agreement | None]:
    """Of each table what is found again; None where its outputs are neither boxes nor indices.

    Args:
        tables: of the file, see :func:`~edge_sdk.artifact.suppressions.kept_outputs`.
        pairs: outputs of reference and candidate, run by run.
        told: output name to a form of boxes, or to ``none``, from the user.
    """
    runs = [_Runs() for _ in tables]
    for wanted, got in pairs:
        for table, own in zip(tables, runs, strict=True):
            own.wanted.append(_counting(wanted, table))
            own.got.append(_counting(got, table))
    return [_agreement(own, told) if own.wanted and own.wanted[0] else None for own in runs]


def held_to_rows(
    rows: Sequence[OutputParity],
    tables: Sequence[Kept],
    found: Sequence[Agreement | None],
    bounds: Sequence[Bound | None],
) -> tuple[OutputParity, ...]:
    """The outputs, those of each table with what was found again in place of what compares row with row.

    Args:
        rows: of all outputs.
        tables: of the file.
        found: what is found again, by table.
        bounds: by table; None leaves the bounds that the outputs have.
    """
    made = {row.name: row for row in rows}
    for table, one, bound in zip(tables, found, bounds, strict=True):
        if one is None:
            continue
        made |= {name: _held(made[name], one, bound) for name in (*table.rows, table.count) if name in made}
    return tuple(made[row.name] for row in rows)


def _held(row: OutputParity, one: Agreement, bound: Bound | None) -> OutputParity:
    plain = replace(
        row, top1_agreement=None, top5_agreement=None, divergence=None, rows=0, parts=(), dead=(), constant=False
    )
    boxes = one.boxes if one.output == row.name else None
    made = replace(plain, unresolved=None, carriers=None, kept=one.kept, boxes=boxes)
    return made if bound is None else replace(made, bound=bound, ok=one.kept.share >= bound.value)


def _counting(outputs: Arrays, table: Kept) -> Arrays:
    """Rows that count, ``[rows, ...]``, of the outputs that have as many rows as most of them."""
    given = {name: outputs[name] for name in table.rows if name in outputs}
    laid = {name: values[0] if values.ndim > 1 and len(values) == 1 else values for name, values in given.items()}
    extents = [len(values) for values in laid.values() if values.ndim]
    if not extents:
        return {}
    most = max(set(extents), key=lambda extent: (extents.count(extent), extent))
    count = most
    if table.count is not None and table.count in outputs:
        count = int(np.clip(np.ravel(outputs[table.count])[0], 0, most))
    return {name: values[:count] for name, values in laid.items() if values.ndim and len(values) == most}


def _agreement(runs: _Runs, told: Mapping[str, str]) -> Agreement | None:
    whole = runs.whole()
    head = head_of_rows(whole, told)
    if head is not None:
        return _by_boxes(runs, head)
    names = [name for name, values in whole.items() if values.dtype.kind in "iu"]
    return Agreement(_by_index(runs, names)) if names else None


def _by_index(runs: _Runs, names: Sequence[str]) -> KeptRows:
    total = KeptRows()
    for sides in zip(runs.wanted, runs.got, strict=True):
        want, got = ({tuple(row) for row in _columns(side, names).tolist()} for side in sides)
        total += KeptRows(len(want), len(want & got), len(got), len(want & got))
    return total


def _by_boxes(runs: _Runs, head: Head) -> Agreement:
    labels = _labels(runs, head)
    sides = [[_detections(run, head, labels) for run in side] for side in (runs.wanted, runs.got)]
    best = max((float(one.scores.max()) for one in sides[0] if head.probable and len(one)), default=0.0)
    threshold = 0.0 if not head.probable else THRESHOLD if best >= THRESHOLD else None
    total, overlaps = KeptRows(), list[npt.NDArray[np.float64]]()
    for want, got in zip(*sides, strict=True):
        ours, theirs = _best(want, threshold), _best(got, threshold)
        found, _, _ = paired_boxes(ours, got)
        back, _, _ = paired_boxes(theirs, want)
        overlaps.append(found)
        total += KeptRows(len(ours), len(found), len(theirs), len(back))
    every = np.concatenate(overlaps)
    mean = float(every.mean()) if len(every) else None
    lost, invented = total.wanted - total.found, total.got - total.back
    boxes = BoxParity(head.form, head.told, "overlap", mean, total.found, lost, invented, threshold)
    return Agreement(total, boxes, head.output)


def _best(one: Detections, threshold: float | None) -> Detections:
    if threshold == 0:
        return one
    return one.first(BEST if threshold is None else int(np.sum(one.scores >= threshold)))


def _detections(run: Arrays, head: Head, labels: Sequence[str]) -> Detections:
    """Of one run, best first: as they come where nothing is a score."""
    if not len(run[head.output]):
        return Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0))
    boxes = head.rows(run)
    corners, count = boxes.corners[0], len(boxes.corners[0])
    scores = np.arange(count, 0, -1.0) if boxes.scores is None else boxes.scores[0]
    classes = boxes.classes[0].reshape(count, 1)
    if labels:
        classes = np.concatenate([classes, _columns(run, labels, most=_ONNX_COLUMNS - 1)], 1)
    order = np.argsort(-scores, kind="stable")
    return Detections(corners[order], scores[order], _keys(classes[order]))


def _keys(classes: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """One number for each row of small whole numbers."""
    made = np.zeros(len(classes))
    for column in classes.T:
        made = made * (1 << 16) + column
    return made


def _labels(runs: _Runs, head: Head) -> list[str]:
    """Outputs that name a row's class: whole numbers, of which one comes twice in a run, as no index of a box does.

    Rows of ``NonMaxSuppression`` itself are image, class and box.
    """
    found = []
    for name, values in runs.whole().items():
        flat = values.reshape(len(values), -1)
        if name in (head.output, head.scores) or not np.all(flat == np.round(flat)):
            continue
        indices = flat.shape[1] == _ONNX_COLUMNS and values.dtype.kind == "i"
        twice = flat.shape[1] == 1 and any(len(np.unique(run[name])) < len(run[name]) for run in runs.wanted)
        found += [name] if indices or twice else []
    return found


def _columns(run: Arrays, names: Sequence[str], most: int | None = None) -> npt.NDArray[np.float64]:
    """``[rows, columns]``; of rows of several columns the first ``most``."""
    return np.concatenate([run[name].reshape(len(run[name]), -1)[:, :most].astype(np.float64) for name in names], 1)
