"""Rows that a mask leaves, brought to the front: how a selection whose length depends on data becomes padded rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.lengths import Length, Size, counted


def places_of(builder: Builder, mask: Tensor) -> tuple[Tensor, Length]:
    """Where a mask holds, in order, and how many places that are.

    Every place goes to the sum of the marks before it, those without a mark to one row behind all others.

    Args:
        builder: what makes ops.
        mask: bool ``[N]``.

    Returns:
        int32 ``[N]``, padded, of which padding is 0; and its length.
    """

    def make() -> tuple[Tensor, Length]:
        count = mask.shape[0]
        axis = builder.constant([0], "int32")
        marks = builder.cast(mask, "int32")
        number = builder.emit("SUM", [marks, axis], (), "int32", keep_dims=False)
        sums = builder.emit("CUMSUM", [marks, builder.constant(0, "int32")], (count,), exclusive=True, reverse=False)
        behind = builder.constant(count, "int32")
        to = builder.emit("SELECT_V2", [mask, sums, behind], (count,), "int32")
        own = builder.emit("MUL", [builder.constant(np.arange(count, dtype=np.int32)), marks], (count,))
        shape = builder.constant([count + 1], "int32")
        index = builder.reshaped(to, (count, 1))
        whole = builder.emit("SCATTER_ND", [index, own, shape], (count + 1,), "int32")
        places = builder.emit("SLICE", [whole, axis, builder.constant([count], "int32")], (count,))
        builder.bounds.declare(places, (0, max(count - 1, 0)))
        return places, counted(number, count)

    places, length = builder.once(("places", mask), make)
    return builder.padding.declare(places, 0, length), length


def joined_places(builder: Builder, parts: Sequence[tuple[int, Size]]) -> Tensor:
    """Where rows that count stand, when parts of which not all count lie side by side.

    Args:
        builder: what makes ops.
        parts: the extent of each, and how many of its first rows count.

    Returns:
        int32 ``[sum of extents]``, padded.
    """

    def make() -> Tensor:
        extents = [extent for extent, _ in parts]
        part = builder.constant(np.repeat(np.arange(len(parts)), extents), "int32")
        within = builder.constant(np.concatenate([np.arange(extent) for extent in extents]), "int32")
        sizes = builder.lengths([size for _, size in parts])
        own = builder.emit("GATHER", [sizes, part], part.shape, "int32", axis=0, batch_dims=0)
        return places_of(builder, builder.emit("LESS", [within, own], part.shape, "bool"))[0]

    return builder.once(("joined", tuple(parts)), make)  # type: ignore[no-any-return]
