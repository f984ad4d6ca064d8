"""The error function, which TFLite has only inside GELU."""

from __future__ import annotations

from collections.abc import Sequence

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor
from edge_sdk.converters.lower.direct.passes.rewriting import rewritten

# erf(x) = x * P(x^2) / Q(x^2) on [-4, 4], beyond which it is 1 to float32; the minimax fit that Eigen and XLA use.
_LIMIT = 4.0
_P = (
    -2.72614225801306e-10,
    2.77068142495902e-08,
    -2.10102402082508e-06,
    -5.69250639462346e-05,
    -7.34990630326855e-04,
    -2.95459980854025e-03,
    -1.60960333262415e-02,
)
_Q = (
    -1.45660718464996e-05,
    -2.13374055278905e-04,
    -1.68282697438203e-03,
    -7.37332916720468e-03,
    -1.42647390514189e-02,
)


def write_out_erf(graph: Graph) -> Graph:
    """Before: ``y = ERF(x)``. After: ``y = x * P(x * x) / Q(x * x)``, within 8 units of float32's last place."""
    return rewritten(graph, _rule)


def _rule(builder: Builder, op: Op) -> list[Tensor] | None:
    if op.kind != "ERF" or op.inputs[0] is None:
        return None
    shape = op.output.shape

    def number(value: float) -> Tensor:
        return builder.constant(value, "float32")

    def polynomial(at: Tensor, coefficients: Sequence[float]) -> Tensor:
        made = builder.emit("MUL", [at, number(coefficients[0])], shape)
        for coefficient in coefficients[1:-1]:
            made = builder.emit("MUL", [builder.emit("ADD", [made, number(coefficient)], shape), at], shape)
        return builder.emit("ADD", [made, number(coefficients[-1])], shape)

    below = builder.emit("MINIMUM", [op.inputs[0], number(_LIMIT)], shape)
    x = builder.emit("MAXIMUM", [below, number(-_LIMIT)], shape)
    square = builder.emit("MUL", [x, x], shape)
    top = builder.emit("MUL", [x, polynomial(square, _P)], shape)
    return [builder.emit("DIV", [top, polynomial(square, _Q)], shape)]
