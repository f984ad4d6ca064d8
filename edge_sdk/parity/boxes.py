"""Outputs that are boxes: how well those of a candidate cover the reference's, by intersection over union (IoU).

============  ================================================================================================
``corners``   two opposite corners, x0 y0 x1 y1 or y0 x0 y1 x1: which axis is first does not change an IoU
``centres``   centre and size: cx cy w h
============  ================================================================================================

Boxes are told by the user, or found by what every sample of the reference holds: rows of four numbers that are boxes
in one of these forms, beside scores from 0 to 1, in the same output (YOLO) or in another with as many rows (SSD behind
its suppression, DETR). Offsets from anchors are no boxes, and rows of probabilities are not either: where it cannot be
known, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import SignatureError, nearest
from edge_sdk.parity.slices import Part
from edge_sdk.signature import Arrays, shape_text

Form = Literal["corners", "centres"]
FORMS: tuple[str, ...] = ("corners", "centres", "none")
Floats = npt.NDArray[np.float64]

_SCORE = 0.5 / 255
# So many rows must look like boxes: fewer do by chance.
_FEWEST = 8
_SUM = 1e-3
# Decoded boxes reach beyond the picture, by less than its size.
_BEYOND = 0.5
_COORDINATES = 4


@dataclass(frozen=True)
class Head:
    """Where boxes are.

    Attributes:
        output: that holds them, [rows, columns] or [samples, rows, columns].
        columns_first: whether its last two axes are [columns, rows].
        form: of the first four columns.
        scores: output with their scores; the same where columns of it are; None where every box counts.
        last: of the same output, the column behind the last score.
        classes: whether the column behind it is the number of a class.
        probable: whether scores are from 0 to 1, so that they tell which boxes count.
        told: by the user.
    """

    output: str
    columns_first: bool
    form: Form
    scores: str | None = None
    last: int = _COORDINATES
    classes: bool = False
    probable: bool = False
    told: bool = False

    def rows(self, outputs: Arrays) -> Boxes:
        """The boxes of one run as corners, with scores and classes."""
        table = _table(outputs[self.output], columns_first=self.columns_first)
        corners = _corners(table[..., :_COORDINATES], self.form)
        if self.scores is None:
            return Boxes(corners, None, np.zeros(corners.shape[:-1]))
        if self.scores != self.output:
            values = outputs[self.scores].astype(np.float64).reshape(*corners.shape[:-1], -1)
        else:
            values = table[..., _COORDINATES : self.last]
        classes = table[..., self.last] if self.classes else values.argmax(-1).astype(np.float64)
        return Boxes(corners, values.max(-1), classes)


@dataclass(frozen=True)
class Boxes:
    """Of one run: ``corners`` [images, rows, 4], ``scores`` and ``classes`` [images, rows]."""

    corners: Floats
    scores: Floats | None
    classes: Floats


def find_heads(
    outputs: Arrays, parts: Mapping[str, Sequence[Part]], told: Mapping[str, str] | None = None
) -> list[Head]:
    """Outputs that are boxes.

    Args:
        outputs: of one run of the reference.
        parts: what a final join made outputs of, where it is known.
        told: output name to one of :data:`FORMS`, from the user.

    Raises:
        SignatureError: what was told does not fit.
    """
    told = told or {}
    check_told(told, list(outputs))
    _check_shapes(outputs, told)
    found = []
    for name, values in outputs.items():
        if told.get(name) == "none":
            continue
        if name in told:
            found.append(_told(name, values, cast("Form", told[name]), outputs))
        elif head := _found(name, values, outputs, parts.get(name, ())):
            found.append(head)
    return found


def head_of_rows(outputs: Arrays, told: Mapping[str, str]) -> Head | None:
    """Which of a suppression's outputs are its boxes: rows behind it are boxes, with scores or without.

    Args:
        outputs: of the reference, ``[rows, ...]``; those rows alone that count.
        told: output name to one of :data:`FORMS`, from the user.
    """
    for name, values in outputs.items():
        form = told.get(name)
        if values.dtype.kind != "f" or values.ndim != 2 or values.shape[1] < _COORDINATES or form == "none":
            continue
        chosen = cast("Form", form) if form else _form(values[:, :_COORDINATES].astype(np.float64))
        if chosen is None:
            continue
        table = _table(values, columns_first=False)
        last, classes = _scores(table)
        if last > _COORDINATES:
            return Head(
                name,
                columns_first=False,
                form=chosen,
                scores=name,
                last=last,
                classes=classes,
                probable=True,
                told=bool(form),
            )
        scores = _partner(name, table, outputs)
        probable = scores is not None and _probable(outputs[scores])
        return Head(name, columns_first=False, form=chosen, scores=scores, probable=probable, told=bool(form))
    return None


def still_holds(head: Head, outputs: Arrays, parts: Mapping[str, Sequence[Part]]) -> bool:
    """Whether another run of the reference holds such boxes, too; what a user told is not doubted."""
    if head.told:
        return True
    other = _found(head.output, outputs[head.output], outputs, parts.get(head.output, ()))
    return other is not None and (other.columns_first, other.scores) == (head.columns_first, head.scores)


def check_told(told: Mapping[str, str], outputs: Sequence[str]) -> None:
    """What a user told of boxes against the names that there are.

    Raises:
        SignatureError: an output or a form is unknown.
    """
    for name, form in told.items():
        if name not in outputs:
            raise SignatureError(
                f"boxes: there is no output `{name}`{nearest(name, outputs)}",
                hint=f"outputs: {', '.join(outputs)}",
            )
        if form not in FORMS:
            raise SignatureError(f"boxes: expected {', '.join(FORMS)} for output `{name}`, got `{form}`")


def _check_shapes(outputs: Arrays, told: Mapping[str, str]) -> None:
    for name, form in told.items():
        if form != "none" and not list(_orientations(outputs[name])):
            raise SignatureError(
                f"boxes: output `{name}` is {shape_text(outputs[name].shape)}, expected rows of four numbers or more"
            )


def _told(name: str, values: npt.NDArray[Any], form: Form, outputs: Arrays) -> Head:
    first = next(_orientations(values))
    for columns_first in _orientations(values):
        table = _table(values, columns_first=columns_first)
        if _form(table[..., :_COORDINATES]) is not None:
            first = columns_first
            break
    table = _table(values, columns_first=first)
    last, classes = _scores(table)
    if last > _COORDINATES:
        return Head(name, first, form, name, last, classes, probable=True, told=True)
    scores = _partner(name, table, outputs)
    return Head(name, first, form, scores, probable=scores is not None and _probable(outputs[scores]), told=True)


def _found(name: str, values: npt.NDArray[Any], outputs: Arrays, parts: Sequence[Part]) -> Head | None:
    for columns_first in _orientations(values):
        table = _table(values, columns_first=columns_first)
        boxes = table[..., :_COORDINATES]
        form = _form(boxes) if table.shape[-2] >= _FEWEST or table.shape[-1] == _COORDINATES else None
        if form is None:
            continue
        if table.shape[-1] == _COORDINATES:
            scores = _partner(name, table, outputs)
            if scores is not None and np.abs(boxes.sum(-1) - 1).max(initial=0.0) > _SUM:
                return Head(name, columns_first, form, scores, probable=_probable(outputs[scores]))
            continue
        last, classes = _scores(table)
        joined = any(part.start == _COORDINATES for part in parts)
        whole = last + classes == table.shape[-1]
        # Coordinates in pixels beside scores are of another kind than they; shares of a picture are not.
        if last > _COORDINATES and (joined or (whole and float(boxes.max()) > _COORDINATES)):
            return Head(name, columns_first, form, name, last, classes, probable=True)
    return None


def _orientations(values: npt.NDArray[Any]) -> Iterator[bool]:
    """Whether columns come first: rows of at least four columns can be had of it."""
    if values.dtype.kind != "f" or values.ndim not in (2, 3):
        return
    for columns_first in (False, True):
        columns = values.shape[-2] if columns_first else values.shape[-1]
        if columns >= _COORDINATES and values.size:
            yield columns_first


def _table(values: npt.NDArray[Any], *, columns_first: bool) -> Floats:
    wide = values.astype(np.float64)
    wide = wide if wide.ndim == 3 else wide[None]
    return np.swapaxes(wide, -1, -2) if columns_first else wide


def _form(boxes: Floats) -> Form | None:
    """Which form all rows have; None where it is neither. Rows of zeros are what a list is filled up with."""
    rows = boxes.reshape(-1, _COORDINATES)
    rows = rows[np.any(rows != 0, axis=1)]
    if not len(rows) or not np.isfinite(rows).all():
        return None
    first, second = rows[:, :2], rows[:, 2:]
    if np.all(second >= first) and np.mean(np.all(second > first, axis=1)) > 0.5:
        return "corners"
    size = float(np.abs(rows).max())
    beyond = np.any((first - second / 2 < -_BEYOND * size) | (first < -_BEYOND * size), axis=1)
    if np.all(second > 0) and not beyond.any() and np.mean(np.all(first > 0, axis=1)) > 0.9:
        return "centres"
    return None


def _scores(table: Floats) -> tuple[int, bool]:
    """The column behind the last score, and whether that is the number of a class."""
    if table.shape[-1] == _COORDINATES:
        return _COORDINATES, False
    rest = table[..., _COORDINATES:].reshape(table.shape[0] * table.shape[1], -1)
    within = np.all((rest >= -_SCORE) & (rest <= 1 + _SCORE), axis=0)
    if rest.shape[1] == 2 and within[0] and np.all(rest[:, 1] == np.round(rest[:, 1])) and rest[:, 1].min() >= 0:
        return _COORDINATES + 1, True
    count = len(within) if within.all() else int(np.argmin(within))
    return _COORDINATES + count, False


def _partner(name: str, table: Floats, outputs: Arrays) -> str | None:
    """The output that has a score, or scores by class, for each row: probabilities before anything else."""
    images, rows = table.shape[:2]
    able = [
        other
        for other, values in outputs.items()
        if other != name
        and values.dtype.kind == "f"
        and values.size
        and (values.shape[:2] == (images, rows) or (values.shape[0] == rows and table.shape[0] == 1))
        and values.ndim <= 3
        and not np.all(values == np.round(values))
        and values.shape[-1] != _COORDINATES
    ]
    probable = [one for one in able if _probable(outputs[one])]
    chosen = probable or able
    return chosen[0] if len(chosen) == 1 else None


def _probable(values: npt.NDArray[Any]) -> bool:
    return bool(values.min() >= -_SCORE and values.max() <= 1 + _SCORE)


def _corners(boxes: Floats, form: Form) -> Floats:
    first, second = boxes[..., :2], boxes[..., 2:]
    if form == "centres":
        first, second = first - second / 2, first + second / 2
    return np.concatenate([np.minimum(first, second), np.maximum(first, second)], -1)
