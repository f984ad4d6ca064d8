"""Channel shuffles without moving a value: their order is carried on to the weights of who reads the channels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor
from edge_sdk.converters.lower.direct.passes.matching import View, constant, integers, scalar
from edge_sdk.converters.lower.direct.passes.moving.channels import swaps_last
from edge_sdk.converters.lower.direct.passes.moving.shuffle_readers import Order, reading_in_order

# XNNPACK joins up to five.
_JOINED = 5


def carry_shuffles(graph: Graph) -> Graph:
    """Takes channels from where they were made, in whatever order, and orders the weights that read them.

    Before::

        c = CONCATENATION(a, b)    r = RESHAPE(c, [N, H, W, 2, C])    t = TRANSPOSE(r, [0, 1, 2, 4, 3])
        p, q = SPLIT(RESHAPE(t, [N, H, W, 2 * C]))    y = CONV_2D(q, w)    e = CONCATENATION(p, y)

    After::

        y = CONV_2D(CONCATENATION(SLICE(a, second half), SLICE(b, second half)), w')
        e = CONCATENATION(SLICE(a, first half), SLICE(b, first half), y), read in its own order by what follows

    A shuffle stays where some reader of it cannot take channels in another order.
    """
    if all(op.kind != "TRANSPOSE" for op in graph.ops):
        return graph
    kept: frozenset[Op] = frozenset()
    while True:
        walk = _Walk(graph, kept)
        if not walk.shuffles:
            return graph
        made = walk.graph()
        if not walk.blocked:
            return made
        kept |= walk.blocked


@dataclass(frozen=True)
class _Value:
    """A value that may never be in memory: where each channel of it is, and the shuffles that it went through."""

    places: tuple[tuple[Tensor, int], ...]
    through: frozenset[Op] = frozenset()


@dataclass(frozen=True)
class _Run:
    """Channels that lie side by side in a tensor, and which of the value's they are."""

    tensor: Tensor
    begin: int
    channels: tuple[int, ...]


class _Walk:
    def __init__(self, graph: Graph, kept: frozenset[Op]) -> None:
        self._graph = graph
        self._view = View(graph)
        self.shuffles: dict[Op, Tensor] = {}
        self._gone: set[Op] = set()
        self.blocked: set[Op] = set()
        self._values: dict[Tensor, _Value] = {}
        self._slices: dict[tuple[Tensor, int, int], Tensor] = {}
        self._stored: dict[Tensor, tuple[Tensor, Order]] = {}
        self._ops: list[Op] = []
        for op in graph.ops:
            if op.kind == "TRANSPOSE" and op not in kept:
                self._find(op)

    def _find(self, op: Op) -> None:
        view = self._view
        before, after = view.maker(op.inputs[0], "RESHAPE"), view.only_reader(op.output, "RESHAPE")
        made = before.inputs[0] if before is not None else None
        if before is None or after is None or made is None or made.data is not None:
            return
        if view.only_reader(before.output) is op and swaps_last(op, made, after.output):
            self.shuffles[op] = after.output
            self._gone |= {before, op, after}

    def graph(self) -> Graph:
        """The graph without those shuffles; of no use if some were blocked."""
        for op in self._graph.ops:
            self._step(op)
        for tensor in self._values:
            if self._view.is_output(tensor):
                self.blocked |= self._values[tensor].through
        return replace(self._graph, ops=tuple(self._ops))

    def _step(self, op: Op) -> None:
        if op.kind == "TRANSPOSE" and op in self.shuffles:
            self._shuffle(op)
        elif op not in self._gone and not self._is_carried(op):
            self._read(op)

    def _shuffle(self, op: Op) -> None:
        before = self._view.maker(op.inputs[0])
        made = before.inputs[0] if before is not None else None
        if before is None or made is None:
            raise ValueError("a shuffle begins with a RESHAPE")
        value = self._value(made)
        order = np.arange(len(value.places)).reshape(before.output.shape[-2:]).T.reshape(-1)
        places = tuple(value.places[i] for i in order)
        self._values[self.shuffles[op]] = _Value(places, value.through | {op})

    def _value(self, tensor: Tensor) -> _Value:
        own = self._values.get(tensor)
        return own if own is not None else _Value(tuple((tensor, i) for i in range(tensor.shape[-1])))

    def _is_carried(self, op: Op) -> bool:
        """Whether the op only moves channels that are kept account of; then its results are too."""
        if not any(t in self._values for t in op.inputs if t is not None) and not self._feeds_a_shuffle(op):
            return False
        if op.kind == "CONCATENATION" and op.options.get("axis") in (-1, len(op.output.shape) - 1):
            parts = [self._value(t) for t in op.inputs if t is not None]
            through = frozenset().union(*(part.through for part in parts))
            self._values[op.output] = _Value(tuple(p for part in parts for p in part.places), through)
            return True
        cut = _cut(op)
        if cut is None or cut[0] not in self._values:
            return False
        value = self._values[cut[0]]
        for result, begin in zip(op.outputs, cut[1], strict=True):
            self._values[result] = replace(value, places=value.places[begin : begin + result.shape[-1]])
        return True

    def _feeds_a_shuffle(self, op: Op) -> bool:
        reader = self._view.only_reader(op.output, "RESHAPE") if op.kind == "CONCATENATION" else None
        return reader is not None and self._view.only_reader(reader.output) in self.shuffles

    def _read(self, op: Op) -> None:
        carried = [t for t in op.inputs if t in self._values]
        if not carried or carried[0] is None:
            self._ops.append(op)
            return
        laid = {t: self._laid(t) for t in carried if t is not None}
        orders = {tensor: order for tensor, (_, order) in laid.items() if not order.is_plain}
        stored = op.reading(*(laid[t][0] if t in laid and t is not None else t for t in op.inputs))
        if not orders:
            self._ops.append(stored)
            return
        taken = reading_in_order(stored, laid[carried[0]][1]) if len(carried) == 1 else None
        through = frozenset().union(*(self._values[tensor].through for tensor in orders))
        if taken is None:
            self.blocked |= through
            self._ops.append(stored)
        elif taken.keeps_order:
            self._hand_on(op.output, taken.op, orders[carried[0]], through)
        else:
            self._ops.append(taken.op)

    def _hand_on(self, result: Tensor, op: Op, order: Order, through: frozenset[Op]) -> None:
        made = replace(result)
        self._ops.append(op.making(made))
        places = tuple((made, int(place)) for place in np.argsort(order.channels))
        self._values[result] = _Value(places, through)

    def _laid(self, tensor: Tensor) -> tuple[Tensor, Order]:
        """A value in memory, and which of its channels stands where; once for all who read it."""
        if tensor not in self._stored:
            self._stored[tensor] = self._store(tensor)
        return self._stored[tensor]

    def _store(self, tensor: Tensor) -> tuple[Tensor, Order]:
        runs = _runs(self._values[tensor].places)
        parts = [(self._sliced(run), run.channels) for run in runs]
        while len(parts) > 1:
            # The smallest are copied most often.
            count = _JOINED if len(parts) >= 2 * _JOINED - 1 else max(len(parts) - _JOINED + 1, 0)
            parts.sort(key=lambda part: len(part[1]) if len(parts) > _JOINED else 0)
            first, rest = (parts[:count], parts[count:]) if len(parts) > _JOINED else (parts, [])
            parts = [self._joined(first), *rest]
        whole, channels = parts[0]
        return whole, Order(channels)

    def _sliced(self, run: _Run) -> Tensor:
        tensor, size = run.tensor, len(run.channels)
        if size == tensor.shape[-1]:
            return tensor
        key = (tensor, run.begin, size)
        if key not in self._slices:
            begins = [0] * (len(tensor.shape) - 1) + [run.begin]
            result = replace(tensor, shape=(*tensor.shape[:-1], size))
            sizes = constant(tensor.origin, result.shape, "int32")
            self._ops.append(Op("SLICE", (tensor, constant(tensor.origin, begins, "int32"), sizes), (result,)))
            self._slices[key] = result
        return self._slices[key]

    def _joined(self, parts: Sequence[tuple[Tensor, tuple[int, ...]]]) -> tuple[Tensor, tuple[int, ...]]:
        tensors = [tensor for tensor, _ in parts]
        channels = tuple(channel for _, some in parts for channel in some)
        result = replace(tensors[0], shape=(*tensors[0].shape[:-1], len(channels)))
        options = {"axis": len(result.shape) - 1, "fused_activation_function": "NONE"}
        self._ops.append(Op("CONCATENATION", tuple(tensors), (result,), options))
        return result, channels


def _runs(places: Iterable[tuple[Tensor, int]]) -> list[_Run]:
    """As few as the channels allow, tensors in the order in which the value first has them."""
    by_tensor: dict[Tensor, list[tuple[int, int]]] = {}
    for channel, (tensor, place) in enumerate(places):
        by_tensor.setdefault(tensor, []).append((place, channel))
    runs: list[_Run] = []
    for tensor, held in by_tensor.items():
        for place, channel in sorted(held):
            last = runs[-1] if runs else None
            if last is not None and last.tensor is tensor and place == last.begin + len(last.channels):
                runs[-1] = replace(last, channels=(*last.channels, channel))
            else:
                runs.append(_Run(tensor, place, (channel,)))
    return runs


def _cut(op: Op) -> tuple[Tensor, tuple[int, ...]] | None:
    """What an op cuts along its last axis, and where each part begins."""
    if op.kind == "SLICE":
        x, begins = op.inputs[0], integers(op.inputs[1])
        if x is None or begins is None or any(begins[:-1]) or x.shape[:-1] != op.output.shape[:-1]:
            return None
        return x, (begins[-1],)
    if op.kind not in ("SPLIT", "SPLIT_V"):
        return None
    x, axis = (op.inputs[1], op.inputs[0]) if op.kind == "SPLIT" else (op.inputs[0], op.inputs[2])
    if x is None or (place := scalar(axis)) is None or int(place) % len(x.shape) != len(x.shape) - 1:
        return None
    ends = np.cumsum([result.shape[-1] for result in op.outputs])
    return x, (0, *(int(end) for end in ends[:-1]))
