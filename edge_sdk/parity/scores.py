"""Outputs of any rank that hold scores of classes: along which axis, for how many rows, and what strings they read as.

A matrix of floats has them along its second axis. In a sequence (``[batch, steps, classes]``) and a map (``[batch,
height, width, classes]``, or classes second) they are found by values: rows that are probabilities or logarithms of
them, or rows of which a softmax is sure, though not always of the same class, and whose places are alike in size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import SignatureError, nearest
from edge_sdk.parity.classes import ClassSums, is_class_like
from edge_sdk.parity.reading import Reading, ReadingSums

Floats = npt.NDArray[np.float64]
Kind = Literal["probabilities", "log-probabilities", "scores"]
NONE = "none"
_SUM = 0.02
# Half of the rows of a trained classifier are surer than that; of features without a meaning few are.
_SURE, _MANY, _FEW = 0.9, 0.5, 0.1
# What a classifier trained by cross-entropy gives; pixels and coordinates are larger, or differ in size by their place.
_LARGEST, _ALIKE = 100.0, 10.0
# Two numbers side by side are as often a vector as two classes.
_FEWEST = 3


@dataclass(frozen=True)
class ScoreForm:
    """Where an output of more than two dimensions has classes.

    Attributes:
        axis: along which.
        kind: what its rows are.
        told: whether the user said so; else it was found.
    """

    axis: int
    kind: Kind
    told: bool

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.kind} along axis {self.axis}"


def check_told_classes(told: Mapping[str, str], outputs: Sequence[str]) -> None:
    """What a user told of classes against the names that there are.

    Raises:
        SignatureError: an output is unknown, or its axis is no number.
    """
    for name, axis in told.items():
        if name not in outputs:
            raise SignatureError(
                f"classes: there is no output `{name}`{nearest(name, outputs)}", hint=f"outputs: {', '.join(outputs)}"
            )
        if axis != NONE and not axis.removeprefix("-").isdigit():
            raise SignatureError(f"classes: expected the number of an axis or {NONE} for `{name}`, got `{axis}`")


class ScoreSums:
    """Counts of one output, along each axis that may hold classes.

    Args:
        name: of the output.
        told: the axis by the user, or ``none``; None where nothing was said.
    """

    def __init__(self, name: str = "", told: str | None = None) -> None:
        self._name, self._told = name, told
        self._tables: list[_Table] | None = None

    def add(self, reference: npt.NDArray[Any], candidate: npt.NDArray[Any]) -> None:
        """One run's output of both sides.

        Raises:
            SignatureError: it has no such axis, or one value along it.
        """
        if self._tables is None:
            self._tables = [_Table(axis, told=self._told is not None) for axis in self._axes(reference)]
        for table in self._tables:
            table.add(reference, candidate)
        self._tables = [table for table in self._tables if table.possible]

    @property
    def chosen(self) -> ClassSums:
        """Of the axis that holds classes; empty where none does."""
        table = self._table()
        return ClassSums() if table is None else table.sums

    @property
    def form(self) -> ScoreForm | None:
        """Of an output of more than two dimensions; None where it holds no classes."""
        table = self._table()
        return None if table is None or table.plain else ScoreForm(table.axis, table.kind, self._told is not None)

    @property
    def reading(self) -> Reading | None:
        """What its steps read as, where they look as a recogniser's do."""
        table = self._table()
        return None if table is None else table.reading.found()

    def shares_along(self, axis: int) -> bool:
        """Whether values along an axis are probabilities, of which most round to zero."""
        table = self._table()
        return table is not None and table.axis == axis and table.kind == "probabilities"

    def _table(self) -> _Table | None:
        return next((table for table in self._tables or [] if table.holds), None)

    def _axes(self, values: npt.NDArray[Any]) -> Iterator[int]:
        rank = values.ndim
        if self._told == NONE:
            return
        if self._told is not None:
            axis = int(self._told)
            if not -rank <= axis < rank or rank < 2 or values.shape[axis] < 2 or values.dtype.kind != "f":
                what = f"{values.dtype.name} {list(values.shape)}"
                raise SignatureError(
                    f"classes: output `{self._name}` is {what}: axis {axis} has no scores of two classes or more"
                )
            yield axis % rank
        elif is_class_like(values):
            yield 1
        elif rank > 2 and values.dtype.kind == "f":
            yield from (axis for axis in (rank - 1, 1) if values.shape[axis] > 1)


class _Table:
    """One axis of an output, taken for classes; all others are rows."""

    def __init__(self, axis: int, *, told: bool) -> None:
        self.axis, self.sums, self.reading = axis, ClassSums(), ReadingSums()
        self.plain, self._told = True, told
        self._shares = self._logarithms = True
        self._rows = self._sure = 0
        self._sizes: Floats = np.zeros(0)
        self._winners: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)

    def add(self, reference: npt.NDArray[Any], candidate: npt.NDArray[Any]) -> None:
        self.plain = reference.ndim == 2
        want, got = (_in_rows(values, self.axis) for values in (reference, candidate))
        if not self.plain:
            self._look(want)
        if not self.possible:
            return
        if self.kind == "scores":
            if not self.plain:
                want, got = _softmax(want), _softmax(got)
        elif self.kind == "log-probabilities":
            want, got = np.exp(want), np.exp(got)
        self.sums.add(want, got)
        if reference.ndim == 3 and self.axis == 2:
            self.reading.add(want.reshape(reference.shape), got.reshape(reference.shape))

    @property
    def kind(self) -> Kind:
        if self.plain:
            return "scores" if self.sums.divergence is None else "probabilities"
        return "probabilities" if self._shares else "log-probabilities" if self._logarithms else "scores"

    @property
    def possible(self) -> bool:
        """Whether runs to come may still show classes here."""
        return self._certain or (len(self._sizes) >= _FEWEST and self._sure >= _FEW * self._rows)

    @property
    def holds(self) -> bool:
        """Whether all runs together show them."""
        if self._certain:
            return True
        alike = float(self._sizes.max()) <= min(_LARGEST, _ALIKE * float(np.median(self._sizes)))
        return alike and self._sure >= _MANY * self._rows and bool(self._winners.sum() > 1)

    @property
    def _certain(self) -> bool:
        return self.plain or self._told or self._shares or self._logarithms

    def _look(self, rows: Floats) -> None:
        if len(self._sizes) == 0:
            self._sizes, self._winners = np.zeros(rows.shape[1]), np.zeros(rows.shape[1], np.bool_)
        self._shares &= bool(np.all(rows >= 0) and np.all(np.abs(rows.sum(1) - 1) < _SUM))
        with np.errstate(over="ignore"):
            self._logarithms &= bool(np.all(rows <= _SUM) and np.all(np.abs(np.exp(rows).sum(1) - 1) < _SUM))
        self._rows += len(rows)
        self._sure += int(np.sum(_softmax(rows).max(1) >= _SURE))
        self._sizes = np.maximum(self._sizes, np.abs(rows).max(0))
        self._winners[np.unique(rows.argmax(1))] = True


def _in_rows(values: npt.NDArray[Any], axis: int) -> Floats:
    return np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis]).astype(np.float64)


def _softmax(rows: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        shares = np.exp(rows - rows.max(1, keepdims=True))
    return np.asarray(shares / shares.sum(1, keepdims=True))
