"""Channels of activations brought to like ranges, gates included, without changing what a float file computes.

Before: ``CONV_2D -> HARD_SWISH -> CONV_2D``, of whose channels one reaches 100 and another 1: with one int8 scale the
second has two of 256 levels. After: the first weights divided by each channel's range ``m``, which their own scales
take up, and ``MUL(x, RELU6(x * m + 3))``, with ``m`` in the weights behind: one product more for each gate, in integers
like the rest. Residual sums, pools, joins and squeeze-and-excite pass factors on (:mod:`.channels`).

Factors before a gate are powers of two, which int8 holds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.model import Op, Subgraph, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.quantize.weights.channels import INPUT_AXIS, OUTPUT_AXIS, Channels, Dot

Floats = npt.NDArray[np.float32]
Ends = tuple[Floats, Floats]
"""The least and the largest value of each channel."""

_RELU6 = 3
# A channel of a smaller share of its tensor's range is left with that of this one.
_SMALLEST = 1 / 64
# What a hard swish makes zero of, and others nearly.
_CURVE = -3.0


def without_hard_swishes(data: bytes, kept: Collection[int] = ()) -> bytes:
    """HARD_SWISH as the products that it is: ``x * RELU6(x + 3)``, and a sixth of it or of the factor that follows.

    Args:
        data: a float file.
        kept: indices of ops that must stay as they are.
    """
    graph = parse_artifact(data).main
    found = [op for op in graph.ops if op.name == "HARD_SWISH" and op.index not in kept]
    found = [op for op in found if graph.tensors[op.inputs[0]].dtype == "float32"]
    if not found:
        return data
    root, _ = parse_tree(data)
    edit = GraphEdit(root)
    three, sixth = (edit.add_constant(np.array(value, np.float32), f"{value:.3g}") for value in (3, 1 / 6))
    for op in found:
        x, result = op.inputs[0], op.outputs[0]
        name = graph.tensors[result].name
        gate, product = (edit.add_tensor(x, f"{name}_{word}") for word in ("gate", "product"))
        edit.put_before(op.index, "ADD", (x, three), (gate,), fused_activation_function=_RELU6)
        edit.become(op.index, "MUL", (x, gate))
        scaled = _scaled(graph, result)
        if scaled is None:
            edit.write(op.index, (product,))
            edit.put_after(op.index, "MUL", (product, sixth), (result,))
        else:
            by = next(index for index in scaled.inputs if index != result)
            edit.read(
                scaled.index, (result, edit.add_constant(graph.tensors[by].values() / np.float32(6), f"{name}_by"))
            )
    edit.finish()
    return pack_tree(root)


def _scaled(graph: Subgraph, index: int) -> Op | None:
    """The MUL by a constant that alone reads a tensor."""
    readers = graph.readers.get(index, ())
    if len(readers) != 1 or index in graph.outputs or readers[0].name != "MUL" or len(set(readers[0].inputs)) != 2:
        return None
    other = graph.tensors[next(one for one in readers[0].inputs if one != index)]
    return readers[0] if other.constant is not None and other.dtype == "float32" else None


def evened(data: bytes, seen: Mapping[int, Ends]) -> tuple[bytes, int]:
    """The file with channels of like ranges, and how many tensors that concerns; the same bytes where none.

    Args:
        data: a float file.
        seen: tensor that is computed, by index, to what its channels reached.
    """
    graph = parse_artifact(data).main
    channels = Channels(graph)
    factors = _factors(channels, seen)
    moved = sum(bool((factors[channels.of(index)] != 1).any()) for index in channels)
    if not moved:
        return data, 0
    root, _ = parse_tree(data)
    edit = GraphEdit(root)
    writer = _Writer(graph, channels, factors, edit)
    for op in graph.ops:
        writer.write(op)
    edit.finish()
    return pack_tree(root), moved


def _factors(channels: Channels, seen: Mapping[int, Ends]) -> Floats:
    """By a channel's number: the largest share of a tensor's range that one with this number has."""
    shares = np.zeros(channels.count, np.float32)
    gated = np.zeros(channels.count, bool)
    curves = set(channels.gates.values())
    for index in (index for index in channels if index in seen):
        low, high = seen[index]
        reach = np.maximum(high, -np.maximum(low, _CURVE) if index in curves else -low)
        most = float(reach.max())
        if np.isfinite(most) and most > 0:
            np.maximum.at(shares, channels.of(index), reach / most)
    for index in curves & set(channels):
        gated[channels.of(index)] = True
    # What no sample reached is left as it is.
    made = np.where(shares > 0, np.clip(shares, _SMALLEST, 1), 1)
    made = np.where(gated, np.exp2(np.ceil(np.log2(made))), made).astype(np.float32)
    made[0] = 1
    return made


class _Writer:
    """Writes the ops of one graph for tensors whose channels are divided by factors."""

    def __init__(self, graph: Subgraph, channels: Channels, factors: Floats, edit: GraphEdit) -> None:
        self._graph = graph
        self._channels = channels
        self._factors = factors
        self._edit = edit

    def write(self, op: Op) -> None:
        """Changes what an op reads beside its data, where that or its result has factors."""
        if (dot := self._channels.dots.get(op.index)) is not None:
            self._dot(dot)
        elif op.index in self._channels.gates:
            self._gate(op, self._channels.gates[op.index])
        elif op.name in ("ADD", "SUB"):
            self._shift(op)

    def _of(self, index: int) -> Floats:
        found: Floats = self._factors[self._channels.of(index)]
        return found

    def _dot(self, dot: Dot) -> None:
        op, result = dot.op, dot.op.outputs[0]
        read, made = self._of(dot.data), self._of(result)
        if (read == 1).all() and (made == 1).all():
            return
        tensors, inputs = self._graph.tensors, list(op.inputs)
        weights = tensors[dot.weights].values()
        if op.name == "DEPTHWISE_CONV_2D":
            read = np.repeat(read, len(made) // len(read))
        weights = weights * _along(read, INPUT_AXIS[op.name], weights.ndim)
        weights = weights / _along(made, OUTPUT_AXIS[op.name], weights.ndim)
        inputs[1] = self._edit.add_constant(weights.astype(np.float32), f"{tensors[dot.weights].name}_{op.index}")
        if dot.bias >= 0:
            bias = tensors[dot.bias]
            values = (bias.values().reshape(-1) / made).astype(np.float32)
            inputs[dot.bias_place] = self._edit.add_constant(values.reshape(bias.shape), f"{bias.name}_{op.index}")
        self._edit.read(op.index, inputs)

    def _gate(self, op: Op, x: int) -> None:
        by = self._of(x)
        if (by == 1).all():
            return
        name = f"{self._graph.tensors[op.outputs[0]].name}_whole"
        made = self._edit.add_tensor(x, name)
        self._edit.put_before(op.index, "MUL", (x, self._edit.add_constant(by, f"{name}_by")), (made,))
        self._edit.read(op.index, [made if index == x else index for index in op.inputs])

    def _shift(self, op: Op) -> None:
        stored = [place for place, index in enumerate(op.inputs) if self._graph.tensors[index].constant is not None]
        result = op.outputs[0]
        if not stored or result not in self._channels or (self._of(result) == 1).all():
            return
        by = self._of(result)
        shift = self._graph.tensors[op.inputs[stored[0]]]
        inputs = list(op.inputs)
        values = (shift.values() / by).astype(np.float32)
        inputs[stored[0]] = self._edit.add_constant(values, f"{shift.name}_{op.index}")
        self._edit.read(op.index, inputs)


def _along(factor: Floats, axis: int, rank: int) -> Floats:
    return factor.reshape([-1 if one == axis else 1 for one in range(rank)])
