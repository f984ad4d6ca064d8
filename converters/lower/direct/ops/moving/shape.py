"""What moves, joins, cuts and repeats values without computing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from edge_sdk.converters.lower.direct.bodies import copied
from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.compacting import joined_places
from edge_sdk.converters.lower.direct.fitting import contradiction, not_filled
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.lengths import Length, Size, least, most_of, total, whole_of
from edge_sdk.converters.lower.direct.node import DataDependentError, Node, NoFormError
from edge_sdk.converters.lower.direct.ops.arithmetic.reduction import with_axis, without_axes
from edge_sdk.converters.lower.direct.ops.moving.reshaping import reshape
from edge_sdk.converters.lower.direct.ops.moving.sizes import padded_along, sizes_of
from edge_sdk.converters.lower.direct.ops.windows import cropped, image_tensor, image_value, pad
from edge_sdk.converters.lower.direct.value import Value, channels_last, inverse

Form = Callable[[Builder, Node], Value | list[Value]]


def _reshape(builder: Builder, node: Node) -> Value:
    x = node.input()
    wanted = [most_of(size) for size in sizes_of(builder, node, "shape", 1)]
    zero_stays = bool(node.attribute("allowzero", 0))
    shape = [x.shape[i] if size == 0 and not zero_stays else size for i, size in enumerate(wanted)]
    return reshape(builder, x, _without_open(shape, x.tensor.size, builder.origin))


def _without_open(shape: Sequence[int], size: int, origin: str) -> tuple[int, ...]:
    known = int(np.prod([extent for extent in shape if extent != -1], dtype=np.int64))
    made = tuple(size // max(known, 1) if extent == -1 else extent for extent in shape)
    if int(np.prod(made, dtype=np.int64)) != size:
        raise not_filled(origin, size, shape)
    return made


def _flatten(builder: Builder, node: Node) -> Value:
    x = node.input()
    axis = int(node.attribute("axis", 1))
    axis = axis + x.rank if axis < 0 else axis
    rows = int(np.prod(x.shape[:axis], dtype=np.int64))
    return reshape(builder, x, (rows, int(np.prod(x.shape[axis:], dtype=np.int64))))


def _squeeze(builder: Builder, node: Node) -> Value:
    x = node.input()
    axes = node.ints("axes", 1)
    gone = [i for i, size in enumerate(x.shape) if size == 1] if axes is None else axes
    return without_axes(builder, x, gone)


def _unsqueeze(builder: Builder, node: Node) -> Value:
    x = node.input()
    axes = node.ints("axes", 1) or []
    rank = x.rank + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = with_axis(builder, x, axis)
    return x


def _transpose(builder: Builder, node: Node) -> Value:
    x = node.input()
    return transpose(x, node.attribute("perm", list(range(x.rank))[::-1]))


def transpose(x: Value, permutation: Sequence[int]) -> Value:
    """The source's axes in another order: a matter of names until some op wants them so in memory."""
    to = inverse(permutation)
    order = tuple(to[axis] for axis in x.order)
    return Value(x.tensor, order, x.spatial and order == channels_last(x.rank))


def _concat(builder: Builder, node: Node) -> Value:
    values = [value for value in node.inputs if value is not None]
    return concat(builder, values, int(node.attribute("axis", 1)))


def concat(builder: Builder, values: Sequence[Value], axis: int) -> Value:
    """Values side by side along an axis of the source."""
    across = {tuple(np.delete(value.shape, axis)) for value in values}
    if len(across) > 1:
        raise contradiction(builder.origin, [value.shape for value in values], f"differ beside axis {axis}")
    values = [value for value in values if value.shape[axis]] or list(values[:1])
    if len(values) == 1:
        return values[0]
    running = [value for value in values if not value.is_constant] or list(values)
    lead = min(running, key=lambda value: not value.spatial)
    tensors = [builder.arranged(value, lead.order) for value in values]
    place = lead.place(axis)
    shape = list(tensors[0].shape)
    shape[place] = sum(tensor.shape[place] for tensor in tensors)
    rows = [builder.padding.of(tensor) for tensor in tensors]
    if any(one is not None and one.axis == place for one in rows):
        return Value(_joined_rows(builder, tensors, place, shape), lead.order, lead.spatial)
    made = builder.emit("CONCATENATION", tensors, shape, axis=place)
    return Value(made, lead.order, lead.spatial)


