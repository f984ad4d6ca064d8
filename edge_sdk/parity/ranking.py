"""Rows that a file hands out in the order of their scores, where two scores are nearer than arithmetic can tell.

A detector that ends in TOPK gives its best rows, sorted. Where scores differ by less than rounding, one row comes
before another in the source and behind it in the file, and every number of both rows is off although none is wrong. So
the scores are compared place by place, and the rows by which of the other side's they are.

Behind a suppression order decides more: of two boxes of one score the first suppresses the second, and where scores
are saturated it decides which class is the best. Which of such rows are kept is no row's own, nor at which place the
rows behind them stand. So there a row whose score others have may be missing; every other must be found, and nearly
all must: one in twenty may be missing, for rows of equal scores tell nothing of a file if most of them are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Artifact
from edge_sdk.artifact.suppressions import COUNTS
from edge_sdk.signature import Arrays

_MOST_ROWS = 4096
# ONNX Runtime's logistic errs by 1.4e-7 wherever it is, and so may the other side's.
_LEAST = 3e-7
# Of each order, behind a suppression. YOLO11n with some classes' scores at 1 misses up to 10 rows of 300 by rounding
# alone; with nearly all at 1 up to 46, which is refused: a class's weights zeroed in the former miss 33.
_MISSING = 1 / 20


@dataclass(frozen=True)
class Ranks:
    """How far the order of one output's rows is the source's.

    Attributes:
        rows: over all samples.
        moved: those that stand in another place, each beside rows whose score is the same within the bound.
        others: those of which the other side has none, their score that of the last row within the bound, or behind a
            suppression that of another row.
    """

    rows: int = 0
    moved: int = 0
    others: int = 0

    def __add__(self, other: Ranks) -> Ranks:
        return Ranks(self.rows + other.rows, self.moved + other.moved, self.others + other.others)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def ranked_outputs(artifact: Artifact) -> frozenset[str]:
    """Outputs that are computed from the result of a TOPK_V2, or of a suppression, which sorts as well."""
    reached: set[int] = set()
    for op in artifact.main.ops:
        if op.name == "TOPK_V2" or op.name in COUNTS or reached.intersection(op.inputs):
            reached.update(op.outputs)
    return frozenset(name for name, tensor in artifact.signature.outputs.items() if tensor.index in reached)


def in_order_of(
    reference: Arrays,
    candidate: Arrays,
    tolerances: Mapping[str, float],
    rows: tuple[int, ...],
    *,
    suppressed: bool = False,
) -> tuple[Arrays, Ranks] | None:
    """The candidate with its rows in the reference's order; None where it is no reordering of equal scores.

    Args:
        reference: outputs of shape ``rows`` or ``[*rows, columns]``, which together are the columns of each row; one
            that never rises from row to row is the score.
        candidate: likewise.
        tolerances: what the largest value of an output may be off; a column's may be off by its share of that.
        rows: ``[..., rows]``; each leading index has an order of its own.
        suppressed: whether a suppression keeps the rows, so that equal scores decide which there are.
    """
    wide, other = (_columns(outputs, tolerances, rows) for outputs in (reference, candidate))
    if rows[-1] > _MOST_ROWS or not np.isfinite([wide, other]).all():
        return None
    allowed = np.concatenate([_allowed(reference[name], bound, rows) for name, bound in tolerances.items()])
    for key in _scores(wide, constant=suppressed):
        if not suppressed and np.max(np.abs(wide[..., key] - other[..., key])) > allowed[key]:
            continue
        look = _kept_places if suppressed else _places
        places = [look(want, got, allowed, key) for want, got in zip(wide, other, strict=True)]
        if all(found is not None for found in places):
            found = np.stack([one for one in places if one is not None])
            ordered = {name: _placed(reference[name], candidate[name], found) for name in tolerances}
            moved = (found >= 0) & (found != np.arange(rows[-1]))
            return ordered, Ranks(found.size, int(np.sum(moved)), int(np.sum(found < 0)))
    return None


def _columns(outputs: Arrays, names: Iterable[str], rows: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """``[orders, rows, columns]``: those of all outputs side by side."""
    return np.concatenate(
        [outputs[name].astype(np.float64).reshape(-1, rows[-1], _width(outputs[name], rows)) for name in names], axis=-1
    )


def _width(values: npt.NDArray[Any], rows: tuple[int, ...]) -> int:
    return 1 if values.shape == rows else values.shape[-1]


def _allowed(values: npt.NDArray[Any], tolerance: float, rows: tuple[int, ...]) -> npt.NDArray[np.float64]:
    largest = np.max(np.abs(values.astype(np.float64).reshape(-1, _width(values, rows))), axis=0)
    share: npt.NDArray[np.float64] = tolerance * largest / max(float(np.max(largest)), _LEAST)
    return np.maximum(_LEAST, share)


def _placed(want: npt.NDArray[Any], got: npt.NDArray[Any], found: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Each row of one output from where it was found; the reference's own where the cut-off took another."""
    shape = (*found.shape, -1)
    rows = np.take_along_axis(got.reshape(shape), np.maximum(found, 0)[..., None], axis=1)
    return np.where(found[..., None] < 0, want.astype(got.dtype).reshape(shape), rows).reshape(got.shape)


def _scores(wide: npt.NDArray[np.float64], *, constant: bool) -> Iterator[int]:
    falls, moves = np.all(np.diff(wide, axis=1) <= 0, axis=(0, 1)), np.ptp(wide, axis=(0, 1)) > 0
    yield from (int(key) for key in np.flatnonzero(falls & moves))
    yield from (int(key) for key in np.flatnonzero(falls & ~moves) if constant)


def _kept_places(
    want: npt.NDArray[np.float64], got: npt.NDArray[np.float64], allowed: npt.NDArray[np.float64], key: int
) -> npt.NDArray[np.int64] | None:
    """As :func:`_places`, of rows that a suppression keeps: those of equal scores may be missing, on both sides."""
    found = _places(want, got, allowed, key, _tied(want[:, key], allowed[key]))
    if found is None or np.sum(found < 0) > _MISSING * len(want):
        return None
    others = np.setdiff1d(np.arange(len(got)), found)
    excused = _tied(got[:, key], allowed[key]) | (got[:, key] <= got[-1, key] + allowed[key])
    return found if excused[others].all() else None


def _tied(scores: npt.NDArray[np.float64], allowed: float) -> npt.NDArray[np.bool_]:
    """Those that another row has too, within the bound; ``scores`` of one order."""
    ordered = np.sort(scores)
    near = np.searchsorted(ordered, scores + allowed, "right") - np.searchsorted(ordered, scores - allowed, "left")
    return near > 1


def _places(
    want: npt.NDArray[np.float64],
    got: npt.NDArray[np.float64],
    allowed: npt.NDArray[np.float64],
    key: int,
    tied: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.int64] | None:
    """For each row, the place of the candidate's that it is, or -1 where the cut-off took another one.

    Rows of ``tied`` may be missing as well.
    """
    found = np.full(len(want), -1, np.int64)
    free = np.ones(len(got), np.bool_)
    for place, row in enumerate(want):
        off = np.abs(got - row)
        fits = free & np.all(off <= allowed, axis=1)
        if fits.any():
            nearest = int(np.argmin(np.where(fits, np.max(off / allowed, axis=1), np.inf)))
            found[place], free[nearest] = nearest, False
        elif row[key] > want[-1, key] + allowed[key] and not (tied is not None and tied[place]):
            return None
    return found
