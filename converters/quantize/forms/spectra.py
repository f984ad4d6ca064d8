"""Magnitudes and logarithms of spectra, left in float from the square on: a power in 8 bits is an amplitude in 4.

Before: ``CONV_2D(re, im) -> MUL(x, x) -> ADD -> SQRT``, the squares and their sum in int8: what is a sixteenth of the
loudest value is less than a step, and a logarithm behind it sees nothing else. After: the products' results are int8,
and squares, sums, roots, logarithms and the few products between them (a mel filter bank) in float.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import Op, Subgraph
from edge_sdk.converters.quantize.kept import kinds_in_words
from edge_sdk.findings import Finding
from edge_sdk.recipe import Recipe

_ROOTS = frozenset({"SQRT", "LOG"})
_THROUGH = frozenset(
    {"ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "RELU", "RESHAPE", "SLICE", "SQUEEZE", "STRIDED_SLICE", "TRANSPOSE"}
)
# A product between a square and a logarithm goes along where it is so small a share of all.
_CHEAP = 0.05


def spectral_ops(graph: Subgraph) -> list[Op]:
    """Ops from squares to the roots and logarithms of them, in order; means of squares, as of norms, are none.

    Args:
        graph: the float graph.
    """
    makers = graph.makers
    cheap = _CHEAP * sum(macs(graph, op) for op in graph.ops)
    found: dict[int, Op] = {}
    for root in graph.ops:
        if root.name in _ROOTS and graph.tensors[root.outputs[0]].dtype == "float32":
            way, squares = {root.index: root}, 0
            waiting = [root.inputs[0]]
            while waiting:
                op = makers.get(waiting.pop())
                if op is None or op.index in way or not _goes_along(graph, root, op, cheap):
                    continue
                way[op.index] = op
                if _is_square(op):
                    squares += 1
                else:
                    waiting += op.inputs[:1] if macs(graph, op) else op.inputs
            found |= way if squares else {}
    return [found[index] for index in sorted(found)]


def told_of_spectra(recipe: Recipe, ops: Sequence[Op]) -> Finding:
    """What is in float, and why."""
    listing = kinds_in_words(op.name for op in ops)
    message = f"{listing} from squares to their roots and logarithms compute in float: a square has twice the decibels"
    return Finding("spectra-in-float", "info", message, recipe.name, "--forms plain leaves every op in integers")


def _goes_along(graph: Subgraph, root: Op, op: Op, cheap: float) -> bool:
    products = macs(graph, op)
    return op.name in _THROUGH if not products else root.name == "LOG" and products <= cheap


def _is_square(op: Op) -> bool:
    return op.name == "SQUARE" or (op.name == "MUL" and len(op.inputs) == 2 and op.inputs[0] == op.inputs[1])
