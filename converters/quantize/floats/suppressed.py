"""What leads from the last products to a suppression of boxes, and what reads the boxes that it keeps.

Before: decoded corners, areas (products of two sides), scores and thresholds in int8, so that boxes side by side cover
each other, small ones have no area, scores that differ are equal, and other boxes are kept than the source keeps.
After: convolutions in int8, all from their results on in float, a few values for each box. Ranks, indices and counts
are integers as they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_sdk.artifact.compute import before_products, macs
from edge_sdk.artifact.model import Op, Subgraph
from edge_sdk.artifact.suppressions import suppresses
from edge_sdk.artifact.ties import MOVING
from edge_sdk.converters.quantize.kept import kinds_in_words, result_name
from edge_sdk.findings import Finding
from edge_sdk.recipe import Recipe

_STORED = frozenset({"QUANTIZE", "DEQUANTIZE"})
_NAMED = 2


@dataclass(frozen=True)
class Suppressed:
    """Ops around suppressions, in order.

    Attributes:
        last: those from which no product is reached, with all that reads their results.
        between: those from which one is (a second stage, masks of the boxes that are kept).
    """

    last: tuple[Op, ...] = ()
    between: tuple[Op, ...] = ()


def around_suppressions(graph: Subgraph) -> Suppressed:
    """Ops between the last products before a suppression and the first behind it; none where the file is quantized."""
    found = {op.index: op for op in graph.ops if suppresses(op)}
    wanted = {index for op in found.values() for index in op.inputs}
    for op in reversed(graph.ops) if found else ():
        if wanted.intersection(op.outputs) and not macs(graph, op):
            wanted.update(op.inputs)
            found[op.index] = op
    made = {index for op in found.values() for index in op.outputs}
    for op in graph.ops:
        if op.index in found or (made.intersection(op.inputs) and not macs(graph, op)):
            made.update(op.outputs)
            found[op.index] = op
    ahead = before_products(graph)
    ops = [found[index] for index in sorted(found)]
    if any(op.name in _STORED for op in ops):
        return Suppressed()
    last = tuple(op for op in ops if not ahead.intersection(op.outputs))
    return Suppressed(last, tuple(op for op in ops if ahead.intersection(op.outputs)))


def told_of_suppressions(graph: Subgraph, recipe: Recipe, ops: Sequence[Op]) -> Finding:
    """What is in float, and why."""
    listing = kinds_in_words(op.name for op in ops if op.name not in MOVING)
    names = [f"`{result_name(graph, op)}`" for op in ops if suppresses(op)]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    message = (
        f"{listing} compute in float, from the last products on: of rounded boxes and scores other boxes would be kept "
        f"at {', '.join(names[:_NAMED])}{more}"
    )
    return Finding("suppression-in-float", "info", message, recipe.name, "--forms plain leaves every op in integers")
