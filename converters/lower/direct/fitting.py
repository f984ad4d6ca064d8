"""Shapes that must fit each other: a graph whose shapes contradict is the user's to mend, and is told where."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

import numpy as np

from edge_sdk.errors import ModelError

_HINT = (
    "check the shapes of the model's inputs and weights; onnx.checker with full_check=True may tell more. A branch "
    "that these inputs never take is folded away by --fix-input NAME=VALUE"
)


def broadcast(origin: str, shapes: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The shape that all broadcast to.

    Raises:
        ModelError: there is none.
    """
    try:
        return tuple(int(extent) for extent in np.broadcast_shapes(*map(tuple, shapes)))
    except ValueError as error:
        raise contradiction(origin, shapes, "do not broadcast to one") from error


def contradiction(origin: str, shapes: Sequence[Sequence[int]], why: str) -> ModelError:
    """The user's error for shapes that meet in a node and do not fit."""
    listed = " and ".join(str(list(shape)) for shape in shapes)
    return ModelError(f"at `{origin}` the graph's shapes contradict each other: {listed} {why}", hint=_HINT)


def not_filled(origin: str, size: int, shape: Sequence[int]) -> ModelError:
    """The user's error for a reshape that values do not fill: often a graph that takes several samples at once."""
    known = int(np.prod([extent for extent in shape if extent != -1], dtype=np.int64))
    batch = known // gcd(known, size) if known and size else 0
    hint = f"if the graph takes several samples at once, as pairs or turned copies: --batch {batch}. Else {_HINT}"
    return ModelError(
        f"at `{origin}` the graph's shapes contradict each other: {size} elements do not fill the shape {list(shape)}",
        hint=hint if batch > 1 else _HINT,
    )
