"""What an int8 file leaves in float, by all rules, and in which of two ways.

Ops at the end are *cut*: the file before them is quantized by itself, for the quantizer gives all parts of a join one
scale even where it is told to leave the join alone. Others are *kept*: named to the quantizer, which converts around
them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from edge_sdk.artifact.model import Op, Subgraph, parse_artifact
from edge_sdk.converters.quantize.floats.coarse_kernels import coarse_kernels, told_of_kernels
from edge_sdk.converters.quantize.floats.decisions import exact_decisions, told_of_decisions
from edge_sdk.converters.quantize.floats.drowned import drowned
from edge_sdk.converters.quantize.floats.endless import around_endless, told_of_endless
from edge_sdk.converters.quantize.floats.holes import around_holes, told_of_holes
from edge_sdk.converters.quantize.floats.joins import Cut, cut_ops, joins_of_kinds, told
from edge_sdk.converters.quantize.floats.positions import exact_positions, told_of_positions
from edge_sdk.converters.quantize.floats.scattered import scatters, told_of_scatters
from edge_sdk.converters.quantize.floats.suppressed import Suppressed, around_suppressions, told_of_suppressions
from edge_sdk.converters.quantize.floats.tails import poor_tail, told_of_tail
from edge_sdk.converters.quantize.forms.windows import parts_of_sums
from edge_sdk.converters.quantize.kept import result_name
from edge_sdk.engines.observe import Observation
from edge_sdk.findings import Finding
from edge_sdk.recipe import Recipe


@dataclass(frozen=True)
class Floats:
    """Ops in float, by index, and what is said of them."""

    cut: frozenset[int] = frozenset()
    kept: tuple[Op, ...] = ()
    findings: tuple[Finding, ...] = ()

    def names(self, graph: Subgraph) -> list[str]:
        """Names of the results of all of them, in order."""
        every = self.cut | {op.index for op in self.kept}
        return [result_name(graph, graph.ops[index]) for index in sorted(every)]

    def ranged(
        self, graph: Subgraph, seen: Mapping[int, Observation], named: Collection[int] = ()
    ) -> dict[int, Observation]:
        """What was seen, without infinite values that float ops alone make and read: they have no scale, and need none.

        Places that do not count before a TopK are minus infinity.

        Args:
            graph: the float graph.
            seen: tensor index to its range.
            named: indices of ops that the user keeps in float.
        """
        floats = self.cut | {op.index for op in self.kept} | {*named}
        touched = {i for op in graph.ops if op.index not in floats for i in (*op.inputs, *op.outputs)}
        return {index: one for index, one in seen.items() if index in touched or not one.endless}


def between(graph: Subgraph, ops: Collection[int]) -> frozenset[int]:
    """Tensors that those ops alone read and make; none that the file is given.

    Args:
        graph: the float graph.
        ops: indices.
    """
    inside, others = set[int](), set(graph.inputs)
    for op in graph.ops:
        (inside if op.index in ops else others).update((*op.inputs, *op.outputs))
    return frozenset(inside - others)


def without_ranges(graph: Subgraph, recipe: Recipe, named: Collection[int]) -> frozenset[int]:
    """Tensors between ops that stay in float whatever their ranges are: there is nothing to observe there.

    Args:
        graph: the float graph.
        recipe: says whether rules apply.
        named: indices of ops that the user keeps in float.
    """
    around = around_suppressions(graph) if _may_hold_floats(recipe) else Suppressed()
    return between(graph, {*named, *(op.index for op in (*around.last, *around.between))})


def _may_hold_floats(recipe: Recipe) -> bool:
    return not (recipe.forms == "plain" or recipe.integer_only or recipe.activations.dtype != "int8" or recipe.int16)


@dataclass(frozen=True)
class Ahead:
    """What stays in float whatever ranges are, cut off before they are looked for.

    Attributes:
        file: the file without it.
        finding: what is said of it.
        names: of the results of its ops.
    """

    file: Cut
    finding: Finding
    names: tuple[str, ...]


def before_suppressions(data: bytes, recipe: Recipe) -> Ahead | None:
    """A file up to its last suppressions, of which nothing has to be run to quantize what is before them.

    None where it has none, where a recipe names ops that may be among them, or where tuning looks at the whole file.

    Args:
        data: the float file.
        recipe: says whether rules apply.
    """
    named = (*recipe.keep_float.ops, *recipe.keep_float.tensors, *recipe.int16.ops, *recipe.int16.tensors)
    if not _may_hold_floats(recipe) or named or recipe.tune or find_spec("tensorflow") is None:
        return None
    graph = parse_artifact(data).main
    around = around_suppressions(graph)
    # With a second stage, what leads to its suppression may be read by products, too.
    if not around.last or around.between:
        return None
    ops = frozenset(op.index for op in around.last)
    finding = told_of_suppressions(graph, recipe, around.last)
    return Ahead(Cut(data, ops), finding, tuple(result_name(graph, graph.ops[index]) for index in sorted(ops)))


def left_in_float(
    graph: Subgraph,
    recipe: Recipe,
    seen: Mapping[int, Observation],
    endless: Collection[int] = (),
    wide: Collection[int] = (),
) -> Floats:
    """The ops that rules leave in float; none where the file may hold no float that was not named.

    Args:
        graph: the float graph.
        recipe: with forms ``plain`` or integer inputs and outputs it asks for none, with wider activations for
            positions, and for what its kernels are wrong on.
        seen: ranges and histograms by tensor index.
        endless: tensors with masks that no scale holds.
        wide: indices of ops that shall have activations of 16 bits.
    """
    if recipe.forms == "plain" or recipe.integer_only:
        return Floats()
    if not _may_hold_floats(recipe):
        return _of_wide(graph, recipe, seen, wide)
    # Without TensorFlow there is no quantizer that takes a file without its end.
    cuts = find_spec("tensorflow") is not None
    boxes = around_suppressions(graph)
    last = {op.index for op in boxes.last} if cuts else set[int]()
    joins = [join for join in joins_of_kinds(graph, seen) if join.op.index not in last] if cuts else []
    tail = poor_tail(graph, seen, last) if cuts else []
    cut = frozenset(cut_ops(joins) | last | {op.index for op in tail})
    whole = (*boxes.last, *boxes.between)
    low = drowned(graph, seen)
    known = {*cut, *(op.index for op in (*whole, *low.ops))}
    decided = [op for op in exact_decisions(graph) if op.index not in known]
    known.update(op.index for op in decided)
    placed = [op for op in exact_positions(graph) if op.index not in known]
    known.update(op.index for op in placed)
    hollow = [op for op in around_holes(graph, seen) if op.index not in known]
    windows = parts_of_sums(graph)
    known.update(op.index for op in hollow)
    far = [op for op in around_endless(graph, endless) if op.index not in known]
    known.update(op.index for op in far)
    strewn = [op for op in scatters(graph) if op.index not in known]
    findings = [told(graph, recipe, joins)] if joins else []
    findings += [told_of_suppressions(graph, recipe, whole)] if whole else []
    findings += [told_of_tail(graph, recipe, tail, seen)] if tail else []
    findings += low.told(graph, recipe, seen)
    findings += [told_of_decisions(graph, recipe, decided)] if decided else []
    findings += [told_of_positions(graph, recipe, placed)] if placed else []
    findings += [told_of_holes(graph, recipe, hollow)] if hollow else []
    findings += [told_of_endless(graph, recipe, far)] if far else []
    findings += [told_of_scatters(graph, recipe, strewn)] if strewn else []
    every = {op.index: op for op in (*whole, *low.ops, *decided, *placed, *hollow, *far, *strewn, *windows)}
    kept = tuple(op for op in every.values() if op.index not in cut)
    return Floats(cut, kept, tuple(findings))


def _of_wide(graph: Subgraph, recipe: Recipe, seen: Mapping[int, Observation], wide: Collection[int]) -> Floats:
    """Beside activations of 16 bits. A coordinate has enough, but what is a hair below a whole number is cut."""
    only = exact_positions(graph)
    coarse = [op for op in coarse_kernels(graph, seen, wide) if op not in only]
    joins = joins_of_kinds(graph, seen)
    apart = [graph.ops[index] for index in sorted(cut_ops(joins))]
    findings = [told_of_positions(graph, recipe, only)] if only else []
    findings += [told_of_kernels(graph, recipe, coarse)] if coarse else []
    findings += [told(graph, recipe, joins)] if joins else []
    kept = {op.index: op for op in (*only, *coarse, *apart)}
    return Floats(kept=tuple(kept.values()), findings=tuple(findings))
