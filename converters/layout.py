"""Names and layout of a file's inputs and outputs, against those of its source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_sdk.data.store import SampleStore
from edge_sdk.signature import Arrays


@dataclass(frozen=True)
class Port:
    """One input or output of a file.

    Attributes:
        name: the source's.
        axes: how the source's array is transposed to the file's (``numpy.transpose``); None where it is not.
        tensor: its index in the main subgraph; None where its place in the list says it.
    """

    name: str
    axes: tuple[int, ...] | None = None
    tensor: int | None = None

    def as_json(self) -> dict[str, Any]:
        """What a reader of the file needs: name and axes."""
        return {"name": self.name, "axes": list(self.axes) if self.axes else None}


Axes = Mapping[str, Sequence[int] | None]


def laid_out(samples: str, axes: Axes) -> Iterator[Arrays]:
    """Samples of a store in the file's layout."""
    for sample in SampleStore.open(samples):
        yield {name: applied(values, axes.get(name)) for name, values in sample.items()}


def applied(values: Any, axes: Sequence[int] | None) -> Any:
    """Values of the source in the file's layout."""
    return values if axes is None else np.ascontiguousarray(np.transpose(values, axes))


def undone(values: Any, axes: Sequence[int] | None) -> Any:
    """Values of a file in the source's layout."""
    return values if axes is None else np.transpose(values, np.argsort(axes))
