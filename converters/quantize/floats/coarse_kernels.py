"""Ops whose kernel of 16 bits is wrong on the values they get, or takes no such operands: they stay in float.

===============  ==================================================================  ===================================
op               TFLite's kernel of 16 bits                                          right where
===============  ==================================================================  ===================================
``SOFTMAX``      exponentials from a table of -10 to 0 in steps of 2^-15, each off   ``2 n / max(1, n exp(-r))^2`` <= 64
                 by up to two, and ``exp(-10)`` for whatever is below: with ``n``    steps, ``r`` being the width of its
                 values a row's sum is off by ``2 n`` steps                          operand's range
``RSQRT``        513 points over all of int16; measured off by a quarter of the      the least value is half of the
                 next point's distance, as of a middle that is taken wrongly         largest, or more
``BATCH_MATMUL`` both factors in int16; the quantizer stores a constant in int8      neither factor is stored
===============  ==================================================================  ===================================

The kernels: tflite/kernels/internal/reference/softmax.h, elementwise.cc, batch_matmul.cc; the errors were measured on
ai-edge-litert 2.1.0 (``python -m tests.converters.quantize.wide_kernels``).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from edge_sdk.artifact.model import Op, Subgraph
from edge_sdk.converters.quantize.kept import kinds_in_words, result_name
from edge_sdk.engines.observe import Observation
from edge_sdk.findings import Finding
from edge_sdk.recipe import Recipe

# What the check of ops allows a kernel with a table of 16 bits.
_STEPS = 64.0
_EXPONENTIAL_STEPS = 2.0
# At a quarter the table is 64 steps off: other samples than these may come nearer to zero.
_LEAST = 0.5


def coarse_kernels(graph: Subgraph, seen: Mapping[int, Observation], wide: Collection[int]) -> list[Op]:
    """Ops that 16 bits would make wrong, or a file that no engine opens, in order.

    Args:
        graph: the float graph.
        seen: ranges by tensor index.
        wide: indices of ops that shall have activations of 16 bits.
    """
    found = (op for op in graph.ops if op.index in wide)
    return [op for op in found if _is_coarse(graph, op, seen.get(op.inputs[0]) if op.inputs else None)]


def told_of_kernels(graph: Subgraph, recipe: Recipe, ops: Sequence[Op]) -> Finding:
    """What is in float, and why."""
    message = (
        f"{kinds_in_words(op.name for op in ops)} compute in float: TFLite's 16-bit kernels are too coarse for what "
        f"`{result_name(graph, ops[0])}` and the like are given, or take no such operands"
    )
    return Finding(
        "kernels-in-float", "info", message, recipe.name, "an NPU's own kernels may be better: --forms plain"
    )


def _is_coarse(graph: Subgraph, op: Op, known: Observation | None) -> bool:
    if op.name == "SOFTMAX":
        return _is_coarse_softmax(graph, op, known)
    if op.name == "RSQRT":
        return known is None or known.minimum < _LEAST * known.maximum
    return op.name == "BATCH_MATMUL" and any(tensor.constant is not None for tensor in graph.operands(op))


def _is_coarse_softmax(graph: Subgraph, op: Op, known: Observation | None) -> bool:
    source = graph.tensors[op.inputs[0]]
    if len(source.shape) > 4 or source.shape_signature[-1] == -1:
        return True
    count = source.shape[-1]
    width = math.inf if known is None else (known.maximum - known.minimum) * float(op.options.get("beta", 1.0) or 1.0)
    least_sum = max(1.0, count * math.exp(-width))
    return _EXPONENTIAL_STEPS * count / least_sum**2 > _STEPS
