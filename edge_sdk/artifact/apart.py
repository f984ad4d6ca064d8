"""A file taken apart, so that each of its ops can be looked at alone: results shown, and a float twin of every op."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.compute import CONTROL_OPS
from edge_sdk.artifact.dtypes import DTYPES, READABLE
from edge_sdk.artifact.edit import without_unused
from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.model import Artifact, Op, Subgraph, Tensor, parse_artifact
from edge_sdk.artifact.schema import enum_value, schema
from edge_sdk.artifact.tree import pack_tree, parse_tree

_INPUT, _OUTPUT = "in_", "out_"
_STATEFUL = ("CUSTOM:", "RANDOM_", "MULTINOMIAL", "LSTM", "RNN", "SVDF", "UNIDIRECTIONAL_", "BIDIRECTIONAL_", "CALL")


def shown(data: bytes, tensors: Collection[int] | None = None) -> bytes:
    """A copy whose outputs are results of the main subgraph, named ``out_<tensor index>``.

    Args:
        data: a .tflite file.
        tensors: which; None for every result with a type of its own.
    """
    artifact = parse_artifact(data)
    root, _ = parse_tree(data)
    wanted = sorted(set(results_of(artifact)) if tensors is None else set(tensors))
    inputs = {name: tensor.index for name, tensor in artifact.signature.inputs.items()}
    _sign(root, inputs, {f"{_OUTPUT}{index}": index for index in wanted})
    return pack_tree(root)


def leading_to(data: bytes, tensors: Collection[int], outputs: Collection[str] = ()) -> bytes:
    """A copy without the ops that do not lead to tensors of the main subgraph, which keep their indices.

    Its outputs are those tensors that ops compute, named ``out_<tensor index>``, and of the file's own those named.
    A file with loops, branches or state keeps all of its ops.

    Args:
        data: a .tflite file.
        tensors: indices.
        outputs: names.
    """
    artifact = parse_artifact(data)
    named = {name: tensor.index for name, tensor in artifact.signature.outputs.items() if name in outputs}
    wanted = {*tensors, *named.values()}
    results = {f"{_OUTPUT}{index}": index for index in sorted(wanted.intersection(artifact.main.makers))}
    root, _ = parse_tree(data)
    needed, main = ops_leading_to(artifact.main, wanted), root.subgraphs[0]
    main.operators = [node for place, node in enumerate(main.operators) if place in needed]
    inputs = {name: tensor.index for name, tensor in artifact.signature.inputs.items()}
    _sign(root, inputs, named | {name: index for name, index in results.items() if index not in named.values()})
    return pack_tree(root)


def without_ops(data: bytes, ops: Collection[int], ends: Sequence[int]) -> bytes:
    """A copy without those ops of the main subgraph; its outputs are ``ends``, in order, named ``out_<tensor index>``.

    Args:
        data: a .tflite file.
        ops: indices, with those of all ops that read their results.
        ends: tensor indices.
    """
    root, artifact = parse_tree(data)[0], parse_artifact(data)
    main, without = root.subgraphs[0], set(ops)
    main.operators = [node for place, node in enumerate(main.operators) if place not in without]
    inputs = {name: tensor.index for name, tensor in artifact.signature.inputs.items()}
    # In the graph's order, which a signature's need not be.
    _sign(root, dict(sorted(inputs.items(), key=lambda one: artifact.main.inputs.index(one[1]))), _named(ends))
    return without_unused(root)


def _named(ends: Sequence[int]) -> dict[str, int]:
    return {f"{_OUTPUT}{index}": index for index in ends}


def ops_leading_to(graph: Subgraph, tensors: Collection[int]) -> set[int]:
    """Indices of the ops that tensors are computed by; of all where there are loops, branches or state."""
    if any(op.name in CONTROL_OPS for op in graph.ops):
        return {op.index for op in graph.ops}
    wanted, needed = set(tensors), set[int]()
    for op in reversed(graph.ops):
        if wanted.intersection(op.outputs):
            needed.add(op.index)
            wanted.update(op.inputs)
    return needed


def results_of(artifact: Artifact) -> list[int]:
    """What the main subgraph's ops compute, in their order: tensors that can be read."""
    graph = artifact.main
    stored = expansions(graph)
    every = dict.fromkeys(index for op in graph.ops for index in op.outputs if index >= 0 and index not in stored)
    return [index for index in every if graph.tensors[index].dtype in DTYPES and not graph.tensors[index].is_variable]


