"""NonMaxSuppression: as many rows as it can keep at most, of which so many count: see ``padding.py``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.compacting import places_of
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.lengths import counted
from edge_sdk.converters.lower.direct.node import DataDependentError, Node, NoFormError
from edge_sdk.converters.lower.direct.ops.spatial.taps import Maths
from edge_sdk.converters.lower.direct.padding import Rows
from edge_sdk.converters.lower.direct.value import Value, plain

# Ranks up to this one are exact in float32, and boxes far away apart.
_EXACT = 1 << 24
# Neighbours at twice the second number from each other are apart in float32 for as many boxes.
_FAR, _APART = 1e15, 1e10


@dataclass(frozen=True)
class _Sorted:
    """The boxes of each row (a class of an image), best first.

    Attributes:
        places: ``[rows, boxes]`` int32, which box.
        ranks: ``[rows, boxes]`` float32 from ``boxes`` down to 1, 0 for a box whose score is too low; ``[1, boxes]``
            where all rows have the same.
    """

    places: Tensor
    ranks: Tensor


def _non_max_suppression(builder: Builder, node: Node) -> Value:
    """NON_MAX_SUPPRESSION_V4 for each class of each image, on boxes sorted before it.

    The kernel takes equal scores in any order, ONNX the first box first: so it gets ranks for scores. It leaves out
    what overlaps by the threshold or more, ONNX by more than that: so it gets the next float.
    """
    batch, classes, count = node.input(1).shape
    most = min(int(np.ravel(node.constant(2, "max_output_boxes_per_class"))[0]), count) if node.given(2) else 0
    if most < 1:
        raise NoFormError(f"max_output_boxes_per_class {most} keeps no box, and TFLite cannot return what is empty")
    if count > _EXACT:
        raise NoFormError(f"{count} boxes, of which no more than {_EXACT} can be ranked in float32")
    rows = batch * classes
    given = _rows_that_count(builder, node)
    with builder.padding.ignored():
        ordered = _sorted(builder, node, rows, given)
        chosen, valid = _kept(builder, node, ordered, most)
        boxes = builder.emit("GATHER", [ordered.places, chosen], (rows, most), "int32", axis=1, batch_dims=1)
    names = np.indices((batch, classes)).reshape(2, rows, 1).transpose(1, 2, 0)
    labels = builder.constant(np.broadcast_to(names, (rows, most, 2)), "int32")
    whole = builder.emit("CONCATENATION", [labels, builder.reshaped(boxes, (rows, most, 1))], (rows, most, 3), axis=2)
    return _padded(builder, builder.reshaped(whole, (rows * most, 3)), valid, most)


def _rows_that_count(builder: Builder, node: Node) -> Rows | None:
    """Of the boxes, where how many there are depends on data.

    Raises:
        DataDependentError: another axis than that of the boxes is padded.
    """
    boxes, scores = node.input(0), node.input(1)
    found = {}
    for value, axis in ((boxes, 1), (scores, 2)):
        rows = builder.padding.of(value.tensor)
        if rows is not None and rows.axis != value.place(axis):
            raise DataDependentError("how many images or classes there are depends on data")
        if rows is not None:
            found[rows.count] = rows
    if len(found) > 1:
        raise DataDependentError("boxes and scores of which numbers depend on data in two ways")
    return next(iter(found.values()), None)


def _sorted(builder: Builder, node: Node, rows: int, given: Rows | None) -> _Sorted:
    """TOPK_V2 takes the first of equal ones first; padding comes last, and is never taken."""
    scores, maths = node.input(1), Maths(builder)
    count = scores.shape[2]
    flat = builder.reshaped(builder.arranged(scores), (rows, count))
    shape = (rows, count)
    counting = builder.counting(1, 2, count, given.count) if given is not None else None
    if counting is not None:
        lowest = builder.constant(-np.inf, flat.dtype)
        flat = builder.emit("SELECT_V2", [counting, flat, lowest], shape, flat.dtype)
    numbers = builder.constant(count, "int32")
    best, places = builder.emit_many("TOPK_V2", [flat, numbers], [(shape, flat.dtype), (shape, "int32")])
    ranks = builder.constant(np.arange(count, 0, -1, dtype=np.float32)[None])
    if counting is not None:
        ranks = builder.emit("SELECT_V2", [counting, ranks, builder.constant(np.float32(0))], ranks.shape, "float32")
    if not node.given(4):
        return _Sorted(places, ranks)
    enough = maths.two("GREATER", best, builder.reshaped(builder.arranged(node.input(4)), (1, 1)), "bool")
    low = builder.constant(np.float32(0))
    return _Sorted(places, builder.emit("SELECT_V2", [enough, ranks, low], shape, "float32"))


def _kept(builder: Builder, node: Node, ordered: _Sorted, most: int) -> tuple[Tensor, Tensor]:
    """``[rows, most]`` which of the sorted boxes, and ``[rows]`` how many of them."""
    threshold = _threshold(builder, node)
    if threshold.data is None:
        found, every = _suppressed(builder, node, ordered, most), _first(builder, ordered, most)
        whole = Maths(builder).two("GREATER_EQUAL", threshold, 1.0, "bool")
        pairs = zip(every, found, strict=True)
        first, second = (builder.emit("SELECT_V2", [whole, a, b], b.shape, b.dtype) for a, b in pairs)
        return first, second
    overlapping = float(threshold.data.reshape(-1)[0]) < 1
    return _suppressed(builder, node, ordered, most) if overlapping else _first(builder, ordered, most)


def _first(builder: Builder, ordered: _Sorted, most: int) -> tuple[Tensor, Tensor]:
    """The best of each row: no two boxes overlap by more than 1, and the kernel takes none as its threshold."""
    maths, rows = Maths(builder), ordered.places.shape[0]
    chosen = builder.constant(np.tile(np.arange(most, dtype=np.int32), (rows, 1)))
    enough = builder.cast(maths.two("GREATER", ordered.ranks, 0.0, "bool"), "int32")
    axis = builder.constant([1], "int32")
    number = builder.emit("SUM", [enough, axis], enough.shape[:1], "int32", keep_dims=False)
    each = maths.two("MINIMUM", number, most)
    return chosen, each if each.shape[0] == rows else maths.two("ADD", each, np.zeros(rows))


def _suppressed(builder: Builder, node: Node, ordered: _Sorted, most: int) -> tuple[Tensor, Tensor]:
    """By the kernel, as :func:`_kept`."""
    rows, count = ordered.places.shape
    batch = node.input(0).shape[0]
    corners = _corners(builder, node)
    index = builder.reshaped(ordered.places, (batch, rows // batch * count))
    shape = (*index.shape, 4)
    laid = builder.emit("GATHER", [corners, index], shape, corners.dtype, axis=1, batch_dims=1)
    boxes = _each(builder, builder.reshaped(laid, (rows, count, 4)))
    ranks = _each(builder, ordered.ranks)
    beyond = _next_float(builder, _threshold(builder, node))
    limits = [builder.constant(most, "int32"), beyond, builder.constant(np.float32(0))]
    results = [((most,), "int32"), ((), "int32")]
    found = [
        builder.emit_many("NON_MAX_SUPPRESSION_V4", [own, ranks[i % len(ranks)], *limits], results)
        for i, own in enumerate(boxes)
    ]
    return _packed(builder, [one for one, _ in found]), _packed(builder, [one for _, one in found])


def _corners(builder: Builder, node: Node) -> Tensor:
    """``[batch, boxes, 4]``: two opposite corners.

    As in the standard, halves of the sides are added to and taken from a centre. A box without an area overlaps none;
    the kernel, which takes a box off its list by its overlap with itself, would keep it again and again: in its place
    stands one that is far from all others.
    """
    boxes, centred = builder.arranged(node.input(0)), bool(int(node.attribute("center_point_box", 0)))
    maths, shape, axis = Maths(builder), (*boxes.shape[:2], 2), builder.constant(2, "int32")
    low, high = builder.emit_many("SPLIT", [axis, boxes], [(shape, boxes.dtype)] * 2, num_splits=2)
    if centred:
        half = maths.two("MUL", high, 0.5)
        low, high = (maths.two(kind, low, half) for kind in ("SUB", "ADD"))
        boxes = builder.emit("CONCATENATION", [low, high], boxes.shape, boxes.dtype, axis=2)
    sides = maths.two("SUB", high, low)
    sides = sides if centred else maths.one("ABS", sides)
    last, one = builder.constant([2], "int32"), (*shape[:2], 1)
    least, area = (
        builder.emit(kind, [sides, last], one, sides.dtype, keep_dims=True) for kind in ("REDUCE_MIN", "REDUCE_PROD")
    )
    empty = maths.two("LESS_EQUAL", maths.two("MINIMUM", least, area), 0.0, "bool")
    return builder.emit("SELECT_V2", [empty, _far_away(builder, shape[1]), boxes], boxes.shape, boxes.dtype)


def _far_away(builder: Builder, count: int) -> Tensor:
    """``[1, count, 4]``: boxes that overlap neither each other nor any of coordinates below 1e15."""
    begin = _FAR + 2 * _APART * np.arange(count)
    rows = np.stack([np.zeros(count), begin, np.ones(count), begin + _APART], -1)
    return builder.constant(rows[None], "float32")


def _threshold(builder: Builder, node: Node) -> Tensor:
    """Of overlaps, a scalar; 0 where none is given.

    Raises:
        NoFormError: it is no share.
    """
    if not node.given(3):
        return builder.constant(np.float32(0))
    tensor = builder.reshaped(builder.arranged(node.input(3)), ())
    if tensor.data is not None and not 0 <= float(tensor.data) <= 1:
        raise NoFormError(f"an iou_threshold of {float(tensor.data):g}, which ONNX has from 0 to 1")
    return tensor


def _next_float(builder: Builder, number: Tensor) -> Tensor:
    """The float after one that is not negative: of one that comes with the data by its bits."""
    if number.data is not None:
        return builder.constant(np.nextafter(np.float32(number.data), np.float32(np.inf)))
    bits = Maths(builder).two("ADD", builder.emit("BITCAST", [number], (), "int32"), 1)
    return builder.emit("BITCAST", [bits], (), "float32")


def _each(builder: Builder, tensor: Tensor) -> list[Tensor]:
    """What lies along the first axis."""
    shape = tensor.shape[1:]
    if tensor.shape[0] == 1:
        return [builder.reshaped(tensor, shape)]
    count = tensor.shape[0]
    return list(builder.emit_many("UNPACK", [tensor], [(shape, tensor.dtype)] * count, num=count, axis=0))


def _packed(builder: Builder, tensors: list[Tensor]) -> Tensor:
    shape = (len(tensors), *tensors[0].shape)
    if len(tensors) == 1:
        return builder.reshaped(tensors[0], shape)
    return builder.emit("PACK", tensors, shape, values_count=len(tensors), axis=0)


def _padded(builder: Builder, rows: Tensor, valid: Tensor, most: int) -> Value:
    """Rows that count first, in order."""
    total = rows.shape[0]
    if valid.shape[0] > 1:
        inside = builder.constant(np.arange(most, dtype=np.int32)[None])
        counts = Maths(builder).two("LESS", inside, builder.reshaped(valid, (valid.shape[0], 1)), "bool")
        places, count = places_of(builder, builder.reshaped(counts, (total,)))
        with builder.padding.ignored():
            rows = builder.emit("GATHER", [rows, places], rows.shape, rows.dtype, axis=0, batch_dims=0)
    else:
        count = counted(builder.reshaped(valid, ()), total)
    builder.padding.declare(rows, 0, count)
    return plain(builder.cast(rows, "int64"))


OPS = {"NonMaxSuppression": _non_max_suppression}
