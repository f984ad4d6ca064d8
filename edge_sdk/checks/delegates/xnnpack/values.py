"""The graph that the XNNPACK delegate builds of one partition: its nodes, and the values that only it sees.

*Predicted* by ``xnnpack_delegate.cc`` (LiteRT v2.1.0) and ``src/subgraph.c`` (XNNPACK 77468446ebfd), with the rewrites
that change memory: padding that moves into a convolution, activations that merge into the op before, inputs that are
quantized on the fly, rows of element-wise ops on 8 bits that become one table. Other rewrites leave the sizes as they
are, or nearly so.
"""

from __future__ import annotations

from dataclasses import replace

from edge_sdk.artifact.model import Op, Subgraph, Tensor
from edge_sdk.checks.delegates.xnnpack.heap import is_hybrid, is_plain, op_heap, up
from edge_sdk.checks.delegates.xnnpack.kernels import CpuKernels
from edge_sdk.checks.delegates.xnnpack.nodes import Node, Values
from edge_sdk.checks.delegates.xnnpack.rewrites import (
    CLAMPS,
    drop_unused,
    merge_clamps,
    merge_padding,
    merge_reshapes,
    merge_tables,
)
from edge_sdk.checks.placement.partition import Partition
from edge_sdk.checks.placement.site import EIGHT_BITS

_PARAMETERS, _EXTRA_PARAMETERS = 8, 15
_BINARY = frozenset({"ADD", "DIV", "MAXIMUM", "MINIMUM", "MUL", "POW", "PRELU", "SQUARED_DIFFERENCE", "SUB"})
_MOVES = frozenset({"EXPAND_DIMS", "RESHAPE", "SOFTMAX", "SQUEEZE"})
_TABLES = frozenset({"ELU", "LOGISTIC", "TANH"})
_UNARY = CLAMPS | _TABLES | {
    "ABS", "CEIL", "COS", "DEQUANTIZE", "EXP", "FLOOR", "GELU", "HARD_SWISH", "LEAKY_RELU", "NEG", "QUANTIZE", "ROUND",
    "RSQRT", "SIN", "SQRT", "SQUARE",
}  # fmt: skip
_UNPACKS = frozenset({"DEQUANTIZE", "DENSIFY"})
_TAKES_FLOAT16 = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})


def find_values(graph: Subgraph, part: Partition, kernels: CpuKernels, *, threads: int = 1) -> Values:
    """The graph of one delegated partition."""
    builder = _Builder(graph, part, kernels, threads)
    for index in part.ops:
        builder.add(graph.ops[index])
    nodes = merge_tables(merge_padding(graph, builder.nodes), builder.inside, builder.bytes_wide)
    nodes = drop_unused(merge_reshapes(merge_clamps(nodes, builder.inside)), part.outputs)
    used = {value for node in nodes for value in (*node.inputs, *node.outputs)}
    inside = {value: size for value, size in sorted(builder.inside.items()) if value in used}
    # A number for each tensor of the file, and one for the value that stands for it.
    defined = 2 * len(builder.tensors) + builder.hidden + builder.next_id - len(graph.tensors)
    crossing = sum(not graph.tensors[index].is_stored for index in {*part.inputs, *part.outputs})
    return Values(tuple(nodes), inside, tuple(builder.unpacked), defined, len(builder.tensors), crossing)


