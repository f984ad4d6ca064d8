"""Outputs of different kind that a file joins at its end: boxes in pixels beside scores from 0 to 1.

Before: ``CONCATENATION(boxes, scores) -> DEQUANTIZE``, all int8. A join has one scale, that of the widest part, so that
scores of 0 to 1 beside boxes of 0 to 640 are all zero. After: ``DEQUANTIZE(boxes), DEQUANTIZE(scores) ->
CONCATENATION`` in float, each part on its own scale; XNNPACK takes that too, and nothing is rounded twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge_sdk.artifact.apart import without_ops
from edge_sdk.artifact.edit import without_unused
from edge_sdk.artifact.flatbuffer import Node
from edge_sdk.artifact.joining import joined
from edge_sdk.artifact.model import Op, Subgraph, parse_artifact
from edge_sdk.artifact.ties import MOVING
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.quantize.kept import result_name
from edge_sdk.engines.observe import Observation
from edge_sdk.findings import Finding
from edge_sdk.recipe import Recipe

_JOINS = frozenset({"CONCATENATION", "PACK"})
_LEVELS = 256
# A part with less than a quarter of the levels has two bits less than by itself, 12 dB.
_FEWEST = 64
_NAMED = 3


@dataclass(frozen=True)
class Join:
    """A join at a file's end, and what only moves its values on to outputs.

    Attributes:
        op: the join.
        moved_by: ops after it.
        levels: of the joined scale's 256, those that its poorest part would use.
        part: name of that part.
    """

    op: Op
    moved_by: tuple[Op, ...]
    levels: float
    part: str


def joins_of_kinds(graph: Subgraph, observations: Mapping[int, Observation]) -> list[Join]:
    """Joins that end in outputs alone and have a part whose range is a quarter of the whole's or less.

    Args:
        graph: the float graph.
        observations: ranges by tensor index.
    """
    return [join for op in graph.ops if op.name in _JOINS and (join := _join(graph, op, observations))]


def told(graph: Subgraph, recipe: Recipe, joins: Sequence[Join]) -> Finding:
    """What to say of joins in float."""
    listing = "; ".join(
        f"`{result_name(graph, join.op)}` joins parts of different range, `{join.part}` would have {join.levels:.3g} "
        f"of {_LEVELS} levels in int8"
        for join in joins[:_NAMED]
    )
    message = f"{listing}: joined in float, each part on its own scale"
    return Finding("joined-in-float", "info", message, recipe.name, "--forms plain joins in integers")


def quantized_apart(data: bytes, ops: Collection[int], quantize: Callable[[bytes], bytes]) -> bytes:
    """The file that a quantizer makes of one without its last ops, and those behind it in float.

    TFLite's quantizer gives all parts of a join one scale even where it is told to leave the join in float.

    Args:
        data: the float file, with ranges.
        ops: of its main subgraph, with all that reads their results.
        quantize: keeps inputs and outputs in float, and their order.
    """
    cut = Cut(data, ops)
    return cut.rejoined(quantize(cut.head))


class Cut:
    """A float file without its last ops, and what puts them back.

    Attributes:
        head: the file without them; its outputs are what they read of it, ``out_<tensor index>``, besides its own.

    Args:
        data: the float file.
        ops: of its main subgraph, with all that reads their results.
    """

    def __init__(self, data: bytes, ops: Collection[int]) -> None:
        graph = parse_artifact(data).main
        self._data, self._graph, self._cut = data, graph, sorted(ops)
        self._made = {index for op in self._cut for index in graph.ops[op].outputs}
        read = dict.fromkeys(i for op in self._cut for i in graph.ops[op].inputs)
        self._parts = [i for i in read if _flows(graph, i, self._made)]
        # An input that the tail reads is read as it is given, not as the head rounds it.
        computed = (i for i in self._parts if i not in set(graph.inputs))
        self._ends = list(dict.fromkeys([*(i for i in graph.outputs if i not in self._made), *computed]))
        self.head = without_ops(data, self._cut, self._ends)

    def rejoined(self, head: bytes) -> bytes:
        """A file made of the head, with the last ops behind it and the original's signatures."""
        graph = self._graph
        first_root, _ = parse_tree(head)
        first_root.signature_defs = None
        root, (first, second) = joined([first_root, _tail(self._data, self._cut, self._parts)])
        whole = root.subgraphs[0]
        place_of = dict(zip(graph.inputs, first.inputs, strict=True)) | dict(
            zip(self._ends, first.outputs, strict=True)
        )
        linked = dict(zip(second.inputs, (place_of[index] for index in self._parts), strict=True))
        for operator in whole.operators[second.operators.start : second.operators.stop]:
            operator.inputs = np.array([linked.get(int(index), int(index)) for index in operator.inputs], np.int32)
        results = dict(zip((index for index in graph.outputs if index in self._made), second.outputs, strict=True))
        whole.inputs = np.array(first.inputs, np.int32)
        whole.outputs = np.array([results.get(i, place_of.get(i, -1)) for i in graph.outputs], np.int32)
        return _signed(without_unused(root), self._data)


