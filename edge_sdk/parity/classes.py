"""Outputs that look like scores of classes: how often the best ones are the same, and how far the distributions are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_TOP = 5
_SUM = 0.02
_UNIT = 1e-3


class ClassSums:
    """Running counts of one output of shape [rows, classes]."""

    def __init__(self) -> None:
        self.rows = self.first = self.among = 0
        self._divergence = 0.0
        self._best: set[int] = set()
        self._probabilities = True
        self._unit_length = True

    def add(self, reference: npt.NDArray[Any], candidate: npt.NDArray[Any]) -> None:
        """One run's output of both sides."""
        self.rows += reference.shape[0]
        best = reference.argmax(1)
        self._best.update(np.unique(best).tolist())
        self.first += int(np.sum(best == candidate.argmax(1)))
        count = min(_TOP, reference.shape[1])
        top = np.argpartition(-candidate, count - 1, axis=1)[:, :count]
        self.among += int(np.sum((top == best[:, None]).any(1)))
        self._probabilities &= bool(np.all(reference >= 0) and np.all(np.abs(reference.sum(1) - 1) < _SUM))
        self._unit_length &= bool(np.all(np.abs((reference.astype(np.float64) ** 2).sum(1) - 1) < _UNIT))
        self._divergence += float(_divergence(reference.astype(np.float64), candidate.astype(np.float64)).sum())

    @property
    def agreement(self) -> float | None:
        """Share of rows with the same best class; None for vectors of length 1, which are directions and no scores."""
        return self.first / self.rows if self.rows and not self._directions else None

    @property
    def top5(self) -> float | None:
        """Share of rows whose best class is among the candidate's first five; None where there are five or fewer."""
        return self.among / self.rows if self.rows and not self._directions else None

    @property
    def divergence(self) -> float | None:
        """Mean Kullback-Leibler divergence in nats; None where rows are no probabilities."""
        return self._divergence / self.rows if self.rows and self._probabilities else None

    @property
    def winners(self) -> int | None:
        """How many classes are the reference's best of any row."""
        return len(self._best) if self.rows and not self._directions else None

    @property
    def _directions(self) -> bool:
        return self._unit_length and not self._probabilities


def is_class_like(values: npt.NDArray[Any]) -> bool:
    """Whether an output has the shape of scores: float [rows, classes]."""
    return values.ndim == 2 and values.shape[1] > 1 and values.dtype.kind == "f"


def _divergence(reference: npt.NDArray[np.float64], candidate: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of each row; a probability rounded to zero counts as a quarter of an int8 softmax's step."""
    floor = 1 / 1024
    want, got = np.maximum(reference, 1e-12), np.maximum(candidate, np.minimum(np.maximum(reference, 1e-12), floor))
    with np.errstate(invalid="ignore"):
        # Both, or rounded rows that do not sum to 1 differ from themselves.
        want, got = want / want.sum(1, keepdims=True), got / got.sum(1, keepdims=True)
        rows: npt.NDArray[np.float64] = (want * np.log(want / np.maximum(got, 1e-12))).sum(1)
    return np.maximum(np.nan_to_num(rows, nan=np.inf), 0.0)
