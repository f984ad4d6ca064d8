"""Where infinities, and values far beyond all others, stand in a float graph, and what put them there.

A mark is -inf, -1e9 or the lowest float (or its like above) that a constant puts beside values, or an infinity that an
op computes, as LOG of zero. Marks are followed forward through ops that move values, choose among them or add to them;
each tensor on the way is told with the range of the rest of its values, its *live* ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.model import Op, Subgraph, Tensor, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.engines.observe import ENDLESS, Observation

Ends = tuple[float, float]

FAR = 1e4
"""From here on a constant may be a mark."""
_BESIDE = 16.0
# Of a flag's values, to the middle of a histogram's bin.
_FLAG = 1e-3
# Values of a constant that each reader may have for itself.
_SMALL = 1024
# By the place of the operand whose values an op moves.
MOVED = {
    **dict.fromkeys(
        ("BROADCAST_TO", "DEPTH_TO_SPACE", "EXPAND_DIMS", "GATHER", "GATHER_ND", "MIRROR_PAD", "RESHAPE", "REVERSE_V2"),
        0,
    ),
    **dict.fromkeys(
        ("SLICE", "SPACE_TO_DEPTH", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "TILE", "TRANSPOSE", "UNPACK", "PAD"), 0
    ),
    **dict.fromkeys(("EMBEDDING_LOOKUP", "FILL", "SPLIT"), 1),
}
JOINED = {
    "CONCATENATION": slice(None), "PACK": slice(None), "PADV2": slice(0, 3, 2),
    "SELECT": slice(1, 3), "SELECT_V2": slice(1, 3),
}  # fmt: skip
LARGEST = frozenset({"MAX_POOL_2D", "REDUCE_MAX", "TOPK_V2"})
CLAMPED = {"RELU": (True, False), "RELU6": (True, True), "RELU_0_TO_1": (True, True), "RELU_N1_TO_1": (True, True)}
"""Whether marks below and above end there."""


@dataclass(frozen=True)
class Mark:
    """What is known of a tensor's values.

    Attributes:
        live: range of those that are none; None where all are.
        low: some are far below.
        high: some are far above.
        near: the least distance from zero of one; infinite where all are.
        computed: an op made them of values without.
    """

    live: Ends | None
    low: bool = False
    high: bool = False
    near: float = float("inf")
    computed: bool = False

    def __bool__(self) -> bool:
        return self.low or self.high

    @property
    def turned(self) -> Mark:
        """Of the negative values."""
        live = None if self.live is None else (-self.live[1], -self.live[0])
        return replace(self, live=live, low=self.high, high=self.low)


def find_marks(graph: Subgraph, seen: Mapping[int, Observation]) -> dict[int, Mark]:
    """Marks of float tensors by index, constants among them; tensors without any that have a range are in it, too.

    Args:
        graph: the float graph.
        seen: of its tensors.
    """
    finder = _Finder(graph, seen)
    for op in graph.ops:
        finder.follow(op)
    return finder.found


def with_own_marks(data: bytes) -> bytes:
    """A copy in which no two ops read one small constant with marks: each may need them of another size."""
    graph = parse_artifact(data).main
    shared = {
        index: ops
        for index, ops in graph.readers.items()
        if len(ops) > 1 and graph.tensors[index].elements <= _SMALL and _is_marked(graph.tensors[index])
    }
    if not shared:
        return data
    root, _ = parse_tree(data)
    edit = GraphEdit(root)
    for index, ops in shared.items():
        for number, op in enumerate(ops[1:], 1):
            own = edit.add_constant(graph.tensors[index].values(), f"{graph.tensors[index].name}_{number}")
            edit.read(op.index, [own if i == index else i for i in edit.inputs(op.index)])
    edit.finish()
    return pack_tree(root)


def _is_marked(tensor: Tensor) -> bool:
    if tensor.constant is None or tensor.dtype != "float32":
        return False
    return bool(np.max(np.abs(tensor.values()), initial=0.0) >= FAR)


def shows(mark: Mark, one: Observation) -> bool:
    """Whether a mark was seen on the samples, and not only may be there."""
    return (mark.low and one.minimum <= -mark.near / 2) or (mark.high and one.maximum >= mark.near / 2)


def scalar(graph: Subgraph, op: Op) -> float | None:
    """The one number that an op multiplies its other operand by."""
    values = [t.values() for t in graph.operands(op) if t.constant is not None and t.elements == 1]
    return float(values[0].reshape(-1)[0]) if len(values) == 1 and abs(values[0].reshape(-1)[0]) < FAR else None


def is_fused(op: Op) -> bool:
    """Whether an op clamps what it computes."""
    return bool(op.options.get("fused_activation_function"))


class _Finder:
    def __init__(self, graph: Subgraph, seen: Mapping[int, Observation]) -> None:
        self._graph, self._seen = graph, seen
        self.found: dict[int, Mark] = {
            tensor.index: _of_constant(tensor.values())
            for op in graph.ops
            if not macs(graph, op)
            for tensor in graph.operands(op)
            if tensor.constant is not None and tensor.dtype == "float32"
        }
        self.found |= {
            index: replace(_of_values(seen[index]), computed=True) for index in graph.inputs if index in seen
        }

    def follow(self, op: Op) -> None:
        """What an op's results hold."""
        able = [self.found[index] for index in op.inputs if index in self.found]
        product = macs(self._graph, op) > 0
        made = self._made(op) if any(able) and not product else None
        for index in op.outputs:
            if index not in self._seen:
                continue
            one = self._seen[index]
            if product:
                # Infinities there are no mask: the model itself overflows, or its weights do.
                self.found[index] = Mark(_of_values(one).live)
            elif made:
                # Finite marks that are not far from what they stand beside are values like others.
                far = made.live is None or made.near >= _BESIDE * max(map(abs, made.live))
                self.found[index] = made if far else _of_values(one)
            else:
                self.found[index] = replace(_of_values(one), computed=True)

    def _made(self, op: Op) -> Mark | None:
        """What follows from operands; None where nothing does, or no mark is left."""
        marks = [self.found.get(index) for index in op.inputs]
        if op.name in JOINED:
            return _union(mark for mark in marks[JOINED[op.name]] if mark is not None)
        if op.name in MOVED:
            mark = marks[MOVED[op.name]]
            return _union([mark, Mark((0.0, 0.0))]) if op.name == "PAD" and mark else mark
        if len(marks) == 2 and op.name in ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"):
            one, other = marks
            return None if one is None or other is None or is_fused(op) else self._binary(op, one, other)
        return self._unary(op, marks[0]) if marks and marks[0] is not None else None

    def _unary(self, op: Op, mark: Mark) -> Mark | None:
        if op.name == "NEG":
            return mark.turned
        if op.name in CLAMPED:
            below, above = CLAMPED[op.name]
            live = (0.0, max(0.0, *(mark.live or (0.0,))))
            return replace(mark, low=mark.low and not below, high=mark.high and not above, live=live)
        if op.name in LARGEST:
            return self._of_rows(op, mark)
        return self._of_rows(op, mark.turned).turned if op.name == "REDUCE_MIN" else None

    def _of_rows(self, op: Op, mark: Mark) -> Mark:
        """Of the largest of many: a mark below is left where a whole row was seen to be marks."""
        one = self._seen.get(op.outputs[0])
        ends = (np.inf, np.inf) if one is None else (one.minimum, -one.maximum)
        least = ends[op.name == "REDUCE_MIN"]
        return replace(mark, low=mark.low and least <= -mark.near / 2)

    def _binary(self, op: Op, one: Mark, other: Mark) -> Mark | None:
        if op.name == "SUB":
            other = other.turned
        if op.name in ("ADD", "SUB"):
            both = _union([one, other])
            # Infinities of both signs make what is not a number; where nothing of one side is live, all is shifted.
            if one.live is None or other.live is None or (both.low and both.high):
                return None
            return replace(both, live=(one.live[0] + other.live[0], one.live[1] + other.live[1]))
        if op.name == "MUL":
            return self._product(op, one, other)
        if op.name == "MINIMUM":
            return _larger(one.turned, other.turned).turned
        return _larger(one, other)

    def _product(self, op: Op, one: Mark, other: Mark) -> Mark | None:
        marked, factor = (one, other) if one else (other, one)
        if factor or factor.live is None:
            return None
        number = scalar(self._graph, op)
        if number:
            made = marked if number > 0 else marked.turned
            live = None if made.live is None else (made.live[0] * abs(number), made.live[1] * abs(number))
            return replace(made, live=live, near=made.near * abs(number))
        if marked.live is None and np.isfinite(marked.near) and self._is_flag(op, factor.live):
            # A mark where a flag is 1, or -1, and zero elsewhere.
            if factor.live[0] >= 0:
                return replace(marked, live=(0.0, 0.0))
            return replace(marked.turned, live=(0.0, 0.0)) if factor.live[1] <= 0 else None
        return None

    def _is_flag(self, op: Op, live: Ends) -> bool:
        """Whether what an op reads besides a constant was 0 and 1, or 0 and -1, and nothing between."""
        seen = [self._seen[index].histogram for index in op.inputs if index in self._seen]
        counted = [one.points()[0] for one in seen if one is not None]
        between = [np.any((np.abs(values) > _FLAG) & (np.abs(values) < 1 - _FLAG)) for values in counted]
        return max(map(abs, live)) <= 1 and not any(between)


def _larger(one: Mark, other: Mark) -> Mark:
    """Of the larger of two."""
    both = _union([one, other])
    return replace(both, low=one.low and other.low)


def _union(marks: Iterable[Mark]) -> Mark:
    every = list(marks)
    lives = [mark.live for mark in every if mark.live is not None]
    return Mark(
        (min(low for low, _ in lives), max(high for _, high in lives)) if lives else None,
        any(mark.low for mark in every),
        any(mark.high for mark in every),
        min((mark.near for mark in every), default=float("inf")),
    )


def _of_constant(values: np.ndarray) -> Mark:  # type: ignore[type-arg]
    rest = values[np.abs(values) < FAR]
    far = values[np.abs(values) >= FAR]
    live = (float(rest.min()), float(rest.max())) if rest.size else None
    return Mark(live, bool((far < 0).any()), bool((far > 0).any()), float(np.min(np.abs(far), initial=np.inf)))


def _of_values(one: Observation) -> Mark:
    """Of values as they were seen: infinities alone are marks."""
    return Mark(
        (one.low, one.high) if one.low <= one.high else None,
        one.minimum <= -ENDLESS,
        one.maximum >= ENDLESS,
    )
