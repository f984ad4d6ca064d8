"""Values that are not a number where there is none to be had, which no integer can be.

Before: ``seen = SELECT_V2(observed, x, NaN)``, then ``SELECT_V2(NOT_EQUAL(seen, seen), mean, seen)``, all int8, where
nothing differs from itself and NaN is a number like others. After: what makes such values, and what reads them up to
results without any, in float. PyTorch's ``nanmean`` and gaps of a time series are written so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edge_sdk.artifact.model import Op, Subgraph, Tensor
from edge_sdk.converters.quantize.kept import kinds_in_words, result_name
from edge_sdk.engines.observe import Observation
from edge_sdk.findings import Finding
from edge_sdk.recipe import Recipe


def around_holes(graph: Subgraph, seen: Mapping[int, Observation]) -> list[Op]:
    """Ops that read or make values which are not a number, in order.

    Args:
        graph: the float graph.
        seen: what was observed, by tensor index.
    """
    hollow = {index for index, one in seen.items() if one.holes}
    hollow |= {tensor.index for op in graph.ops for tensor in graph.operands(op) if _is_hollow(tensor)}
    return [op for op in graph.ops if hollow & {*op.inputs, *op.outputs}]


def _is_hollow(tensor: Tensor) -> bool:
    return tensor.dtype == "float32" and tensor.constant is not None and bool(np.isnan(tensor.values()).any())


def told_of_holes(graph: Subgraph, recipe: Recipe, ops: Sequence[Op]) -> Finding:
    """What is in float, and why."""
    message = (
        f"{kinds_in_words(op.name for op in ops)} compute in float: values around `{result_name(graph, ops[0])}` are "
        "not a number, and integers all are"
    )
    return Finding("holes-in-float", "info", message, recipe.name, "--forms plain leaves every op in integers")
