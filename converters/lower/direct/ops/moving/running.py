"""What goes along an axis: running sums and products, sequences turned round, triangles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import Node
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary, scalar, select
from edge_sdk.converters.lower.direct.ops.moving.shape import sliced
from edge_sdk.converters.lower.direct.ops.windows import pad
from edge_sdk.converters.lower.direct.value import Value, plain

Form = Callable[[Builder, Node], Value]


def _axis(node: Node, rank: int) -> int:
    return int(np.ravel(node.constant(1, "the axis"))[0]) % rank


def _running_sum(builder: Builder, node: Node) -> Value:
    """CUMSUM, which also takes an axis that only the running file knows."""
    x, axis = node.input(0), node.input(1)
    options = {name: bool(node.attribute(name, 0)) for name in ("exclusive", "reverse")}
    if axis.is_constant:
        where = builder.constant(x.place(_axis(node, x.rank)), "int32")
    else:
        x, where = plain(builder.arranged(x)), builder.reshaped(builder.narrowed(axis.tensor), ())
    made = builder.emit("CUMSUM", [x.tensor, where], x.tensor.shape, None, None, **options)
    return Value(made, x.order, x.spatial)


def _running_product(builder: Builder, node: Node) -> Value:
    """In steps of 1, 2, 4 and on: each multiplies by what stands so far before it."""
    x = node.input()
    axis = _axis(node, x.rank)
    back = bool(node.attribute("reverse", 0))
    made = _moved(builder, x, axis, 1, back=back) if node.attribute("exclusive", 0) else x
    step = 1
    while step < x.shape[axis]:
        made = binary(builder, "MUL", [made, _moved(builder, made, axis, step, back=back)])
        step *= 2
    return made


def _moved(builder: Builder, x: Value, axis: int, step: int, *, back: bool) -> Value:
    """Elements so many places further along the axis, ones where none come from."""
    extent = x.shape[axis]
    part = sliced(builder, x, {axis: range(step, extent) if back else range(extent - step)})
    borders = [step if place == x.place(axis) else 0 for place in range(x.rank)]
    nothing = [0] * x.rank
    begins, ends = (nothing, borders) if back else (borders, nothing)
    return Value(pad(builder, part.tensor, begins, ends, 1), x.order, x.spatial)


def _reverse_sequence(builder: Builder, node: Node) -> Value:
    x = node.input(0)
    time, batch = int(node.attribute("time_axis", 0)), int(node.attribute("batch_axis", 1))
    lengths = builder.narrowed(builder.arranged(node.input(1)))
    options = {"seq_dim": x.place(time), "batch_dim": x.place(batch)}
    made = builder.emit("REVERSE_SEQUENCE", [x.tensor, lengths], x.tensor.shape, None, None, **options)
    return Value(made, x.order, x.spatial)


def _triangle(builder: Builder, node: Node) -> Value:
    """Zeros on one side of a diagonal: chosen, not multiplied, so that infinities leave none behind."""
    x = node.input(0)
    rows, columns = x.shape[-2:]
    offset = np.arange(columns)[None, :] - np.arange(rows)[:, None]
    upper = bool(node.attribute("upper", 1))
    zero = scalar(builder, 0, x)
    if not node.given(1) or node.input(1).is_constant:
        k = int(np.ravel(node.input(1).data)[0]) if node.given(1) else 0
        return select(builder, builder.fixed(offset >= k if upper else offset <= k), x, zero)
    kind = "GREATER_EQUAL" if upper else "LESS_EQUAL"
    diagonal = Value(builder.reshaped(node.input(1).tensor, ()), ())
    return select(builder, binary(builder, kind, [builder.fixed(offset), diagonal], "bool"), x, zero)


OPS: dict[str, Form] = {
    "CumProd": _running_product,
    "CumSum": _running_sum,
    "ReverseSequence": _reverse_sequence,
    "Trilu": _triangle,
}