class _Builder:
    """Adds the nodes of one op after the other, as the delegate's ``Visit`` functions do."""

    def __init__(self, graph: Subgraph, part: Partition, kernels: CpuKernels, threads: int) -> None:
        self._graph = graph
        self._kernels = kernels
        self._threads = threads
        self._outside = frozenset((*part.inputs, *part.outputs))
        self._constant = {tensor.index for tensor in graph.tensors if tensor.is_stored}
        self.nodes: list[Node] = []
        self.inside: dict[int, int] = {}
        self.unpacked: list[int] = []
        self.tensors: set[int] = set()
        # Values that are defined and come to nothing: inputs that are quantized on the way, constants before unpacking.
        self.hidden = 0
        self.bytes_wide = {tensor.index for tensor in graph.tensors if tensor.dtype in EIGHT_BITS}
        self.next_id = len(graph.tensors)

    def add(self, op: Op) -> None:
        if op.name == "VAR_HANDLE":
            return
        if op.name in _UNPACKS and op.inputs[0] in self._constant:
            self._unpack(op)
            return
        inputs = tuple(index for index in op.inputs if index >= 0 and index not in self._constant)
        used = [index for index in (*op.inputs, *op.outputs) if index >= 0]
        self.tensors.update(index for index in used if not _is_parameter(self._graph.tensors[index]))
        for index in op.outputs:
            if index not in self._outside:
                self.inside[index] = self._graph.tensors[index].size_bytes
        self._define(op, inputs)

    def _unpack(self, op: Op) -> None:
        """The result is a constant; it is computed once unless the layers take float16 as it is."""
        result = op.outputs[0]
        self._constant.add(result)
        self.hidden += 1
        readers = [reader for reader in self._graph.ops if result in reader.inputs]
        kept = all(reader.name in _TAKES_FLOAT16 and reader.inputs[0] != result for reader in readers)
        if not (self._graph.tensors[op.inputs[0]].dtype == "float16" and kept):
            self.unpacked.append(self._graph.tensors[result].size_bytes)

    def _define(self, op: Op, inputs: tuple[int, ...]) -> None:
        need = op_heap(self._graph, op, self._kernels, threads=self._threads).workspace_bytes
        if op.name == "FULLY_CONNECTED" and not op.options.get("keep_num_dims"):
            inputs = (self._extra("reshape", inputs[:1], self._size(inputs[0]), in_place=True), *inputs[1:])
        if op.name == "BATCH_MATMUL" and op.options.get("adj_x"):
            inputs = (self._extra("transpose", inputs[:1], self._size(inputs[0])), *inputs[1:])
        plain = op.name == "CONV_2D" and is_plain(self._graph, op)
        if is_hybrid(self._graph, op):
            self.hidden += 2
            if op.name == "CONV_2D" and not plain:
                inputs = self._quantize(op, inputs)
        in_place = op.name in _BINARY or op.name in _MOVES or op.name in _UNARY
        table = op.name in _TABLES and op.inputs[0] in self.bytes_wide
        name = "FULLY_CONNECTED" if plain else op.name
        node = Node(name, inputs, op.outputs, in_place, self._is_single(op), table, need)
        self._emit(node, clamped=_is_clamped(op))

    def _is_single(self, op: Op) -> bool:
        fixed = [index for index in op.inputs if index in self._constant]
        scalars = all(self._graph.tensors[index].elements == 1 for index in fixed)
        return op.name in _UNARY or (op.name in _BINARY and scalars)

    def _emit(self, node: Node, *, clamped: bool) -> None:
        """``xnn_insert_clamp_node``: an element-wise op leaves its activation to a node of its own."""
        if not clamped:
            self.nodes.append(node)
            return
        made = self._new(self._graph.tensors[node.outputs[0]].size_bytes)
        if node.outputs[0] in self.bytes_wide:
            self.bytes_wide.add(made)
        self.nodes.append(replace(node, outputs=(made,)))
        self.nodes.append(Node("clamp", (made,), node.outputs, in_place=True, single=True))

    def _quantize(self, op: Op, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """The whole input in 8 bits, and what it was scaled by."""
        data = self._graph.tensors[op.inputs[0]]
        scales = _PARAMETERS * (data.shape[0] + _EXTRA_PARAMETERS)
        self.hidden -= 1
        return (self._extra("convert", inputs[:1], self._rounded(data.elements) + self._rounded(scales)), *inputs[1:])

    def _extra(self, name: str, inputs: tuple[int, ...], size: int, *, in_place: bool = False) -> int:
        made = self._new(size)
        self.nodes.append(Node(name, inputs, (made,), in_place))
        return made

    def _new(self, size: int) -> int:
        self.inside[self.next_id] = size
        self.next_id += 1
        return self.next_id - 1

    def _size(self, value: int) -> int:
        return self.inside[value] if value in self.inside else self._graph.tensors[value].size_bytes

    def _rounded(self, size: int) -> int:
        return up(up(size, 16), self._kernels.alignment)


def _is_parameter(tensor: Tensor) -> bool:
    """Shapes, axes and the like are read while the graph is built, and are no values of it."""
    return tensor.is_stored and tensor.quantization is None and tensor.dtype in {"int32", "int64"}


def _is_clamped(op: Op) -> bool:
    return op.name in _BINARY and bool(op.options.get("fused_activation_function"))
