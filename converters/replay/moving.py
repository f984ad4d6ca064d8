"""Kernels of ops that move values and compute none; see :mod:`.ops`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_sdk.errors import TrainingError

if TYPE_CHECKING:
    from edge_sdk.converters.replay.steps import Step


def constant(value: Any) -> Any:
    """An operand that must be known beforehand: plain numpy."""
    return np.asarray(value)


def out(b: Any, step: Step, x: Any) -> Any:
    return b.reshape(x, (-1, *step.shapes[0]))


def reshape(b: Any, step: Step, args: list[Any]) -> list[Any]:
    return [out(b, step, args[0])]


def transpose(b: Any, step: Step, args: list[Any]) -> list[Any]:
    order = (0, *(int(a) + 1 for a in constant(args[1])))
    return [out(b, step, b.transpose(args[0], order))]


def pad(b: Any, step: Step, args: list[Any]) -> list[Any]:
    paddings = [(0, 0), *((int(low), int(high)) for low, high in constant(args[1]))]
    value = float(constant(b.number(args[2])).reshape(-1)[0]) if len(args) > 2 and args[2] is not None else 0.0
    return [b.pad(args[0], paddings, value)]


def mirror_pad(b: Any, step: Step, args: list[Any]) -> list[Any]:
    x, edge = args[0], int(step.op.options.get("mode", 0))
    for axis, (low, high) in enumerate(constant(args[1]).tolist(), 1):
        size = b.shape(x)[axis]
        positions = np.pad(np.arange(size), (low, high), mode="symmetric" if edge else "reflect")
        x = b.take(x, positions, axis) if low or high else x
    return [x]


def pack(b: Any, step: Step, args: list[Any]) -> list[Any]:
    axis = step.op.options.get("axis", 0) % len(step.shapes[0]) + 1
    return [b.concat([b.expand(a, axis) for a in b.same_samples(args)], axis)]


def unpack(b: Any, step: Step, args: list[Any]) -> list[Any]:
    rank = len(b.shape(args[0])) - 1
    axis = step.op.options.get("axis", 0) % rank + 1
    count = b.shape(args[0])[axis]
    parts = b.split(args[0], [1] * count, axis)
    return [b.reshape(p, (-1, *shape)) for p, shape in zip(parts, step.shapes, strict=True)]


def split(b: Any, step: Step, args: list[Any]) -> list[Any]:
    axis, x = int(constant(args[0]).reshape(-1)[0]), args[1]
    axis = axis % (len(b.shape(x)) - 1) + 1
    return list(b.split(x, [shape[axis - 1] for shape in step.shapes], axis))


def split_v(b: Any, step: Step, args: list[Any]) -> list[Any]:
    return split(b, step, [args[2], args[0]])


def slice_out(b: Any, step: Step, args: list[Any]) -> list[Any]:
    begins = [int(v) for v in constant(args[1])]
    parts = [slice(begin, begin + extent) for begin, extent in zip(begins, step.shapes[0], strict=True)]
    whole = (slice(None), *parts)
    return [args[0][whole]]


def strided_slice(b: Any, step: Step, args: list[Any]) -> list[Any]:
    begins, ends, strides = ([int(v) for v in constant(a)] for a in args[1:4])
    options = step.op.options
    x = args[0]
    for axis, (begin, end, stride) in enumerate(zip(begins, ends, strides, strict=True)):
        size, bit = b.shape(x)[axis + 1], 1 << axis
        first = None if options.get("begin_mask", 0) & bit else begin
        last = None if options.get("end_mask", 0) & bit else end
        positions = np.arange(size)[first:last:stride]
        if options.get("shrink_axis_mask", 0) & bit:
            positions = np.arange(size)[[begin]]
        if len(positions) != size or stride < 0:
            x = b.take(x, positions, axis + 1)
    return [out(b, step, x)]


def gather(b: Any, step: Step, args: list[Any]) -> list[Any]:
    x, indices = args
    rank = len(b.shape(x)) - 1
    axis = step.op.options.get("axis", 0) % rank
    if isinstance(indices, np.ndarray):
        return [out(b, step, b.take(x, indices.reshape(-1), axis + 1))]
    if axis or step.op.options.get("batch_dims", 0):
        raise TrainingError(
            "GATHER of computed indices along an inner axis cannot be trained through",
            hint="take recipe static_wi8_ai8, or replace it in the source model",
        )
    return [out(b, step, b.lookup(b.first_sample(x), indices))]


def embedding(b: Any, step: Step, args: list[Any]) -> list[Any]:
    indices, table = args
    if isinstance(indices, np.ndarray):
        return [out(b, step, b.take(table, indices.reshape(-1), 1))]
    return [out(b, step, b.lookup(b.first_sample(table), indices))]


def space_to_batch(b: Any, step: Step, args: list[Any]) -> list[Any]:
    blocks = [int(k) for k in constant(args[1])]
    around = [(int(low), int(high)) for low, high in constant(args[2])]
    rest = len(b.shape(args[0])) - 2 - len(blocks)
    x = b.pad(args[0], [(0, 0), (0, 0), *around, *[(0, 0)] * rest], 0.0)
    _, batch, *extents = b.shape(x)
    sides, kept = extents[: len(blocks)], extents[len(blocks) :]
    split = [part for side, k in zip(sides, blocks, strict=True) for part in (side // k, k)]
    x = b.reshape(x, (-1, batch, *split, *kept))
    inner, outer = range(3, 3 + 2 * len(blocks), 2), range(2, 2 + 2 * len(blocks), 2)
    last = range(2 + 2 * len(blocks), 2 + 2 * len(blocks) + len(kept))
    return [out(b, step, b.transpose(x, (0, *inner, 1, *outer, *last)))]


def batch_to_space(b: Any, step: Step, args: list[Any]) -> list[Any]:
    blocks = [int(k) for k in constant(args[1])]
    crops = [(int(low), int(high)) for low, high in constant(args[2])]
    _, batch, *extents = b.shape(args[0])
    sides, kept = extents[: len(blocks)], extents[len(blocks) :]
    count, rest = len(blocks), batch // int(np.prod(blocks))
    x = b.reshape(args[0], (-1, *blocks, rest, *sides, *kept))
    along = [place for axis in range(count) for place in (2 + count + axis, 1 + axis)]
    last = range(2 + 2 * count, 2 + 2 * count + len(kept))
    x = b.transpose(x, (0, 1 + count, *along, *last))
    whole = [side * k for side, k in zip(sides, blocks, strict=True)]
    x = b.reshape(x, (-1, rest, *whole, *kept))
    for axis, (size, (low, high)) in enumerate(zip(whole, crops, strict=True), 2):
        x = b.take(x, np.arange(low, size - high), axis) if low or high else x
    return [out(b, step, x)]


def space_to_depth(b: Any, step: Step, args: list[Any]) -> list[Any]:
    n, (_, _, h, w, c), k = -1, b.shape(args[0]), step.op.options["block_size"]
    x = b.reshape(args[0], (n, h // k, k, w // k, k, c))
    return [out(b, step, b.transpose(x, (0, 1, 3, 2, 4, 5)))]


def depth_to_space(b: Any, step: Step, args: list[Any]) -> list[Any]:
    n, (_, _, h, w, c), k = -1, b.shape(args[0]), step.op.options["block_size"]
    x = b.reshape(args[0], (n, h, w, k, k, c // (k * k)))
    return [out(b, step, b.transpose(x, (0, 1, 3, 2, 4, 5)))]


def broadcast(b: Any, step: Step, args: list[Any]) -> list[Any]:
    x = b.align(args[0], len(step.shapes[0]) + 1)
    return [x + b.constant(np.zeros((1, *step.shapes[0]), np.float32))]


def tile(b: Any, step: Step, args: list[Any]) -> list[Any]:
    x = args[0]
    for axis, count in enumerate(np.asarray(constant(args[1])).tolist(), 1):
        x = b.concat([x] * count, axis) if count > 1 else x
    return [x]


def reverse(b: Any, step: Step, args: list[Any]) -> list[Any]:
    x = args[0]
    for axis in np.atleast_1d(constant(args[1])).tolist():
        place = axis % (len(b.shape(x)) - 1) + 1
        x = b.take(x, np.arange(b.shape(x)[place])[::-1].copy(), place)
    return [x]


def select(b: Any, step: Step, args: list[Any]) -> list[Any]:
    rank = max(len(b.shape(a)) for a in args)
    return [b.where(*(b.align(a, rank) for a in args))]
