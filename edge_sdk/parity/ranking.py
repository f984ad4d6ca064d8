"""Rows that a file hands out in the order of their scores, where two scores are nearer than arithmetic can tell.

A detector that ends in TOPK gives its best rows, sorted. Where scores differ by less than rounding, one row comes
before another in the source and behind it in the file, and every number of both rows is off although none is wrong. So
the scores are compared place by place, and the rows by which of the other side's they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Artifact

_MOST_ROWS = 4096
# ONNX Runtime's logistic errs by 1.4e-7 wherever it is, and so may the other side's.
_LEAST = 3e-7


@dataclass(frozen=True)
class Ranks:
    """How far the order of one output's rows is the source's.

    Attributes:
        rows: over all samples.
        moved: those that stand in another place, each beside rows whose score is the same within the bound.
        others: those of which the other side has none, their score that of the last row within the bound.
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
    """Outputs that are computed from the result of a TOPK_V2."""
    reached: set[int] = set()
    for op in artifact.main.ops:
        if op.name == "TOPK_V2" or reached.intersection(op.inputs):
            reached.update(op.outputs)
    return frozenset(name for name, tensor in artifact.signature.outputs.items() if tensor.index in reached)


def in_order_of(
    reference: npt.NDArray[Any], candidate: npt.NDArray[Any], tolerance: float
) -> tuple[npt.NDArray[Any], Ranks] | None:
    """The candidate with its rows in the reference's order; None where it is no reordering of equal scores.

    Args:
        reference: ``[..., rows, columns]``; a column that never rises from row to row is the score.
        candidate: likewise.
        tolerance: what the largest value of the output may be off; a column's may be off by its share of that.
    """
    if reference.ndim < 2 or reference.shape[-2] > _MOST_ROWS or not np.isfinite([reference, candidate]).all():
        return None
    wide, other = (one.reshape(-1, *one.shape[-2:]).astype(np.float64) for one in (reference, candidate))
    largest = np.max(np.abs(wide), axis=(0, 1))
    allowed = np.maximum(_LEAST, tolerance * largest / max(float(np.max(largest)), _LEAST))
    for key in _scores(wide):
        if np.max(np.abs(wide[..., key] - other[..., key])) > allowed[key]:
            continue
        ordered, ranks = candidate.reshape(wide.shape).copy(), Ranks()
        for want, got, rows in zip(wide, other, ordered, strict=True):
            found = _places(want, got, allowed, key)
            if found is None:
                break
            at_cut = found < 0
            rows[:] = np.where(at_cut[:, None], want.astype(rows.dtype), rows[found])
            moved = np.sum(~at_cut & (found != np.arange(len(found))))
            ranks += Ranks(len(found), int(moved), int(np.sum(at_cut)))
        else:
            return ordered.reshape(candidate.shape), ranks
    return None


def _scores(wide: npt.NDArray[np.float64]) -> Iterator[int]:
    falls = np.all(np.diff(wide, axis=1) <= 0, axis=(0, 1)) & (np.ptp(wide, axis=(0, 1)) > 0)
    yield from (int(key) for key in np.flatnonzero(falls))


def _places(
    want: npt.NDArray[np.float64], got: npt.NDArray[np.float64], allowed: npt.NDArray[np.float64], key: int
) -> npt.NDArray[np.int64] | None:
    """For each row, the place of the candidate's that it is, or -1 where the cut-off took another one."""
    found = np.full(len(want), -1, np.int64)
    free = np.ones(len(got), np.bool_)
    for place, row in enumerate(want):
        off = np.abs(got - row)
        fits = free & np.all(off <= allowed, axis=1)
        if fits.any():
            nearest = int(np.argmin(np.where(fits, np.max(off / allowed, axis=1), np.inf)))
            found[place], free[nearest] = nearest, False
        elif row[key] > want[-1, key] + allowed[key]:
            return None
    return found
