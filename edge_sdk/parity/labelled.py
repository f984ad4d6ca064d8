"""Accuracy of source and file where the data's folders tell each sample's class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from edge_sdk.parity.classes import is_class_like
from edge_sdk.signature import Arrays


@dataclass(frozen=True)
class Labelled:
    """Shares of samples whose largest score is their own class, 0 to 1; measured.

    Attributes:
        output: of the scores.
        samples: that were compared.
        classes: that the data has.
        source: share in the source.
        file: share in the file.
    """

    output: str
    samples: int
    classes: int
    source: float
    file: float

    @property
    def is_chance(self) -> bool:
        """Whether the source does no better than guessing: its classes may be numbered otherwise."""
        return self.source <= 1.5 / max(self.classes, 1)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return dict(vars(self))


def labelled(classes: Sequence[int], outputs: Iterable[tuple[Arrays, Arrays]]) -> Labelled | None:
    """Counts what both get right; None where no output can be scores of these classes, or several can.

    Args:
        classes: of each sample.
        outputs: of each sample: the source's, and the file's.
    """
    if not classes:
        return None
    right: dict[str, list[int]] = {}
    count = 0
    for label, (expected, got) in zip(classes, outputs, strict=True):
        count += 1
        for name, values in expected.items():
            if is_class_like(values) and values.shape[0] == 1 and values.shape[1] > max(classes):
                both = right.setdefault(name, [0, 0])
                both[0] += int(values[0].argmax() == label)
                both[1] += int(got[name][0].argmax() == label)
    if len(right) != 1:
        return None
    ((name, (source, file)),) = right.items()
    return Labelled(name, count, len(set(classes)), source / count, file / count)


def by_label(classes: Sequence[int], names: Sequence[str], labels: Sequence[str]) -> tuple[int, ...]:
    """Classes numbered as a model's labels are, where each subfolder is named as one of them; else as they are.

    Args:
        classes: of each sample, places in ``names``, or the numbers that ``names`` are.
        names: of the subfolders.
        labels: of the model's classes in their order; may be empty.
    """
    if not names or not set(names) <= set(labels) or all(name.isdigit() for name in names):
        return tuple(classes)
    places = {place: labels.index(name) for place, name in enumerate(names)}
    return tuple(places[one] for one in classes)
