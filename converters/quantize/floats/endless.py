"""Masks whose size counts: infinities, and values as far as -1e9, that an output, a comparison or a sum tells apart.

Before: ``SELECT_V2(real, x, -inf)`` that is an output, or ``GREATER(scores, -1e8)``, all int8, where no scale holds the
mask, or one that holds nothing else. After: what makes and reads such values in float. Marks that only have to lose are
brought near instead (:mod:`..ranging.losing`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import Op, Subgraph
from edge_sdk.converters.quantize.kept import kinds_in_words, result_name
from edge_sdk.engines.observe import Observation
from edge_sdk.errors import ConversionError
from edge_sdk.findings import Finding
from edge_sdk.recipe import Recipe


def around_endless(graph: Subgraph, endless: Collection[int]) -> list[Op]:
    """Ops that read or make those tensors, in order."""
    return [op for op in graph.ops if any(index in endless for index in (*op.inputs, *op.outputs))]


def refuse_endless_products(graph: Subgraph, seen: Mapping[int, Observation], named: Collection[int]) -> None:
    """Products of infinite values are nothing that float, either, computes with.

    Args:
        graph: the float graph.
        seen: what was observed, by tensor index.
        named: indices of ops that the user keeps in float.

    Raises:
        ConversionError: a product reads or makes one.
    """
    for op in graph.ops if seen else ():
        if op.index in named or not macs(graph, op):
            continue
        for index in (*op.inputs, *op.outputs):
            if index in seen and seen[index].endless:
                raise endless_value(graph, index, seen[index])


def endless_value(graph: Subgraph, index: int, seen: Observation) -> ConversionError:
    """An error for a tensor that no scale holds: who computes that, and the ways out."""
    maker, name = graph.makers.get(index), graph.tensors[index].name
    who = f"{maker.name} of the float model itself computes that" if maker is not None else "the data holds that"
    return ConversionError(
        f"`{name}` goes from {seen.minimum:g} to {seen.maximum:g} on the calibration data: {who}, and no scale does",
        hint="mend the model or the data, leave in float what makes and reads it (--keep-float-tensor, names of the "
        "results), or take a recipe without activations in integers (dynamic, float16)",
    )


def told_of_endless(graph: Subgraph, recipe: Recipe, ops: Sequence[Op]) -> Finding:
    """What is in float, and why."""
    message = (
        f"{kinds_in_words(op.name for op in ops)} compute in float: masks around `{result_name(graph, ops[0])}` are "
        "infinite, or so far from all other values that no int8 scale holds both"
    )
    return Finding("masks-in-float", "info", message, recipe.name, "--forms plain leaves every op in integers")
