"""Which channels of a float file's tensors can be divided by a factor together, and what that asks of its ops.

A factor passes through what is linear, or tells signs apart alone: sums, windows, pads, pools, ReLU, PReLU. Dot
products take it up in their weights. In a gated product, ``x * g(x)`` or ``x * g`` with a bounded or smaller ``g``, it
passes through ``x`` alone: what the gate computes it computes of ``x`` itself, which one product with the factors gives
back. All else keeps the channels that it reads and makes as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Op, Subgraph

Places = npt.NDArray[np.int64]

INPUT_AXIS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 3}
OUTPUT_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0}
_TRANSPOSED = "TRANSPOSE_CONV"
_PASSING = frozenset(
    {"AVERAGE_POOL_2D", "LEAKY_RELU", "MAX_POOL_2D", "PAD", "PRELU", "RELU"}
    | {"RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"}
)
_SHAPING = frozenset({"EXPAND_DIMS", "RESHAPE", "SQUEEZE"})
_BOUNDED = frozenset({"HARD_SIGMOID", "LOGISTIC", "MAXIMUM", "MINIMUM", "RELU6", "RELU_0_TO_1", "TANH"})
_LINEAR = (0, 1)
_RELU6 = 3
# Ops between a product and where its gate begins.
_DEPTH = 4


@dataclass(frozen=True)
class Dot:
    """A dot product with constant weights: its op, and the tensors of its data, weights and bias (-1: none)."""

    op: Op
    data: int
    weights: int
    bias: int

    @property
    def bias_place(self) -> int:
        """Of the bias among the op's inputs."""
        return 3 if self.op.name == _TRANSPOSED else 2


def _dots(graph: Subgraph) -> Iterator[Dot]:
    for op in (op for op in graph.ops if op.name in INPUT_AXIS):
        place = 3 if op.name == _TRANSPOSED else 2
        bias = op.inputs[place] if place < len(op.inputs) else -1
        stored = [graph.tensors[index] for index in (op.inputs[1], bias) if index >= 0]
        data = op.inputs[2 if op.name == _TRANSPOSED else 0]
        read, width = graph.tensors[data].shape[-1:], stored[0].shape[INPUT_AXIS[op.name]]
        # Weights of groups, or of an operand that is flattened, have other channels than what they read.
        alike = width % read[0] == 0 if read and op.name == "DEPTHWISE_CONV_2D" else read == (width,)
        if alike and all(one.constant is not None and one.dtype == "float32" for one in stored):
            yield Dot(op, data, op.inputs[1], bias)