def _signed(data: bytes, original: bytes) -> bytes:
    """The original's signatures, by the places of inputs and outputs."""
    root, first = parse_tree(data)[0], parse_tree(original)[0]
    old, new = first.subgraphs[0], root.subgraphs[0]
    pairs = zip((*old.inputs, *old.outputs), (*new.inputs, *new.outputs), strict=True)
    place = {int(one): int(other) for one, other in pairs}
    for signature in first.signature_defs or []:
        for named in (*signature.inputs, *signature.outputs):
            named.tensor_index = place[int(named.tensor_index)]
    root.signature_defs = first.signature_defs
    return pack_tree(root)


def cut_ops(joins: Sequence[Join]) -> set[int]:
    """The joins, and what moves their values on."""
    return {op.index for join in joins for op in (join.op, *join.moved_by)}


def _flows(graph: Subgraph, index: int, made: set[int]) -> bool:
    """Whether it is computed, or given; a constant without any values looks as if it were neither."""
    return index not in made and (index in graph.makers or index in graph.inputs)


def _tail(data: bytes, cut: Sequence[int], parts: Sequence[int]) -> Node:
    """The last ops as a file of their own, whose inputs are what they read of the others."""
    root, _ = parse_tree(data)
    main = root.subgraphs[0]
    operators = [main.operators[index] for index in cut]
    made = {int(index) for op in operators for index in op.outputs}
    main.outputs = np.array([int(index) for index in main.outputs if int(index) in made], np.int32)
    main.operators = operators
    main.inputs = np.array(parts, np.int32)
    root.signature_defs = None
    for tensor in main.tensors:
        tensor.quantization = None
    return parse_tree(without_unused(root))[0]


def _join(graph: Subgraph, op: Op, observations: Mapping[int, Observation]) -> Join | None:
    after = _to_outputs(graph, op)
    seen = {index: observations[index] for index in (*op.inputs, *op.outputs) if index in observations}
    if after is None or len(op.inputs) < 2 or op.outputs[0] not in seen:
        return None
    step = _span(seen[op.outputs[0]]) / (_LEVELS - 1)
    levels = {index: _span(seen[index]) / step for index in op.inputs if index in seen} if step > 0 else {}
    poorest = min(levels, key=lambda index: levels[index], default=-1)
    if poorest < 0 or not 0 < levels[poorest] < _FEWEST:
        return None
    return Join(op, tuple(after), levels[poorest], graph.tensors[poorest].name)


def _span(seen: Observation) -> float:
    return max(seen.maximum, 0.0) - min(seen.minimum, 0.0)


def _to_outputs(graph: Subgraph, op: Op) -> list[Op] | None:
    """Ops that move the result on to outputs; None where anything else reads it, or nothing."""
    found: list[Op] = []
    waiting = list(op.outputs)
    while waiting:
        index = waiting.pop()
        readers = [other for other in graph.ops if index in other.inputs]
        if any(other.name not in MOVING for other in readers) or not (readers or index in graph.outputs):
            return None
        found += [other for other in readers if other not in found]
        waiting += [result for other in readers for result in other.outputs]
    return sorted(found, key=lambda other: other.index)
