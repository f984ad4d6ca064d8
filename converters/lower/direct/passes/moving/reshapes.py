"""RESHAPE and BROADCAST_TO that other ops can do."""

from __future__ import annotations

from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor
from edge_sdk.converters.lower.direct.passes.matching import (
    Changes,
    View,
    by_rules,
    integers,
    is_constant,
    reshaped,
    scalar,
)

_REDUCTIONS = frozenset({"MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL"})
UNARY = frozenset(
    {"ABS", "CAST", "CEIL", "COS", "ELU", "EXP", "FLOOR", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOG", "LOGICAL_NOT"}
    | {"LOGISTIC", "NEG", "RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "ROUND", "RSQRT", "SIGN", "SIN", "SQRT"}
    | {"SQUARE", "TANH"}
)
_BROADCASTING = frozenset(
    {"ADD", "DIV", "EQUAL", "FLOOR_DIV", "FLOOR_MOD", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "LOGICAL_AND"}
    | {"LOGICAL_OR", "MAXIMUM", "MINIMUM", "MUL", "NOT_EQUAL", "POW", "SELECT_V2", "SQUARED_DIFFERENCE", "SUB"}
)


def absorb_reshapes(graph: Graph) -> Graph:
    """Reshapes that the ops beside them can do, or that meet another one behind an element-wise op.

    Before::

        m = MEAN(x, [1, 2], keep_dims=True)    r = RESHAPE(m, [N, C])
        a = RESHAPE(u, s)    b = GELU(a)    c = RESHAPE(b, t)

    After::

        r = MEAN(x, [1, 2], keep_dims=False)
        b = GELU(u)    c = RESHAPE(b, t)
    """
    return by_rules(graph, {"RESHAPE": _absorbed})


def _absorbed(view: View, op: Op, changes: Changes) -> None:
    source = op.inputs[0]
    if source is None:
        return
    reduction = view.maker(source, *_REDUCTIONS)
    if reduction is not None and not changes.touches(reduction) and view.only_reader(source) is op:
        _without_kept_axes(reduction, op, changes)
    else:
        _over_elementwise(view, op, changes)


def _without_kept_axes(reduction: Op, op: Op, changes: Changes) -> None:
    x, axes = reduction.inputs[0], integers(reduction.inputs[1])
    if x is None or axes is None or not reduction.options.get("keep_dims"):
        return
    gone = {axis % len(x.shape) for axis in axes}
    if op.output.shape == tuple(size for i, size in enumerate(x.shape) if i not in gone):
        changes.replace(reduction)
        changes.replace(op, reduction.making(op.output).having(keep_dims=False))


def _over_elementwise(view: View, op: Op, changes: Changes) -> None:
    """``RESHAPE(f(RESHAPE(x)))`` is ``RESHAPE(f(x))``, for a chain of ops with one running operand and scalars."""
    chain: list[tuple[Op, int]] = []
    tensor = op.inputs[0]
    while tensor is not None and view.only_reader(tensor) is not None and (maker := view.maker(tensor)) is not None:
        place = _running_place(maker)
        if place is None or changes.touches(maker):
            break
        chain.append((maker, place))
        tensor = maker.inputs[place]
    before = view.maker(tensor, "RESHAPE")
    if not chain or before is None or before.inputs[0] is None or changes.touches(before):
        return
    if view.only_reader(before.output) is None:
        return
    current: Tensor = before.inputs[0]
    changes.replace(before)
    for link, place in reversed(chain):
        result = Tensor(link.output.origin, current.shape, link.output.dtype, None, link.output.quantization)
        inputs = [current if i == place else t for i, t in enumerate(link.inputs)]
        changes.replace(link, link.reading(*inputs).making(result))
        current = result
    changes.replace(op, reshaped(current, op.output))


def _running_place(op: Op) -> int | None:
    if op.kind in UNARY:
        return 0
    if op.kind in ("ADD", "SUB", "MUL", "DIV") and len(op.inputs) == 2:
        places = [i for i, tensor in enumerate(op.inputs) if not is_constant(tensor)]
        others = [tensor for tensor in op.inputs if is_constant(tensor)]
        return places[0] if len(places) == 1 and scalar(others[0]) is not None and not others[0].shape else None  # type: ignore[union-attr]
    return None


def drop_broadcasts(graph: Graph) -> Graph:
    """Before: ``b = BROADCAST_TO(x, shape)    y = ADD(b, z)``. After: ``y = ADD(x, z)``, where ``z`` has that shape."""
    return by_rules(graph, {"BROADCAST_TO": _dropped})


def _dropped(view: View, op: Op, changes: Changes) -> None:
    x = op.inputs[0]
    readers = view.readers(op.output)
    if x is None or not readers or view.is_output(op.output) or len(x.shape) != len(op.output.shape):
        return
    if all(_broadcasts(reader, op.output) for reader in readers) and not changes.touches(*readers):
        changes.replace(op)
        changes.rename(op.output, x)
        for reader in readers:
            # The shapes of its operands are other ones now: matched anew in the next round.
            changes.replace(reader, reader)


_KERNEL_RANK = 4


def _broadcasts(reader: Op, tensor: Tensor) -> bool:
    others = [t for t in reader.inputs if t is not None and t is not tensor]
    return (
        reader.kind in _BROADCASTING
        and len(reader.output.shape) <= _KERNEL_RANK
        and any(t.shape == reader.output.shape for t in others)
    )
