"""Attention masks of -inf, -1e9 or the lowest float, clamped to what a softmax needs before ranges are taken.

Before: ``SOFTMAX(ADD(scores, mask))`` or ``SOFTMAX(SELECT_V2(c, -inf, scores))``, moved, gathered or padded with the
mask's value on the way. The mask's range makes every score
the same integer, and kernels die of its scale. After: the same, with a mask that takes a score ``M`` below the lowest
one, where ``M = ln(512 n)``: all ``n`` masked places of a row together weigh less than half a step of an int8 softmax.
What a sum with the mask leaves below that is cut off by the end of its range, which costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace

import numpy as np

from edge_sdk.artifact.flatbuffer import Node
from edge_sdk.artifact.model import Op, Subgraph, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.engines.observe import Observation

MASK = 1e3
"""From here on a value that is added to scores, or put in their place, is a mask."""
_HALF_STEP = 512.0
_CARRIED = frozenset(
    {"RESHAPE", "TRANSPOSE", "EXPAND_DIMS", "SQUEEZE", "SLICE", "STRIDED_SLICE", "BROADCAST_TO", "TILE"}
)
# What scores go through on their way to a softmax.
_WAYS = _CARRIED | {"GATHER"}
# What exporters compute a mask by; each hands a large constant on.
_MAKING = _CARRIED | {"SELECT", "SELECT_V2", "MUL", "CAST", "GATHER", "CONCATENATION", "MAXIMUM", "MINIMUM"}
_CHOICES = frozenset({"SELECT", "SELECT_V2"})


def with_soft_masks(data: bytes, observations: dict[int, Observation]) -> bytes:
    """A copy with clamped masks; the file itself where it has none. Observations are corrected in place.

    Args:
        data: a float .tflite; its main subgraph is changed.
        observations: of its tensors.
    """
    graph = parse_artifact(data).main
    root, _ = parse_tree(data)
    masks = _Masks(graph, root, observations)
    found = [masks.soften(op) for op in graph.ops if op.name == "SOFTMAX"]
    if not any(found):
        return data
    masks.apply()
    return pack_tree(root)


class _Masks:
    def __init__(self, graph: Subgraph, root: Node, observations: dict[int, Observation]) -> None:
        self._graph = graph
        self._root = root
        self._seen = observations
        self._makers = graph.makers
        self._wanted: dict[int, float] = {}

    def soften(self, softmax: Op) -> bool:
        """Has the mask that reaches a SOFTMAX clamped; says whether there is one."""
        depth = math.log(_HALF_STEP * max(1, self._graph.tensors[softmax.inputs[0]].shape[-1]))
        way, index = [softmax.inputs[0]], softmax.inputs[0]
        pads: list[int] = []
        while (op := self._makers.get(index)) is not None and (op.name in _WAYS or self._pads(op)):
            pads += op.inputs[2:3] if op.name == "PADV2" else []
            index = op.inputs[0]
            way.append(index)
        ends = None
        if op is not None and (op.name == "ADD" or op.name in _CHOICES):
            ends = self._sum(op, depth) if op.name == "ADD" else self._choice(op, depth)
        if ends is None and pads and (scores := self._ends(way.pop())) is not None:
            ends = scores[0] - depth, max(scores[1], scores[0])
        if ends is None:
            return False
        for pad in pads:
            self._clamp(pad, -ends[0])
        self._set(way, *ends)
        return True

    def _pads(self, op: Op) -> bool:
        return (
            op.name == "PADV2"
            and self._graph.tensors[op.inputs[2]].constant is not None
            and self._is_mask(op.inputs[2])
        )

    def _sum(self, op: Op, depth: float) -> tuple[float, float] | None:
        for mask, scores in (op.inputs, op.inputs[::-1]):
            ends = self._ends(scores)
            if ends is None or not self._is_mask(mask):
                continue
            added = self._unmasked(mask)
            low, high = ends[0] + added[0], ends[1] + added[1]
            self._clamp(mask, high - low + depth)
            return low - depth, high
        return None

    def _choice(self, op: Op, depth: float) -> tuple[float, float] | None:
        _, first, second = op.inputs
        for mask, scores in ((first, second), (second, first)):
            ends = self._ends(scores)
            if ends is None or self._graph.tensors[mask].constant is None or not self._is_mask(mask):
                continue
            self._clamp(mask, depth - ends[0])
            return ends[0] - depth, max(ends[1], ends[0])
        return None

    def _ends(self, index: int) -> tuple[float, float] | None:
        """The range of scores; None where they are masked themselves, or were not seen."""
        seen = self._seen.get(index)
        if seen is None or not np.isfinite([seen.minimum, seen.maximum]).all() or seen.minimum <= -MASK:
            return None
        return seen.minimum, seen.maximum

    def _is_mask(self, index: int) -> bool:
        tensor, seen = self._graph.tensors[index], self._seen.get(index)
        if tensor.constant is not None:
            return tensor.dtype == "float32" and bool(np.min(tensor.values(), initial=0.0) <= -MASK)
        if seen is not None and seen.minimum <= -MASK:
            return True
        # A mask that no sample happened to set: its constants tell.
        return any(self._large(constant) for constant in self._constants(index))

    def _unmasked(self, index: int) -> tuple[float, float]:
        """What a mask adds where it masks nothing: a bias such as ALiBi's, most often zero."""
        tensor, seen = self._graph.tensors[index], self._seen.get(index)
        if tensor.constant is None and (seen is None or seen.minimum > -MASK):
            return (min(0.0, seen.minimum), max(0.0, seen.maximum)) if seen else (0.0, 0.0)
        every = [index] if tensor.constant is not None else self._constants(index)
        kept = [values[values > -MASK] for values in (self._graph.tensors[i].values() for i in every)]
        lowest = min((float(np.min(some, initial=0.0)) for some in kept), default=0.0)
        highest = max((float(np.max(some, initial=0.0)) for some in kept), default=0.0)
        return lowest, highest if seen is None else max(0.0, seen.maximum)

    def apply(self) -> None:
        """Clamps every mask that was found, and all that it is made of: to what the softmax that asks most needs."""
        limits: dict[int, float] = {}
        for index, limit in self._wanted.items():
            for place in self._cone(index):
                limits[place] = max(limit, limits.get(place, 0.0))
        large = [place for place in limits if self._large(place)]
        fed = self._fed(limits, large)
        for place in large:
            values = np.clip(self._graph.tensors[place].values(), -limits[place], limits[place]).astype(np.float32)
            self._root.buffers.append(_like(self._root.buffers[0], values))
            self._root.subgraphs[0].tensors[place].buffer = len(self._root.buffers) - 1
        for place in limits.keys() & self._seen.keys():
            seen, limit, signs = self._seen[place], limits[place], fed.get(place, ())
            # Where no sample set the mask its range must hold it all the same.
            low = -limit if -1 in signs else max(seen.minimum, -limit)
            high = limit if 1 in signs else min(seen.maximum, limit)
            self._seen[place] = replace(seen, minimum=low, maximum=high, mean_square=0.0)

    def _fed(self, cone: Container[int], large: Iterable[int]) -> dict[int, set[int]]:
        """The signs of the large constants that reach each tensor of a cone; their product is a mask, below zero."""
        found = {place: {self._sign(place)} for place in large}
        for op in self._graph.ops:
            signs = set().union(*(found.get(index, ()) for index in op.inputs)) if op.name in _MAKING else set()
            for index in op.outputs if signs else ():
                if index in cone:
                    found[index] = {-1} if op.name == "MUL" else signs
        return found

    def _sign(self, index: int) -> int:
        values = self._graph.tensors[index].values()
        return int(np.sign(values.flat[int(np.argmax(np.abs(values)))]))

    def _clamp(self, index: int, limit: float) -> None:
        """No value of a mask, nor of what it is computed from, shall go beyond ``limit``, or the largest asked."""
        self._wanted[index] = max(limit, self._wanted.get(index, 0.0))

    def _constants(self, index: int) -> Iterable[int]:
        return [i for i in self._cone(index) if self._large(i)]

    def _large(self, index: int) -> bool:
        tensor = self._graph.tensors[index]
        if tensor.constant is None or tensor.dtype != "float32":
            return False
        return bool(np.max(np.abs(tensor.values()), initial=0.0) >= MASK)

    def _cone(self, index: int) -> list[int]:
        """A mask and all that it is made of."""
        found, waiting = {index}, [index]
        while waiting:
            op = self._makers.get(waiting.pop())
            if op is not None and op.name in _MAKING:
                fresh = {i for i in op.inputs if i >= 0} - found
                found |= fresh
                waiting += fresh
        return sorted(found)

    def _set(self, way: list[int], low: float, high: float) -> None:
        for index in way:
            if index in self._seen:
                self._seen[index] = replace(self._seen[index], minimum=low, maximum=high, mean_square=0.0)


def _like(buffer: Node, values: np.ndarray) -> Node:  # type: ignore[type-arg]
    fields: Mapping[str, object] = {k: v for k, v in vars(buffer).items() if k != "kind"}
    return Node(buffer.kind, **{**fields, "data": np.frombuffer(values.tobytes(), np.uint8)})