def expansions(graph: Subgraph) -> dict[int, Tensor]:
    """What engines compute once when they load a file: results of DEQUANTIZE of a constant, with that constant."""
    firsts = ((op, graph.tensors[op.inputs[0]]) for op in graph.ops if op.name == "DEQUANTIZE")
    return {op.outputs[0]: tensor for op, tensor in firsts if tensor.constant is not None}


def index_of(name: str) -> int:
    """The tensor that an output of :func:`shown`, or an input or output of :func:`float_twins`, stands for."""
    return int(name.rpartition("_")[2])


@dataclass(frozen=True)
class Twins:
    """Ops of a file as float ops that know nothing of each other.

    Attributes:
        data: a .tflite; its inputs ``in_<i>`` take what the file's tensor ``i`` holds, in real numbers, and its outputs
            ``out_<i>`` are what a float op makes of them where the file's op makes tensor ``i``.
        ops: those that are in it.
    """

    data: bytes
    ops: tuple[Op, ...]


def float_twins(data: bytes, ops: Iterable[Op]) -> Twins:
    """Ops of the main subgraph, each fed on its own: integers become the real numbers that they stand for."""
    maker = _TwinMaker(parse_artifact(data).main, parse_tree(data)[0])
    chosen = tuple(ops)
    for op in chosen:
        maker.add(op)
    return Twins(maker.finish(), chosen)


def single_ops(data: bytes, ops: Iterable[Op]) -> Iterator[tuple[Op, bytes]]:
    """Each op of the main subgraph as a file of its own, in its own types; what it reads and no constant is, is fed."""
    graph, root = parse_artifact(data).main, parse_tree(data)[0]
    for op in ops:
        maker = _SingleMaker(graph, root)
        maker.add(op)
        yield op, maker.finish()


def has_twin(graph: Subgraph, op: Op) -> bool:
    """Whether an op is a function of readable tensors alone: no control flow, no state, no custom code.

    QUANTIZE and DEQUANTIZE have none: their float twin does nothing.
    """
    if op.name in ("QUANTIZE", "DEQUANTIZE"):
        return False
    tensors = [*graph.operands(op), *graph.results(op)]
    plain = all(t.dtype in READABLE and not t.is_variable and not t.is_sparse and not t.blockwise for t in tensors)
    return plain and bool(op.outputs) and op.name not in CONTROL_OPS and not op.name.startswith(_STATEFUL)


def real_constant(tensor: Tensor) -> npt.NDArray[Any]:
    """A constant as the real numbers that it stands for, float32; one without a scale as it is."""
    values = tensor.values()
    if tensor.quantization is None or values.dtype.kind == "f":
        return values
    scale = np.asarray(tensor.quantization.scale, np.float64)
    point = np.asarray(tensor.quantization.zero_point, np.float64)
    if len(scale) > 1:
        shape = [1] * values.ndim
        shape[tensor.quantization.axis] = len(scale)
        scale, point = scale.reshape(shape), point.reshape(shape)
    real: npt.NDArray[Any] = ((values - point) * scale).astype(np.float32)
    return real


