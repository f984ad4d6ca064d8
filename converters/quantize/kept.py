"""Which ops a recipe leaves in float, or gives int16 activations."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from edge_sdk.artifact.model import Artifact, Op, Subgraph
from edge_sdk.errors import RecipeError, nearest
from edge_sdk.recipe import Int16, KeepFloat, Recipe, exactly

_NAMED = 4


def kept_ops(artifact: Artifact, recipe: Recipe) -> list[tuple[Subgraph, Op]]:
    """Ops of the float file that match ``keep_float``.

    Raises:
        RecipeError: an expression matches nothing, so that a typo would quantize what should stay float.
    """
    return _matching(artifact, recipe.keep_float, "keep_float")


def kept_in_main(artifact: Artifact, recipe: Recipe) -> set[int]:
    """Indices of the main subgraph's ops that match ``keep_float``; errors as :func:`kept_ops`."""
    return {op.index for graph, op in kept_ops(artifact, recipe) if graph.index == 0}


def also_kept(recipe: Recipe, graph: Subgraph, ops: Sequence[Op]) -> Recipe:
    """The recipe with further ops of the main subgraph in float, by the names of their results."""
    names = exactly(result_name(graph, op) for op in ops)
    return replace(recipe, keep_float=replace(recipe.keep_float, tensors=(*recipe.keep_float.tensors, *names)))


def int16_ops(artifact: Artifact, recipe: Recipe) -> list[tuple[Subgraph, Op]]:
    """Ops of the float file that match ``int16``; errors as :func:`kept_ops`."""
    return _matching(artifact, recipe.int16, "int16")


def wide_ops(artifact: Artifact, recipe: Recipe) -> set[int]:
    """Indices of the main subgraph's ops that get activations of 16 bits; errors as :func:`kept_ops`."""
    if recipe.activations.dtype == "int16":
        return {op.index for op in artifact.main.ops} - kept_in_main(artifact, recipe)
    return {op.index for graph, op in int16_ops(artifact, recipe) if graph.index == 0}


def _matching(artifact: Artifact, named: KeepFloat | Int16, table: str) -> list[tuple[Subgraph, Op]]:
    everything = list(artifact.all_ops())
    kept: dict[tuple[int, int], tuple[Subgraph, Op]] = {}
    for pattern in named.ops:
        found = [(g, op) for g, op in everything if re.search(pattern, op.name)]
        _require(table, pattern, found, "op type", [op.name for _, op in everything])
        kept.update({(g.index, op.index): (g, op) for g, op in found})
    for pattern in named.tensors:
        found = [(g, op) for g, op in everything if re.search(pattern, result_name(g, op))]
        _require(table, pattern, found, "name of an op's result", [result_name(g, op) for g, op in everything])
        kept.update({(g.index, op.index): (g, op) for g, op in found})
    return list(kept.values())


def result_name(graph: Subgraph, op: Op) -> str:
    """Name of an op's first result: what TFLite's tools call the op by."""
    return graph.tensors[op.outputs[0]].name if op.outputs else ""


def is_named(graph: Subgraph, op: Op, names: Collection[str]) -> bool:
    """Whether an op of a quantized file is one of those: TensorFlow's quantizer calls what it fused ``one;other``."""
    name = result_name(graph, op)
    return any(part in names for part in (name, *name.split(";")))


def kinds_in_words(kinds: Iterable[str]) -> str:
    """How many ops of which types, the most frequent first: ``4 MUL, 2 ADD and 3 more types``."""
    counted = Counter(kinds)
    listing = ", ".join(f"{count} {kind}" for kind, count in counted.most_common(_NAMED))
    return listing + (f" and {len(counted) - _NAMED} more types" if len(counted) > _NAMED else "")


def _require(table: str, pattern: str, found: list[tuple[Subgraph, Op]], what: str, known: list[str]) -> None:
    if not found:
        raise RecipeError(
            f"{table}: `{pattern}` matches no {what} of the float model{nearest(pattern, known)}",
            hint=f"there are: {', '.join(sorted(set(known))[:12])}",
        )