def _joined_rows(builder: Builder, tensors: Sequence[Tensor], place: int, shape: Sequence[int]) -> Tensor:
    """Parts of which not all rows count, then those that do at the front."""
    rows = [builder.padding.of(tensor) for tensor in tensors]
    if any(one is not None and one.axis != place for one in rows):
        raise DataDependentError("parts whose number of rows depends on data, along two axes")
    parts = [
        (t.shape[place], t.shape[place] if one is None else one.count) for t, one in zip(tensors, rows, strict=True)
    ]
    with builder.padding.ignored():
        whole = builder.emit("CONCATENATION", tensors, shape, axis=place)
    count = total([size for _, size in parts])
    if all(one is None for one in rows[:-1]):
        return builder.padding.declare(whole, place, count)
    with builder.padding.ignored():
        places = joined_places(builder, parts)
        made = builder.emit("GATHER", [whole, places], shape, whole.dtype, axis=place, batch_dims=0)
    return builder.padding.declare(made, place, count)


def _split(builder: Builder, node: Node) -> list[Value]:
    x = node.input()
    axis = int(node.attribute("axis", 0)) % x.rank
    sizes = node.ints("split", 1)
    if sizes is None:
        count = int(node.attribute("num_outputs", len(node.outputs)))
        chunk = -(-x.shape[axis] // count)
        sizes = [min(chunk, x.shape[axis] - chunk * i) for i in range(count)]
    return split(builder, x, axis, sizes)


def split(builder: Builder, x: Value, axis: int, sizes: Sequence[int]) -> list[Value]:
    """Parts of the value along an axis of the source."""
    place = x.place(axis)
    shapes = [(*x.tensor.shape[:place], size, *x.tensor.shape[place + 1 :]) for size in sizes]
    results = [(shape, x.dtype) for shape in shapes]
    where = builder.constant(place, "int32")
    if len(set(sizes)) == 1:
        made = builder.emit_many("SPLIT", [where, x.tensor], results, num_splits=len(sizes))
    else:
        extents = builder.constant(sizes, "int32")
        made = builder.emit_many("SPLIT_V", [x.tensor, extents, where], results, num_splits=len(sizes))
    return [Value(tensor, x.order, x.spatial) for tensor in made]


def _slice(builder: Builder, node: Node) -> Value:
    x = node.input()
    starts, sizes = node.ints("starts", 1) or [], sizes_of(builder, node, "ends", 2)
    axes = node.ints("axes", 3, range(len(starts))) or []
    steps = node.ints("steps", 4, [1] * len(starts)) or []
    ends = [most_of(size) for size in sizes]
    for start, end, axis in zip(starts, ends, axes, strict=True):
        if (start < 0 or end < 0) and padded_along(builder, x, axis % x.rank):
            raise DataDependentError("it counts from the end of rows whose number depends on data")
    if any(isinstance(size, Length) for size in sizes):
        return _cut_rows(builder, x, (starts, sizes, axes, steps))
    rows = {
        axis % x.rank: range(*slice(*_clamped(start, end, step, x.shape[axis])).indices(x.shape[axis]))
        for start, end, axis, step in zip(starts, ends, axes, steps, strict=True)
    }
    return sliced(builder, x, rows)


def _cut_rows(
    builder: Builder, x: Value, where: tuple[Sequence[int], Sequence[Size], Sequence[int], Sequence[int]]
) -> Value:
    """The first rows of an axis, as many as data says."""
    starts, ends, axes, steps = where
    if len(starts) != 1 or starts[0] != 0 or steps[0] != 1:
        raise DataDependentError("which rows it takes depends on data, and they are not the first of one axis")
    axis = axes[0] % x.rank
    rows = builder.padding.of(x.tensor)
    own = rows.count if rows is not None and padded_along(builder, x, axis) else x.shape[axis]
    size = least(own, ends[0])
    made = sliced(builder, x, {axis: range(most_of(size))})
    if made is x:
        made = Value(copied(builder, x.tensor), x.order, x.spatial)
    builder.padding.forget(made.tensor, made.place(axis))
    builder.padding.declare(made.tensor, made.place(axis), size)
    return made


def _clamped(start: int, end: int, step: int, size: int) -> tuple[int, int | None, int]:
    """ONNX's bounds as Python's, where an end before the first element is None."""
    if step < 0 and (end + size < 0 if end < 0 else False):
        return start, None, step
    return start, end, step


def sliced(builder: Builder, x: Value, rows: dict[int, range]) -> Value:
    """Elements of some of the source's axes: SLICE where they are neighbours, else STRIDED_SLICE."""
    tensor = x.tensor
    ranges = [rows.get(axis, range(size)) for axis, size in zip(x.order, tensor.shape, strict=True)]
    if all(r == range(size) for r, size in zip(ranges, tensor.shape, strict=True)):
        return x
    shape = [len(r) for r in ranges]
    if x.is_constant:
        return Value(
            builder.constant(tensor.data[np.ix_(*ranges)] if tensor.data is not None else 0), x.order, x.spatial
        )
    if all(r.step == 1 for r in ranges) and all(shape):
        ends = [size - r.stop for r, size in zip(ranges, tensor.shape, strict=True)]
        return Value(cropped(builder, tensor, [r.start for r in ranges], ends), x.order, x.spatial)
    return Value(_strided(builder, x, ranges, shape), x.order, x.spatial)


def _strided(builder: Builder, x: Value, ranges: Sequence[range], shape: Sequence[int]) -> Any:
    # An end before the first element can only be said by the mask.
    open_ends = sum(1 << i for i, r in enumerate(ranges) if r.stop < 0)
    bounds = [[r.start for r in ranges], [max(r.stop, 0) for r in ranges], [r.step for r in ranges]]
    return builder.emit(
        "STRIDED_SLICE",
        [x.tensor, *(builder.constant(numbers, "int32") for numbers in bounds)],
        shape,
        end_mask=open_ends,
    )


def _pad(builder: Builder, node: Node) -> Value:
    x = node.input()
    if (whole := _filled_up(builder, node, x)) is not None:
        return whole
    begins, ends = _pads(node, x.rank)
    mode = node.attribute("mode", "constant")
    begins, ends = ([numbers[axis] for axis in x.order] for numbers in (begins, ends))
    tensor = cropped(builder, x.tensor, [max(-b, 0) for b in begins], [max(-e, 0) for e in ends])
    begins, ends = [max(b, 0) for b in begins], [max(e, 0) for e in ends]
    if mode == "constant" and node.given(2) and not node.input(2).is_constant:
        made = _filled(builder, tensor, (begins, ends), node.input(2))
    elif mode == "constant":
        made = pad(builder, tensor, begins, ends, _filling(node))
    elif mode == "reflect":
        made = _mirrored(builder, tensor, begins, ends)
    else:
        made = _extended(builder, Value(tensor, tuple(range(x.rank))), begins, ends, wraps=mode == "wrap").tensor
    return Value(made, x.order, x.spatial)


def _filled_up(builder: Builder, node: Node, x: Value) -> Value | None:
    """Rows of which only so many count, with others behind them up to a known number: all count then.

    ``pad(rows, (0, 300 - len(rows)))`` is how a detector returns as many rows always.
    """
    rows = builder.padding.of(x.tensor)
    cells = builder.cells(node.input(1)) if node.given(1) else None
    if rows is None or cells is None or node.given(3) or node.attribute("mode", "constant") != "constant":
        return None
    axis = x.order[rows.axis]
    others = [cell for place, cell in enumerate(cells.reshape(-1)) if place != x.rank + axis]
    more = cells.reshape(-1)[x.rank + axis]
    extent = whole_of(rows.count, more) if isinstance(more, Length) else None
    if extent is None or any(isinstance(cell, Length) or cell for cell in others):
        return None
    number, behind = _filling(node), [0] * x.rank
    behind[rows.axis] = extent - x.tensor.shape[rows.axis]
    with builder.padding.ignored():
        made = pad(builder, builder.filled(x.tensor, number), [0] * x.rank, behind, number)
    return Value(made, x.order, x.spatial)


def _pads(node: Node, rank: int) -> tuple[list[int], list[int]]:
    """Borders before and after each axis of the source."""
    pads = node.ints("pads", 1) or node.ints("paddings", 1) or []
    axes = [axis % rank for axis in (node.ints("axes", 3) or range(rank))]
    begins, ends = [0] * rank, [0] * rank
    for i, axis in enumerate(axes):
        begins[axis], ends[axis] = pads[i], pads[i + len(axes)]
    return begins, ends


def _filled(builder: Builder, tensor: Any, borders: tuple[list[int], list[int]], number: Value) -> Any:
    """Borders of a number that only the running file knows."""
    shape = [size + b + e for size, b, e in zip(tensor.shape, *borders, strict=True)]
    rows = builder.constant(np.array(borders, np.int32).T)
    return builder.emit("PADV2", [tensor, rows, builder.reshaped(number.tensor, ())], shape)


def _filling(node: Node) -> Any:
    if node.given(2):
        return node.constant(2, "the values that fill borders").reshape(-1)[0]
    return node.attribute("value", 0.0)


def _mirrored(builder: Builder, tensor: Any, begins: Sequence[int], ends: Sequence[int]) -> Any:
    """MIRROR_PAD, as often as a border wider than the image needs."""
    while any(begins) or any(ends):
        now = [[min(n, size - 1) for n, size in zip(side, tensor.shape, strict=True)] for side in (begins, ends)]
        shape = [size + b + e for size, b, e in zip(tensor.shape, *now, strict=True)]
        rows = builder.constant(np.array(now, np.int32).T)
        tensor = builder.emit("MIRROR_PAD", [tensor, rows], shape, mode="REFLECT")
        begins, ends = (
            [n - m for n, m in zip(side, done, strict=True)] for side, done in zip((begins, ends), now, strict=True)
        )
    return tensor


def _extended(builder: Builder, x: Value, begins: Sequence[int], ends: Sequence[int], *, wraps: bool) -> Value:
    """Borders of the outermost elements, or of the other end's."""
    for axis, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        size = x.shape[axis]
        if wraps:
            before, after = range(size - begin, size), range(end)
            if begin > size or end > size:
                raise NoFormError(f"a border of {max(begin, end)} that wraps round an axis of {size}")
            parts = [sliced(builder, x, {axis: r}) for r in (before, range(size), after) if len(r)]
        else:
            first, last = (sliced(builder, x, {axis: range(i, i + 1)}) for i in (0, size - 1))
            parts = [*[first] * begin, x, *[last] * end]
        x = concat(builder, parts, axis)
    return x


def _depth_to_space(builder: Builder, node: Node) -> Value:
    """DEPTH_TO_SPACE is DCR; CRD has its channels the other way round, which a reshape and an order say."""
    x, block = node.input(), int(node.attribute("blocksize"))
    n, c, h, w = x.shape
    if node.attribute("mode", "DCR") == "DCR":
        image = image_tensor(builder, x)
        shape = (n, h * block, w * block, c // block**2)
        return image_value(builder.emit("DEPTH_TO_SPACE", [image], shape, block_size=block))
    # From c * b * b to b * b * c, so that the op reads its own order.
    image = image_tensor(builder, x)
    parts = builder.reshaped(image, (n, h * w, c // block**2, block**2))
    turned = builder.reshaped(builder.transposed(parts, (0, 1, 3, 2)), (n, h, w, c))
    shape = (n, h * block, w * block, c // block**2)
    return image_value(builder.emit("DEPTH_TO_SPACE", [turned], shape, block_size=block))


def _space_to_depth(builder: Builder, node: Node) -> Value:
    x, block = node.input(), int(node.attribute("blocksize"))
    n, c, h, w = x.shape
    shape = (n, h // block, w // block, c * block**2)
    return image_value(builder.emit("SPACE_TO_DEPTH", [image_tensor(builder, x)], shape, block_size=block))


def _pass_on(builder: Builder, node: Node) -> list[Value]:
    """Dropout as it is when it does not train: its mask is all true.

    Raises:
        NoFormError: it trains, and draws random numbers.
    """
    x = node.input()
    if node.given(2):
        ratio = float(node.constant(1, "the ratio").reshape(-1)[0]) if node.given(1) else 0.5
        if ratio and bool(node.constant(2, "`training_mode`").reshape(-1)[0]):
            raise NoFormError("a dropout that trains draws random numbers: no two runs agree")
    wants_mask = len(node.outputs) > 1 and node.outputs[1]
    return [x, builder.fixed(np.ones(x.shape, np.bool_))] if wants_mask else [x]


def stacked(builder: Builder, values: Iterable[Value], axis: int) -> Value:
    """Values side by side along a new axis."""
    return concat(builder, [with_axis(builder, value, axis) for value in values], axis)


OPS: dict[str, Form] = {
    "Concat": _concat,
    "DepthToSpace": _depth_to_space,
    "Dropout": _pass_on,
    "Flatten": _flatten,
    "Pad": _pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
