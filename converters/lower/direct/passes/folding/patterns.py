"""Several ops that are one op in TFLite."""

from __future__ import annotations

import math

import numpy as np

from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor
from edge_sdk.converters.lower.direct.passes.matching import Changes, View, by_rules, is_fused, scalar, split_operands

_CLOSE = 1e-4


def fuse_patterns(graph: Graph) -> Graph:
    """Activations that exporters write out, as the op that kernels and delegates know.

    Before::

        t = TANH(0.7978845608 * (x + 0.044715 * x^3))    y = 0.5 * x * (1 + t)
    e = ERF(x / sqrt(2))    y = 0.5 * x * (1 + e)
        s = MUL(RELU6(ADD(x, 3)), 1 / 6)    y = MUL(x, s)
        c = SUB(x, m)    y = MUL(c, c)
        y = 0.5 * x * (1 + ERF(x / sqrt(2)))
        y = DIV(1, SQRT(x))
        s = SOFTMAX(BATCH_MATMUL(q, k) + mask)    y = SELECT_V2(NOT_EQUAL(s, s), 0, s)

    After::

        y = GELU(x, approximate=True)
    y = GELU(x, approximate=False)
        y = HARD_SWISH(x)
        c = SUB(x, m)    y = SQUARE(c)
        y = RSQRT(x)
        y = SOFTMAX(BATCH_MATMUL(q, k) + mask), where no row of the mask is minus infinity throughout
    """
    return by_rules(graph, {"MUL": _fused, "DIV": _reciprocal_root, "SELECT_V2": _guarded})


def _reciprocal_root(view: View, op: Op, changes: Changes) -> None:
    root = view.maker(op.inputs[1], "SQRT")
    if scalar(op.inputs[0]) == 1.0 and root is not None and view.only_reader(root.output) is op and not is_fused(op):
        changes.replace(op, Op("RSQRT", root.inputs, op.outputs))


def _guarded(view: View, op: Op, changes: Changes) -> None:
    """PyTorch puts 0 for the NaN of rows that are masked throughout; a known mask says that there are none."""
    test, zero, soft = op.inputs
    compared = view.maker(test, "NOT_EQUAL")
    maker = view.maker(soft, "SOFTMAX")
    if compared is None or maker is None or set(compared.inputs) != {soft} or scalar(zero) != 0.0:
        return
    if soft is not None and not view.is_output(op.output) and _has_no_masked_row(view, maker.inputs[0]):
        changes.replace(op)
        changes.rename(op.output, soft)


def _has_no_masked_row(view: View, tensor: Tensor | None) -> bool:
    """Whether these are scores, with at most a known mask that leaves something of each row."""
    maker = view.maker(tensor)
    if maker is None or maker.kind == "BATCH_MATMUL":
        return maker is not None
    operands = split_operands(maker)
    if operands is None or maker.kind not in ("ADD", "MUL", "DIV"):
        return False
    data = operands[1].data
    leaves = data is not None and bool(np.all(np.isfinite(data).any(axis=-1)) if data.ndim else np.isfinite(data))
    return leaves and not (data is not None and np.isnan(data).any()) and _has_no_masked_row(view, operands[0])


def _fused(view: View, op: Op, changes: Changes) -> None:
    if is_fused(op) or op.output.dtype != "float32":
        return
    x = op.inputs[0]
    if x is not None and x is op.inputs[1]:
        changes.replace(op, Op("SQUARE", (x,), op.outputs))
    elif (source := _hard_swish(view, op)) is not None:
        changes.replace(op, Op("HARD_SWISH", (source,), op.outputs))
    elif (gelu := _gelu(view, op)) is not None:
        source, approximate = gelu
        changes.replace(op, Op("GELU", (source,), op.outputs, {"approximate": approximate}))


def _by(view: View, tensor: Tensor | None, kind: str, number: float) -> Tensor | None:
    """``x`` where the tensor is an op of ``x`` and this number, and nothing else reads the tensor."""
    op = view.maker(tensor, kind)
    operands = split_operands(op) if op is not None else None
    if op is None or operands is None or is_fused(op) or view.only_reader(op.output) is None:
        return None
    found = scalar(operands[1])
    return operands[0] if found is not None and math.isclose(found, number, rel_tol=_CLOSE) else None