class Channels:
    """A number for each channel of every tensor that is computed: equal ones have one factor, that of 0 is 1.

    Args:
        graph: of a float file, channels last.
    """

    def __init__(self, graph: Subgraph) -> None:
        self._graph = graph
        self.dots = {dot.op.index: dot for dot in _dots(graph)}
        # Product to what it gates; op with which a gate begins to what it reads.
        self._gated: dict[int, int] = {}
        self.gates: dict[int, int] = {}
        for op in graph.ops:
            self._look_for_gate(op)
        self._first: dict[int, int] = {}
        count = 1
        for index in self._computed():
            self._first[index] = count
            count += graph.tensors[index].shape[-1]
        self._parent = list(range(count))
        for op in graph.ops:
            self._apply(op)
        for index in (*graph.inputs, *graph.outputs):
            self._pin(index)

    def __contains__(self, index: int) -> bool:
        return index in self._first

    def __iter__(self) -> Iterator[int]:
        """Tensors that have channels."""
        return iter(self._first)

    @property
    def count(self) -> int:
        """One more than the largest number."""
        return len(self._parent)

    def of(self, index: int) -> Places:
        """Numbers of a tensor's channels, its last axis."""
        first = self._first[index]
        return self._roots[first : first + self._graph.tensors[index].shape[-1]]

    @cached_property
    def _roots(self) -> Places:
        return np.array([self._find(place) for place in range(len(self._parent))])

    def _computed(self) -> list[int]:
        every = {index for op in self._graph.ops for index in (*op.inputs, *op.outputs) if index >= 0}
        tensors = self._graph.tensors
        return sorted(
            i for i in every if tensors[i].constant is None and tensors[i].dtype == "float32" and tensors[i].shape
        )

    def _look_for_gate(self, op: Op) -> None:
        """Of a product of two computed tensors, which one is gated."""
        if op.name != "MUL" or op.options.get("fused_activation_function", 0) or len(set(op.inputs)) != 2:
            return
        for x, gate in (op.inputs, op.inputs[::-1]):
            one, other = self._graph.tensors[x], self._graph.tensors[gate]
            if one.constant is not None or other.constant is not None or not one.shape:
                return
            begin = self._begin(gate, x)
            if begin is not None:
                self._gated[op.index], self.gates[begin.index] = x, x
                return
            if one.elements > other.elements or (one.shape == other.shape and self._is_bounded(gate)):
                self._gated[op.index] = x
                return

    def _begin(self, gate: int, x: int) -> Op | None:
        """The op that reads ``x`` first on the way to its own gate."""
        makers = self._graph.makers
        for _ in range(_DEPTH):
            op = makers.get(gate)
            if op is None or op.index in self.dots:
                return None
            read = [index for index in op.inputs if index >= 0 and self._graph.tensors[index].constant is None]
            if read == [x]:
                return None if op.name in (*_PASSING, *_SHAPING, "MEAN", "SUM") else op
            if len(read) != 1:
                return None
            gate = read[0]
        return None

    def _is_bounded(self, index: int) -> bool:
        maker = self._graph.makers.get(index)
        if maker is None:
            return False
        return maker.name in _BOUNDED or maker.options.get("fused_activation_function", 0) == _RELU6

    def _apply(self, op: Op) -> None:
        data = [index for index in op.inputs if index in self._first]
        if op.name == "CONCATENATION" and self._joins_channels(op):
            parts = [place for index in op.inputs for place in self._places(index)]
            self._join(parts, self._places(op.outputs[0]))
            return
        tied, free = self._rule(op, data)
        # A pad of channels, or a spread along them, makes others.
        tied = tied if len({self._graph.tensors[index].shape[-1:] for index in tied}) == 1 else ()
        for index in (*data, *(i for i in op.outputs if i in self._first)):
            if index not in tied and index not in free:
                self._pin(index)
        for one, other in pairwise(tied):
            self._join(self._places(one), self._places(other))

    def _rule(self, op: Op, data: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """Operands and results that share factors, and those that may have factors of their own."""
        linear = op.options.get("fused_activation_function", 0) in _LINEAR
        if op.index in self.dots:
            return (), (self.dots[op.index].data, *(op.outputs if linear else ()))
        if op.index in self.gates:
            return (), (self.gates[op.index],)
        return (self._tied(op, data) if linear and data else ()), ()

    def _tied(self, op: Op, data: Sequence[int]) -> Sequence[int]:
        if op.index in self._gated:
            return self._gated[op.index], *op.outputs
        passes = op.name in _PASSING or (op.name in (*_SHAPING, "MEAN") and self._keeps_channels(op))
        if passes and len(data) == 1:
            return *data, *op.outputs
        if op.name in ("ADD", "SUB") or (op.name == "MUL" and len(data) == 1):
            same = all(self._graph.tensors[index].shape[-1] == self._width(op) for index in data)
            return (*data, *op.outputs) if same else ()
        return ()

    def _keeps_channels(self, op: Op) -> bool:
        """Whether a reshape leaves the last axis, and a mean is over others."""
        if self._graph.tensors[op.inputs[0]].shape[-1] != self._width(op):
            return False
        if op.name != "MEAN":
            return True
        axes, rank = self._graph.tensors[op.inputs[1]], len(self._graph.tensors[op.inputs[0]].shape)
        return axes.constant is not None and rank - 1 not in {int(a) % rank for a in axes.values().reshape(-1)}

    def _width(self, op: Op) -> int:
        shape = self._graph.tensors[op.outputs[0]].shape
        return shape[-1] if shape else 0

    def _joins_channels(self, op: Op) -> bool:
        rank = len(self._graph.tensors[op.outputs[0]].shape)
        last = int(op.options.get("axis") or 0) % rank == rank - 1
        fused = op.options.get("fused_activation_function", 0)
        return last and fused in _LINEAR and all(index in self._first for index in (*op.inputs, *op.outputs))

    def _places(self, index: int) -> range:
        first = self._first[index]
        return range(first, first + self._graph.tensors[index].shape[-1])

    def _pin(self, index: int) -> None:
        for place in self._places(index) if index in self._first else ():
            self._parent[self._find(place)] = 0

    def _join(self, left: Sequence[int], right: Sequence[int]) -> None:
        for one, other in zip(left, right, strict=True):
            low, high = sorted((self._find(one), self._find(other)))
            self._parent[high] = low

    def _find(self, place: int) -> int:
        while self._parent[place] != place:
            self._parent[place] = self._parent[self._parent[place]]
            place = self._parent[place]
        return place
