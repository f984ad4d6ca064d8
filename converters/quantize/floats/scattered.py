"""Scatters: their int8 kernel fills what nothing is scattered to with the byte 0, whatever the zero point is.

Before: ``SCATTER_ND(places, ones, shape)``, int8: every place that is left out is ``-zero_point * scale``. After: the
same in float. (TFLite's reference kernel, ``reference_ops.h``, clears its result by ``memset``.)
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_sdk.artifact.model import Op, Subgraph
from edge_sdk.converters.quantize.kept import result_name
from edge_sdk.findings import Finding
from edge_sdk.recipe import Recipe


def scatters(graph: Subgraph) -> list[Op]:
    """Scatters of float values."""
    return [op for op in graph.ops if op.name == "SCATTER_ND" and graph.tensors[op.outputs[0]].dtype == "float32"]


def told_of_scatters(graph: Subgraph, recipe: Recipe, ops: Sequence[Op]) -> Finding:
    """What is in float, and why."""
    message = (
        f"{len(ops)} SCATTER_ND compute in float: in int8 what nothing is scattered to, as in "
        f"`{result_name(graph, ops[0])}`, would not be zero"
    )
    return Finding("scatters-in-float", "info", message, recipe.name, "--forms plain leaves every op in integers")
