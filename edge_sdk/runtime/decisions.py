"""Where a model decides, rounding decides with it: an argmax or a sort of values that hardly differ goes either way.

An output behind such an op says nothing of the arithmetic before it. So where a candidate's outputs are off, values are
compared once more where they are still numbers: right before the first decisions; and what it makes of them is held
against what the engine's own kernels make of the same values. See POLICY.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.model import Artifact, Op, Subgraph
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.suppressions import COUNTS
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.engines.source import ModelSource, source_of
from edge_sdk.signature import Arrays

_RANKS: Final = {"ARG_MAX": 0, "ARG_MIN": 0, "TOPK_V2": 1}
"""Ops that name places of their first input: which output holds them."""
DECIDES: Final = frozenset(
    {
        *_RANKS,
        *COUNTS,
        *("GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "EQUAL", "NOT_EQUAL", "WHERE", "UNIQUE"),
        *("FLOOR", "CEIL", "ROUND", "SIGN", "FLOOR_DIV", "FLOOR_MOD"),
    }
)
"""Ops whose output jumps where their input moves a little."""


@dataclass
class Cut:
    """Where outputs are cut off from what decides them.

    Attributes:
        values: tensors right before the first decisions, and those that reach the outputs past them.
        decisions: the ops.
    """

    values: set[int] = field(default_factory=set)
    decisions: dict[int, Op] = field(default_factory=dict)


def cut_at_decisions(graph: Subgraph, outputs: Iterable[int]) -> Cut:
    """The first decisions on the way to these tensors; none of them where the graph decides nothing."""
    makers = graph.makers
    depends: dict[int, bool] = {}
    for op in graph.ops:
        later = op.name in DECIDES or any(depends.get(index, False) for index in op.inputs)
        depends |= dict.fromkeys(op.outputs, later)
    cut, left, seen = Cut(), list(outputs), set[int]()
    while left:
        index = left.pop()
        if index in seen or index not in makers:
            continue
        seen.add(index)
        op = makers[index]
        if not depends[index]:
            cut.values.add(index)
        elif op.name in DECIDES and not any(depends.get(one, False) for one in op.inputs):
            cut.decisions[op.index] = op
            cut.values |= {one for one in op.inputs if one in makers}
        else:
            left += op.inputs
    return cut


def with_outputs(model: ModelSource, extra: Collection[int]) -> ModelSource:
    """The model with further tensors of its entry's subgraph among its outputs."""
    root, _ = parse_tree(model.content)
    signature = model.artifact.signature
    graph = root.subgraphs[signature.subgraph]
    present = {int(index) for index in graph.outputs}
    added = sorted(set(extra) - present)
    graph.outputs = [*map(int, graph.outputs), *added]
    for node in root.signature_defs or []:
        if (node.signature_key or "") == signature.key and not model.artifact.implicit_signature:
            known = {one.tensor_index for one in node.outputs}
            node.outputs = [
                *node.outputs,
                *(_named(index) for index in sorted(extra) if index not in known),
            ]
    made = source_of(pack_tree(root), name=model.name)
    return made if model.artifact.entry is None else made.with_signature(model.artifact.entry)


def after_decisions(model: ModelSource, cut: Cut) -> ModelSource | None:
    """What computes the outputs from the values of a cut, as a model of its own; its inputs are those values.

    None where the entry is not the first subgraph, or reads inputs of the model as well: then it cannot stand alone.
    """
    signature = model.artifact.signature
    if signature.subgraph or not cut.values:
        return None
    graph, makers = model.artifact.main, model.artifact.main.makers
    left, kept, given = [tensor.index for tensor in signature.outputs.values()], set[int](), set[int]()
    while left:
        index = left.pop()
        if index in cut.values:
            given.add(index)
        elif index in makers and makers[index].index not in kept:
            kept.add(makers[index].index)
            left += [one for one in makers[index].inputs if one >= 0]
        elif index in graph.inputs:
            given.add(index)
    root, _ = parse_tree(model.content)
    node = root.subgraphs[0]
    node.operators = [op for place, op in enumerate(node.operators) if place in kept]
    node.inputs = sorted(given)
    node.outputs = sorted({tensor.index for tensor in signature.outputs.values()} - given)
    root.signature_defs = []
    return source_of(pack_tree(root), name=model.name) if kept else None


def _named(index: int) -> Node:
    return new_node(schema(), "TensorMap", name=f"edge-sdk {index}", tensor_index=index)


def name_of(artifact: Artifact, index: int) -> str:
    """The output of this tensor."""
    return next(name for name, tensor in artifact.signature.outputs.items() if tensor.index == index)


class Apart(NamedTuple):
    """The largest difference between values that were named instead of each other, and how much rounding explains."""

    found: float
    allowed: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.found:.3g}{self.unit}"


def differing(cut: Cut, artifact: Artifact, expected: Arrays, got: Arrays) -> list[Op]:
    """Decisions that came out otherwise."""
    return [
        op
        for op in cut.decisions.values()
        if any(
            not np.array_equal(expected[name], got[name], equal_nan=expected[name].dtype.kind == "f")
            for name in (name_of(artifact, index) for index in op.outputs if index >= 0)
        )
    ]


def apart(op: Op, artifact: Artifact, expected: Arrays, got: Arrays) -> Apart | None:
    """How far apart the values are that a decision took otherwise; None of ops that name no places.

    Places that were named instead of others hold values that may differ by no more than both sides' values moved: twice
    the largest difference.
    """
    if op.name not in _RANKS or op.inputs[0] not in {t.index for t in artifact.signature.outputs.values()}:
        return None
    values, moved = (side[name_of(artifact, op.inputs[0])].astype(np.float64) for side in (expected, got))
    ours, theirs = (side[name_of(artifact, op.outputs[_RANKS[op.name]])].astype(np.int64) for side in (expected, got))
    error = float(np.max(np.abs(values - moved), initial=0.0))
    unit = "" if expected[name_of(artifact, op.inputs[0])].dtype.kind == "f" else " steps"
    axis = _axis(op, artifact, values.ndim)
    if ours.ndim < values.ndim:
        ours, theirs = np.expand_dims(ours, axis), np.expand_dims(theirs, axis)
    if np.any((theirs < 0) | (theirs >= values.shape[axis])):
        return Apart(float("inf"), 2 * error, unit)
    between = np.take_along_axis(values, ours, axis) - np.take_along_axis(values, theirs, axis)
    return Apart(float(np.max(np.abs(between), initial=0.0)), 2 * error, unit)


def _axis(op: Op, artifact: Artifact, rank: int) -> int:
    stored = artifact.main.tensors[op.inputs[1]]
    if op.name == "TOPK_V2" or stored.constant is None:
        return rank - 1
    return int(np.frombuffer(stored.constant.tobytes(), stored.dtype)[0]) % rank


Run = Callable[[ModelSource, Sequence[Arrays]], Sequence[Arrays]]
"""Runs a model on raw inputs, by the names of its own signature."""


def decide_words(cut: Cut, margins: Mapping[int, Apart]) -> str:
    """Which ops, for people; and how far apart the values were, where that is known."""
    return ", ".join(
        f"{op.name.removeprefix('CUSTOM:')} (op {index}"
        + (f", values at most {margins[index]} apart)" if index in margins else ")")
        for index, op in sorted(cut.decisions.items())
    )


def parts(made: Mapping[str, npt.NDArray[Any]], names: Iterable[str]) -> Arrays:
    """Some of a run's outputs."""
    return {name: made[name] for name in names}
