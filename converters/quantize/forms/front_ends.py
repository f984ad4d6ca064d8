"""What a file computes up to the logarithm of a spectrum or power, left in float where int8 has no step that holds it.

Before: ``RFFT2D -> COMPLEX_ABS -> FULLY_CONNECTED (mel) -> LOG -> SUB -> CONV_2D``, all but the first two int8. A LOG
reads powers over many decades, of which int8 keeps the largest two: all that is quiet becomes one value. After: float
up to the first product behind the LOG, with the means and spreads that features are normalized by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import Op, Subgraph
from edge_sdk.converters.quantize.kept import result_name
from edge_sdk.engines.observe import Observation
from edge_sdk.findings import Finding
from edge_sdk.recipe import Recipe

_STEPS = 255.0
# Noise of a logarithm by the steps of its operand, of its own variance: 20 dB.
_LOUD = 0.01
# More multiply-accumulates than these, of all, are no front end but the network.
_MOST = 0.5


def front_end(graph: Subgraph, seen: Mapping[int, Observation]) -> list[Op]:
    """Ops from the inputs to the last product-free op behind a logarithm that int8 drowns, in order; none without one.

    Args:
        graph: the float graph.
        seen: ranges and histograms by tensor index.
    """
    makers = graph.makers
    found: set[int] = set()
    for op in (op for op in graph.ops if op.name == "LOG" and _noise(op, seen) > _LOUD):
        waiting = [op]
        while waiting:
            one = waiting.pop()
            if one.index not in found:
                found.add(one.index)
                waiting += [makers[index] for index in one.inputs if index in makers]
    everything = sum(macs(graph, op) for op in graph.ops)
    if not found or sum(macs(graph, graph.ops[index]) for index in found) > _MOST * everything:
        return []
    made = {index for place in found for index in graph.ops[place].outputs}
    for op in graph.ops:
        read = {index for index in op.inputs if index in makers}
        if read and read <= made and not macs(graph, op):
            found.add(op.index)
            made |= set(op.outputs)
    return [graph.ops[index] for index in sorted(found)]


def told_of_front_end(graph: Subgraph, recipe: Recipe, front: Sequence[Op], seen: Mapping[int, Observation]) -> Finding:
    """What is in float, and why."""
    worst = max((op for op in front if op.name == "LOG"), key=lambda op: _noise(op, seen))
    message = (
        f"{len(front)} ops from the inputs to `{result_name(graph, front[-1])}` compute in float: LOG "
        f"`{result_name(graph, worst)}` reads values up to {seen[worst.inputs[0]].maximum:.3g}, of which int8's step "
        f"would be noise at {-10 * np.log10(_noise(worst, seen)):.0f} dB"
    )
    return Finding("front-end-in-float", "info", message, recipe.name, "--forms plain leaves every op in integers")


def _noise(op: Op, seen: Mapping[int, Observation]) -> float:
    """Mean square error of a logarithm whose operand is rounded to int8, of the variance of its values; at most 1.

    An operand ``x = exp(y)`` off by a step's ``s^2 / 12`` moves ``y`` by ``s^2 / (12 x^2)``, or anywhere where ``x`` is
    less than a step.
    """
    operand, result = seen.get(op.inputs[0]), seen.get(op.outputs[0])
    if operand is None or result is None or not np.isfinite([operand.maximum, result.minimum, result.maximum]).all():
        return 0.0
    ends = np.array([result.minimum, result.maximum], np.float64)
    values, share = (ends, np.full(2, 0.5)) if result.histogram is None else result.histogram.points()
    variance = float(np.sum(share * values**2) - np.sum(share * values) ** 2)
    if variance <= 0:
        return 0.0
    step = (max(operand.maximum, 0.0) - min(operand.minimum, 0.0)) / _STEPS
    error = np.minimum(step**2 / 12 * np.exp(np.minimum(-2 * values, 600.0)), variance)
    return float(np.sum(share * error)) / variance
