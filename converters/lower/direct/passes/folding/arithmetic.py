"""Arithmetic with constants that need not be done, or need be done once."""

from __future__ import annotations

import numpy as np

from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor
from edge_sdk.converters.lower.direct.passes.matching import (
    Changes,
    View,
    by_rules,
    constant,
    is_fused,
    numbers,
    split_operands,
)

_NEUTRAL = {"ADD": 0.0, "SUB": 0.0, "MUL": 1.0, "DIV": 1.0}


def simplify_arithmetic(graph: Graph) -> Graph:
    """Constants that do nothing go, and those of two ops in a row are one.

    Before::

        a = MUL(x, 1)    b = MUL(a, 2)    c = MUL(b, 3)    d = ADD(c, 1)    y = ADD(d, 4)

    After::

        c = MUL(x, 6)    y = ADD(c, 5)
    """
    return by_rules(graph, dict.fromkeys(_NEUTRAL, _simplified))


def _simplified(view: View, op: Op, changes: Changes) -> None:
    operands = split_operands(op)
    if operands is None or operands[0].dtype != "float32" or is_fused(op):
        return
    running, known = operands
    if op.kind == "MUL" and _distributed(view, op, running, known, changes):
        return
    if op.kind in ("SUB", "DIV") and op.inputs[0] is not running:
        return
    if _does_nothing(op, running, known) and not view.is_output(op.output):
        changes.replace(op)
        changes.rename(op.output, running)
        return
    _joined(view, op, running, known, changes)


def _distributed(view: View, op: Op, running: Tensor, known: Tensor, changes: Changes) -> bool:
    """``(x * a + b) * c`` is ``x * (a * c) + b * c``."""
    total, product = view.maker(running, "ADD"), None
    terms = split_operands(total) if total is not None else None
    if total is not None and terms is not None and not is_fused(total) and view.only_reader(running) is op:
        product = view.maker(terms[0], "MUL")
    factors = split_operands(product) if product is not None else None
    if total is None or terms is None or product is None or factors is None or changes.touches(total, product):
        return False
    shapes = {product.output.shape, total.output.shape, op.output.shape, factors[0].shape}
    if is_fused(product) or view.only_reader(terms[0]) is not total or len(shapes) > 1:
        return False
    inner = _as_term(product, factors[1]) * _as_term(op, known)
    outer = _as_term(total, terms[1]) * _as_term(op, known)
    if max(inner.size, outer.size) > max(t.size for t in (factors[1], terms[1], known)):
        return False
    changes.replace(product, product.reading(factors[0], constant(product.output.origin, inner)))
    changes.replace(total)
    changes.replace(op, total.reading(terms[0], constant(op.output.origin, outer)).making(op.output))
    return True


def _does_nothing(op: Op, running: Tensor, known: Tensor) -> bool:
    return running.shape == op.output.shape and bool(np.all(numbers(known) == _NEUTRAL[op.kind]))


def _joined(view: View, op: Op, running: Tensor, known: Tensor, changes: Changes) -> None:
    """Two products, or two sums, by one of both constants; never a larger constant than the larger of the two."""
    first = view.maker(running, *_PAIRS.get(op.kind, ()))
    operands = split_operands(first) if first is not None else None
    if first is None or operands is None or changes.touches(first) or is_fused(first):
        return
    inner, other = operands
    if view.only_reader(running) is None or (first.kind in ("SUB", "DIV") and first.inputs[0] is not inner):
        return
    one, two = _as_term(first, other), _as_term(op, known)
    both = one * two if op.kind in ("MUL", "DIV") else one + two
    if both.size > max(one.size, two.size) or np.broadcast_shapes(inner.shape, both.shape) != op.output.shape:
        return
    kind = "MUL" if op.kind in ("MUL", "DIV") else "ADD"
    made = constant(op.output.origin, both)
    changes.replace(first)
    changes.replace(op, Op(kind, (inner, made), op.outputs, op.options))


_PAIRS = {"MUL": ("MUL", "DIV"), "DIV": ("MUL",), "ADD": ("ADD", "SUB"), "SUB": ("ADD", "SUB")}


def _as_term(op: Op, known: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """The constant as a factor or a summand, in float64 so that joining rounds once."""
    data = np.asarray(known.data, np.float64)
    if op.kind == "SUB":
        return -data
    return 1 / data if op.kind == "DIV" else data
