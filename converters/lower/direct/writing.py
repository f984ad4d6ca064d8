"""The graph as a .tflite file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from edge_sdk.artifact.equal_bytes import EqualBytes
from edge_sdk.artifact.flatbuffer import Node as Table
from edge_sdk.artifact.flatbuffer import new_node
from edge_sdk.artifact.op_options import encoded, table_of
from edge_sdk.artifact.schema import enum_value, schema
from edge_sdk.artifact.tree import pack_tree
from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor, inner_graphs
from edge_sdk.converters.lower.direct.versions import version_of

_SCHEMA_VERSION = 3
_DESCRIPTION = "edge-sdk"


def write(graph: Graph) -> bytes:
    """Packs a graph and the bodies of its loops and branches into a .tflite file without a signature."""
    return pack_tree(_File(graph).root())


class _File:
    """The tables of a file: buffers, op codes, subgraphs; the main graph is the first."""

    def __init__(self, main: Graph) -> None:
        self._graphs = list(_all_graphs(main))
        self._number = {graph: i for i, graph in enumerate(self._graphs)}
        self._buffers = [new_node(schema(), "Buffer")]
        self._stored = EqualBytes[int]()
        self._codes: dict[tuple[str, int], int] = {}

    def root(self) -> Table:
        subgraphs = [self._subgraph(graph) for graph in self._graphs]
        return new_node(
            schema(),
            "Model",
            version=_SCHEMA_VERSION,
            description=_DESCRIPTION,
            operator_codes=[_code(kind, version) for kind, version in self._codes],
            subgraphs=subgraphs,
            buffers=self._buffers,
        )

    def _subgraph(self, graph: Graph) -> Table:
        tensors = list(dict.fromkeys(_tensors(graph)))
        places = {tensor: i for i, tensor in enumerate(tensors)}
        names = _names(graph, tensors)
        return new_node(
            schema(),
            "SubGraph",
            name=graph.name,
            tensors=[self._tensor(tensor, names[tensor]) for tensor in tensors],
            inputs=np.array([places[t] for t in graph.inputs], np.int32),
            outputs=np.array([places[t] for t in graph.outputs], np.int32),
            operators=[self._operator(op, places) for op in graph.ops],
        )

    def _tensor(self, tensor: Tensor, name: str) -> Table:
        return new_node(
            schema(),
            "Tensor",
            name=name,
            shape=np.array(tensor.shape, np.int32),
            type=enum_value("TensorType", tensor.dtype.upper()),
            buffer=self._buffer(tensor),
            quantization=_quantization(tensor),
            has_rank=True,
        )

    def _buffer(self, tensor: Tensor) -> int:
        """Equal constants are one buffer, whatever dtype or shape reads it."""
        if tensor.data is None:
            return 0
        # A view: a copy of every constant would be the weights once more.
        raw = np.ascontiguousarray(tensor.data).reshape(-1).view(np.uint8)
        place = self._stored.first(raw, len(self._buffers))
        if place == len(self._buffers):
            self._buffers.append(new_node(schema(), "Buffer", data=raw))
        return place

    def _operator(self, op: Op, places: Mapping[Tensor, int]) -> Table:
        code = self._codes.setdefault((op.kind, version_of(op)), len(self._codes))
        fields: dict[str, Any] = {}
        if (table := table_of(op.kind)) is not None:
            union, name = table
            numbered = {key: self._number[v] if isinstance(v, Graph) else v for key, v in op.options.items()}
            field = "builtin_options" if union == "BuiltinOptions" else "builtin_options_2"
            fields[f"{field}_type"] = enum_value(union, name)
            fields[field] = new_node(schema(), name, **encoded(numbered))
        return new_node(
            schema(),
            "Operator",
            opcode_index=code,
            inputs=np.array([-1 if t is None else places[t] for t in op.inputs], np.int32),
            outputs=np.array([places[t] for t in op.outputs], np.int32),
            **fields,
        )


def _all_graphs(graph: Graph) -> Iterator[Graph]:
    yield graph
    for op in graph.ops:
        for _, inner in inner_graphs(op):
            yield from _all_graphs(inner)


def _tensors(graph: Graph) -> Iterator[Tensor]:
    yield from graph.inputs
    for op in graph.ops:
        yield from (tensor for tensor in op.inputs if tensor is not None)
        yield from op.outputs
    yield from graph.outputs


def _names(graph: Graph, tensors: list[Tensor]) -> dict[Tensor, str]:
    """The origin is the name of the last result that comes from it; earlier ones add their op, constants a number."""
    kinds = {tensor: op.kind.lower() for op in graph.ops for tensor in op.outputs}
    last = {tensor.origin: tensor for tensor in tensors if tensor in kinds}
    taken: dict[str, int] = {}
    names = {}
    for tensor in tensors:
        name = tensor.origin or kinds.get(tensor, "constant")
        if tensor in kinds and last[tensor.origin] is not tensor:
            name = f"{name}/{kinds[tensor]}"
        elif tensor.data is not None and tensor.origin in last:
            name = f"{name}/constant"
        count = taken[name] = taken.get(name, 0) + 1
        names[tensor] = name if count == 1 else f"{name}_{count - 1}"
    return names


def _quantization(tensor: Tensor) -> Table | None:
    quantization = tensor.quantization
    # A float constant may carry the grid that it lies on, which is no quantization of the file.
    if quantization is None or tensor.dtype.startswith("float"):
        return None
    return new_node(
        schema(),
        "QuantizationParameters",
        scale=np.array(quantization.scale, np.float32),
        zero_point=np.array(quantization.zero_point, np.int64),
        quantized_dimension=quantization.axis,
    )


def _code(kind: str, version: int) -> Table:
    number = enum_value("BuiltinOperator", kind)
    return new_node(
        schema(), "OperatorCode", builtin_code=number, deprecated_builtin_code=min(number, 127), version=version
    )
