"""Comparisons and signs: what they say of a rounded value is something else, not something less exact.

Before: ``GREATER_EQUAL(frequencies, fmin)``, each rounded on a scale of its own, so that what is equal may be less, and
all that the result masks is masked. After: the comparison, and what it reads of inputs and constants, in float. Behind
products values are rounded as they come; there it is the tail (:mod:`.tails`) that stays in float.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import Op, Subgraph
from edge_sdk.converters.quantize.kept import kinds_in_words, result_name
from edge_sdk.findings import Finding
from edge_sdk.recipe import Recipe

_DECISIONS = frozenset(
    {
        *("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"),
        *("CEIL", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "ROUND", "SIGN"),
    }
)


def is_decision(graph: Subgraph, op: Op) -> bool:
    """Whether the least error of a float operand may change the result by more."""
    return op.name in _DECISIONS and any(
        tensor.dtype == "float32" and tensor.constant is None for tensor in graph.operands(op)
    )


def exact_decisions(graph: Subgraph) -> list[Op]:
    """Decisions about values that no product reaches, with the ops that compute these, in order.

    Args:
        graph: the float graph.
    """
    reached: set[int] = set()
    for op in graph.ops:
        if macs(graph, op) or reached & set(op.inputs):
            reached |= set(op.outputs)
    makers = graph.makers
    found: dict[int, Op] = {}
    waiting = [op for op in graph.ops if is_decision(graph, op) and not reached & set(op.inputs)]
    while waiting:
        op = waiting.pop()
        if op.index not in found:
            found[op.index] = op
            waiting += [makers[index] for index in op.inputs if index in makers]
    return [found[index] for index in sorted(found) if _is_float(graph, found[index])]


def told_of_decisions(graph: Subgraph, recipe: Recipe, ops: Sequence[Op]) -> Finding:
    """What is in float, and why."""
    op = next(op for op in ops if is_decision(graph, op))
    listing = kinds_in_words(op.name for op in ops)
    message = (
        f"{listing} up to comparisons compute in float: {op.name} `{result_name(graph, op)}` decides by values of "
        "inputs, which int8 would round before"
    )
    return Finding("decisions-in-float", "info", message, recipe.name, "--forms plain leaves every op in integers")


def _is_float(graph: Subgraph, op: Op) -> bool:
    """Whether an op reads or computes float, so that it would be quantized."""
    return any(tensor.dtype == "float32" for tensor in (*graph.operands(op), *graph.results(op)))