def _hard_swish(view: View, op: Op) -> Tensor | None:
    """``x * (relu6(x + 3) / 6)``, or ``(x * relu6(x + 3)) / 6``."""
    for x, gate in _both_ways(op):
        if x is not None and _relu6_of(view, _by(view, gate, "MUL", 1 / 6)) is x:
            return x
    operands = split_operands(op)
    number = scalar(operands[1]) if operands is not None else None
    if operands is None or number is None or not math.isclose(number, 1 / 6, rel_tol=_CLOSE):
        return None
    product = view.maker(operands[0], "MUL")
    if product is None or view.only_reader(product.output) is None or is_fused(product):
        return None
    return next((x for x, gate in _both_ways(product) if x is not None and _relu6_of(view, gate) is x), None)


def _relu6_of(view: View, tensor: Tensor | None) -> Tensor | None:
    """``x`` of ``relu6(x + 3)``, whether the activation is an op or part of one."""
    op = view.maker(tensor, "RELU6", "ADD")
    if op is None or view.only_reader(op.output) is None:
        return None
    if op.kind == "RELU6":
        return _by(view, op.inputs[0], "ADD", 3.0)
    operands = split_operands(op)
    fused = op.options.get("fused_activation_function") == "RELU6"
    return operands[0] if operands is not None and fused and scalar(operands[1]) == 3.0 else None


def _both_ways(op: Op) -> tuple[tuple[Tensor | None, Tensor | None], ...]:
    first, second = op.inputs[:2]
    return (first, second), (second, first)


def _gelu(view: View, op: Op) -> tuple[Tensor, bool] | None:
    """``0.5 * x * (1 + t)`` however its factors are grouped; ``t`` says which kind of GELU it is."""
    factors = _factors(view, op, 3)
    halves = [f for f in factors if isinstance(f, float)]
    sums = [(f, t) for f in factors if isinstance(f, Tensor) and (t := _by(view, f, "ADD", 1.0)) is not None]
    if len(factors) != 3 or len(halves) != 1 or not math.isclose(halves[0], 0.5) or len(sums) != 1:
        return None
    (x,) = (f for f in factors if isinstance(f, Tensor) and f is not sums[0][0])
    curve = view.maker(sums[0][1], *_ARGUMENTS)
    if curve is None or view.only_reader(curve.output) is None:
        return None
    return (x, curve.kind == "TANH") if _ARGUMENTS[curve.kind](view, curve.inputs[0], x) else None


def _factors(view: View, op: Op, most: int) -> list[Tensor | float]:
    """What is multiplied, through products that only this one reads."""
    found: list[Tensor | float] = []
    for tensor in op.inputs:
        inner = view.maker(tensor, "MUL")
        number = scalar(tensor)
        if number is not None:
            found.append(number)
        elif inner is not None and not is_fused(inner) and view.only_reader(inner.output) is op and most > len(found):
            found += _factors(view, inner, most - 1)
        elif tensor is not None:
            found.append(tensor)
    return found


_ROOT = math.sqrt(2 / math.pi)


def _is_tanh_argument(view: View, tensor: Tensor | None, x: Tensor) -> bool:
    """``sqrt(2 / pi) * (x + 0.044715 * x^3)``."""
    line = view.maker(_by(view, tensor, "MUL", _ROOT), "ADD")
    if line is None or is_fused(line):
        return False
    return any(one is x and _is_cube(view, _by(view, other, "MUL", 0.044715), x) for one, other in _both_ways(line))


def _is_erf_argument(view: View, tensor: Tensor | None, x: Tensor) -> bool:
    """``x / sqrt(2)``."""
    ratio = view.maker(tensor, "DIV")
    if ratio is not None and ratio.inputs[0] is not x:
        return False
    return any(_by(view, tensor, kind, number) is x for kind, number in (("DIV", 2**0.5), ("MUL", 0.5**0.5)))


_ARGUMENTS = {"ERF": _is_erf_argument, "TANH": _is_tanh_argument}


def _is_scaled(view: View, tensor: Tensor | None, x: Tensor, number: float) -> bool:
    return _by(view, tensor, "MUL", number) is x or _by(view, tensor, "DIV", 1 / number) is x


def _is_cube(view: View, tensor: Tensor | None, x: Tensor) -> bool:
    op = view.maker(tensor, "MUL", "POW")
    if op is None:
        return False
    if op.kind == "POW":
        return op.inputs[0] is x and scalar(op.inputs[1]) == 3.0
    squares = (view.maker(other, "SQUARE") for one, other in _both_ways(op) if one is x)
    return any(square is not None and square.inputs[0] is x for square in squares)