class _TwinMaker:
    def __init__(self, graph: Subgraph, root: Node) -> None:
        self._graph = graph
        self._root = root
        self._stored = expansions(graph)
        self._tensors: list[Node] = []
        self._buffers = [new_node(schema(), "Buffer")]
        self._codes: list[Node] = []
        self._operators: list[Node] = []
        self._places: dict[int, int] = {}
        self._inputs: dict[str, int] = {}
        self._outputs: dict[str, int] = {}

    def add(self, op: Op) -> None:
        original = self._root.subgraphs[0].operators[op.index]
        self._codes.append(self._root.operator_codes[original.opcode_index])
        node = new_node(schema(), "Operator", **{**_fields(original), "opcode_index": len(self._codes) - 1})
        node.inputs = np.array([self._operand(index) if index >= 0 else -1 for index in op.inputs], np.int32)
        node.outputs = np.array([self._result(index) for index in op.outputs], np.int32)
        node.intermediates = None
        self._operators.append(node)

    def finish(self) -> bytes:
        graph = new_node(schema(), "SubGraph", tensors=self._tensors, operators=self._operators, name="main")
        root = new_node(schema(), "Model", version=3, operator_codes=self._codes, subgraphs=[graph])
        root.buffers = self._buffers
        _sign(root, self._inputs, self._outputs)
        return pack_tree(root)

    def _operand(self, index: int) -> int:
        if index not in self._places:
            tensor = self._graph.tensors[index]
            stored = self._stored.get(index, tensor)
            values = None if stored.constant is None else real_constant(stored).astype(self._type(tensor))
            self._places[index] = self._new(tensor, f"{_INPUT}{index}", values)
            if values is None and not tensor.is_stored:
                self._inputs[f"{_INPUT}{index}"] = self._places[index]
        return self._places[index]

    def _result(self, index: int) -> int:
        place = self._new(self._graph.tensors[index], f"{_OUTPUT}{index}", None)
        self._outputs[f"{_OUTPUT}{index}"] = place
        return place

    @staticmethod
    def _type(tensor: Tensor) -> str:
        return "float32" if tensor.quantization else tensor.dtype

    def _new(self, tensor: Tensor, name: str, values: npt.NDArray[Any] | None) -> int:
        node = new_node(schema(), "Tensor", name=name, has_rank=True)
        node.shape = np.array(tensor.shape, np.int32)
        node.type = enum_value("TensorType", self._type(tensor).upper())
        if values is not None:
            raw = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            self._buffers.append(new_node(schema(), "Buffer", data=raw))
            node.buffer = len(self._buffers) - 1
        self._tensors.append(node)
        return len(self._tensors) - 1


class _SingleMaker(_TwinMaker):
    """Ops as they are: integers stay integers, with their scales."""

    def _operand(self, index: int) -> int:
        if index not in self._places:
            tensor = self._graph.tensors[index]
            self._places[index] = self._new(tensor, f"{_INPUT}{index}", None)
            if tensor.constant is not None:
                node = self._tensors[-1]
                self._buffers.append(new_node(schema(), "Buffer", data=np.frombuffer(tensor.constant, np.uint8)))
                node.buffer = len(self._buffers) - 1
            elif not tensor.is_stored:
                self._inputs[f"{_INPUT}{index}"] = self._places[index]
        return self._places[index]

    @staticmethod
    def _type(tensor: Tensor) -> str:
        return tensor.dtype

    def _new(self, tensor: Tensor, name: str, values: npt.NDArray[Any] | None) -> int:
        place = super()._new(tensor, name, values)
        self._tensors[place].quantization = self._root.subgraphs[0].tensors[tensor.index].quantization
        return place


def _fields(node: Node) -> dict[str, Any]:
    return {name: value for name, value in vars(node).items() if name != "kind"}


def _sign(root: Node, inputs: dict[str, int], outputs: dict[str, int]) -> None:
    """Gives the main subgraph these inputs and outputs, under one signature."""
    graph = root.subgraphs[0]
    graph.inputs = np.array(list(inputs.values()), np.int32)
    graph.outputs = np.array(list(outputs.values()), np.int32)
    maps = [
        [new_node(schema(), "TensorMap", name=name, tensor_index=index) for name, index in ports.items()]
        for ports in (inputs, outputs)
    ]
    root.signature_defs = [
        new_node(schema(), "SignatureDef", signature_key="serving_default", inputs=maps[0], outputs=maps[1])
    ]
