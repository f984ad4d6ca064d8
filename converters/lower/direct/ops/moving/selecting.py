"""What a mask leaves: as many rows as it could leave at most, those that count first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.compacting import places_of
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import DataDependentError, Node
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary, scalar
from edge_sdk.converters.lower.direct.ops.moving.gather import gather, strides_of
from edge_sdk.converters.lower.direct.ops.moving.reshaping import reshape
from edge_sdk.converters.lower.direct.value import Value, plain

Form = Callable[[Builder, Node], Value]


def _non_zero(builder: Builder, node: Node) -> Value:
    """Places along each axis: ``[axes, most]``."""
    x = node.input()
    whole = x if x.dtype == "bool" else binary(builder, "NOT_EQUAL", [x, scalar(builder, 0, x)], "bool")
    mask = builder.filled(builder.arranged(whole), np.False_)
    count = mask.size

    def make() -> Value:
        flat, _length = places_of(builder, builder.reshaped(mask, (count,)))
        rows = [
            _along(builder, flat, stride, extent) for stride, extent in zip(strides_of(x.shape), x.shape, strict=True)
        ]
        laid = [builder.reshaped(row, (1, count)) for row in rows]
        made = laid[0]
        if len(laid) > 1:
            made = builder.emit("CONCATENATION", laid, (len(laid), count), axis=0)
        return plain(builder.cast(made, "int64"))

    return builder.once(("non zero", mask), make)  # type: ignore[no-any-return]


def _along(builder: Builder, flat: Tensor, stride: int, extent: int) -> Tensor:
    """Places in the whole tensor, counted along one of its axes."""
    one = flat
    if stride > 1:
        one = builder.emit("FLOOR_DIV", [one, builder.constant(stride, "int32")], one.shape)
    made = builder.emit("FLOOR_MOD", [one, builder.constant(max(extent, 1), "int32")], one.shape)
    builder.bounds.declare(made, (0, max(extent - 1, 0)))
    return made


def _compress(builder: Builder, node: Node) -> Value:
    """A known mask is a list of indices; another one leaves padded rows."""
    x, mask = node.input(0), node.input(1)
    axis = int(node.attributes["axis"]) % x.rank if "axis" in node.attributes else 0
    source = x if "axis" in node.attributes else reshape(builder, x, (x.tensor.size,))
    if mask.is_constant:
        return gather(builder, source, builder.fixed(np.flatnonzero(mask.data)), axis)
    if builder.padding.of(source.tensor) is not None and mask.shape[0] != source.shape[axis]:
        raise DataDependentError(DEPENDS)
    places, _ = places_of(builder, builder.filled(builder.arranged(mask), np.False_))
    return gather(builder, source, plain(places), axis, never_below=True)


def _refused(builder: Builder, node: Node) -> Value:
    raise DataDependentError(DEPENDS)


DEPENDS = (
    "how many elements it finds depends on data, and a tensor of TFLite has a known shape; keep the whole tensor and "
    "choose by its mask (torch.where, or a product), or do this step outside the model"
)

OPS: dict[str, Form] = {"Compress": _compress, "NonZero": _non_zero, "Unique": _refused}
