"""What a file computes behind its last product, left in float where int8 has no scale that holds it.

Before: ``CONV_2D -> LOGISTIC -> DEQUANTIZE``, all int8. A LOGISTIC or SOFTMAX has the scale 1/256 whatever it
computes, so that scores which are all below a few steps come out as zeros; and the result of an EXP, which users read
on a logarithmic scale (a pitch in Hz), has steps that are fine for its largest values alone. After:
``CONV_2D -> DEQUANTIZE -> LOGISTIC``, with all that follows in float: a few values, beside the products before them.
Likewise where a decision follows, such as a comparison or a sign (:mod:`.decisions`), or a division by what may be
zero. What such a tail reads beside that, computed from inputs and constants alone, goes along.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from edge_sdk.artifact.compute import before_products, macs
from edge_sdk.artifact.model import Op, Subgraph
from edge_sdk.artifact.ties import MOVING
from edge_sdk.converters.quantize.floats.decisions import is_decision
from edge_sdk.converters.quantize.floats.drowned import noise
from edge_sdk.converters.quantize.kept import kinds_in_words, result_name
from edge_sdk.engines.observe import Observation
from edge_sdk.findings import Finding
from edge_sdk.recipe import Recipe

_STEPS = {"LOGISTIC": 1 / 256, "SOFTMAX": 1 / 256, "TANH": 1 / 128}
_STORED = frozenset({"QUANTIZE", "DEQUANTIZE"})
_GROWING = frozenset({"EXP", "POW"})
# As for joins: a quarter of the 256 levels is two bits less.
_FEWEST = 64
# Noise of a quotient, of its own power: 20 dB.
_ZEROS = 0.01
# Values read and written behind the last product, of its multiply-accumulates.
_CHEAP = 0.01


def poor_tail(graph: Subgraph, observations: Mapping[int, Observation], besides: Collection[int] = ()) -> list[Op]:
    """Ops behind the last product, in order, where one of them needs float; none where they would take long.

    Args:
        graph: the float graph.
        observations: ranges by tensor index.
        besides: indices of ops that are in float anyway.
    """
    tail = [op for op in _behind_products(graph) if op.index not in besides]
    if not any(_needs_float(graph, op, observations) for op in tail) or any(op.name in _STORED for op in tail):
        return []
    values = sum(tensor.elements for op in tail for tensor in (*graph.operands(op), *graph.results(op)))
    return tail if values <= _CHEAP * sum(macs(graph, op) for op in graph.ops) else []


def told_of_tail(graph: Subgraph, recipe: Recipe, tail: Sequence[Op], seen: Mapping[int, Observation]) -> Finding:
    """What is in float, and why."""
    listing = kinds_in_words(op.name for op in tail if op.name not in MOVING)
    op = next(op for op in tail if _needs_float(graph, op, seen))
    why = "grows with the exponent of what it reads, and int8 has one step for all its values"
    if is_decision(graph, op):
        why = "decides by values that int8 would round before"
    elif op.name == "DIV":
        why = "divides by values that int8 makes zero"
    elif op.name in _STEPS:
        why = f"has {_levels(op, seen):.3g} of its 256 levels on the calibration data"
    message = f"{listing} behind the last product compute in float: `{result_name(graph, op)}` {why}"
    return Finding("tail-in-float", "info", message, recipe.name, "--forms plain leaves every op in integers")


def _behind_products(graph: Subgraph) -> list[Op]:
    """Ops from which no product is reached, and which are reached from one, or feed only such ones."""
    ahead = before_products(graph)
    behind = [op for op in reversed(graph.ops) if not macs(graph, op) and not ahead.intersection(op.outputs)]
    made = {index for op in graph.ops if macs(graph, op) for index in op.outputs}
    found: dict[int, Op] = {}
    for op in reversed(behind):
        if made & set(op.inputs):
            made |= set(op.outputs)
            found[op.index] = op
    for op in behind:
        readers = {other.index for index in op.outputs for other in graph.readers.get(index, ())}
        if readers and readers <= found.keys() and not set(op.outputs) & set(graph.outputs):
            found[op.index] = op
    return [found[index] for index in sorted(found)]


def _needs_float(graph: Subgraph, op: Op, seen: Mapping[int, Observation]) -> bool:
    if op.name in _GROWING or is_decision(graph, op):
        return True
    if op.name == "DIV":
        return noise(op, seen) > _ZEROS
    return op.name in _STEPS and op.outputs[0] in seen and _levels(op, seen) < _FEWEST


def _levels(op: Op, seen: Mapping[int, Observation]) -> float:
    one = seen[op.outputs[0]]
    return max(abs(one.minimum), abs(one.maximum)) / _STEPS[op.name]
