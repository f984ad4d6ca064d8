"""Small changes to a file's tree: what is added to its tables of ops and constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.op_options import table_of
from edge_sdk.artifact.schema import enum_value, schema
from edge_sdk.artifact.sound import own_names
from edge_sdk.artifact.tree import pack_tree, parse_tree


def add_buffer(root: Node, values: npt.NDArray[Any]) -> int:
    """Adds a constant's data to the file's; returns its place there."""
    root.buffers.append(new_node(schema(), "Buffer", data=np.frombuffer(values.tobytes(), np.uint8)))
    return len(root.buffers) - 1


def add_operator_code(root: Node, name: str, version: int) -> int:
    """Adds an op type to the file's table; returns its index there."""
    code = enum_value("BuiltinOperator", name)
    root.operator_codes.append(
        new_node(schema(), "OperatorCode", builtin_code=code, deprecated_builtin_code=min(code, 127), version=version)
    )
    return len(root.operator_codes) - 1


def new_operator(code: int, inputs: Sequence[int], outputs: Sequence[int], options: str | None) -> Node:
    """An op whose options all have their defaults.

    Args:
        code: from :func:`add_operator_code`.
        inputs: tensor indices.
        outputs: likewise.
        options: the options' table, such as ``CastOptions``; None for an op that has none.
    """
    return new_node(
        schema(),
        "Operator",
        opcode_index=code,
        inputs=np.array(inputs, np.int32),
        outputs=np.array(outputs, np.int32),
        builtin_options_type=enum_value("BuiltinOptions", options) if options else 0,
        builtin_options=new_node(schema(), options) if options else None,
    )


def with_own_names(data: bytes) -> bytes:
    """The same file with a name of its own for each tensor of all subgraphs; ``data`` itself where each has one.

    TFLite itself asks for none; tools that address tensors by name do.
    """
    root, _ = parse_tree(data)
    tensors = [tensor for graph in root.subgraphs for tensor in graph.tensors or []]
    names = own_names((index, tensor.name or "") for index, tensor in enumerate(tensors))
    if all(tensors[index].name == name for name, index in names.items()):
        return data
    for name, index in names.items():
        tensors[index].name = name
    return pack_tree(root)


def with_codes_in_both_fields(data: bytes) -> bytes:
    """The same file with each op type in both fields that hold it; ``data`` itself where they are.

    Files from before TensorFlow 2.4 have it in the old field of one byte alone, and a reader takes the greater of both
    (schema.fbs, OperatorCode). ai-edge-quantizer 0.4 reads the new one, where their ops are all ADD, and leaves them.
    """
    root, _ = parse_tree(data)
    codes = [(code, max(code.builtin_code or 0, code.deprecated_builtin_code or 0)) for code in root.operator_codes]
    if all(code.builtin_code == kind for code, kind in codes):
        return data
    for code, kind in codes:
        code.builtin_code, code.deprecated_builtin_code = kind, min(kind, 127)
    return pack_tree(root)


def without_unused(root: Node) -> bytes:
    """The file with no tensor in its main subgraph, and no buffer, that nothing uses; the tree is taken apart.

    Signatures of the main subgraph name its inputs and outputs.
    """
    graph = root.subgraphs[0]
    lists = [graph.inputs, graph.outputs, *(v for op in graph.operators for v in (op.inputs, op.outputs))]
    used = sorted({int(index) for values in lists for index in values} - {-1})
    place = {old: new for new, old in enumerate(used)} | {-1: -1}
    graph.tensors = [graph.tensors[index] for index in used]
    graph.inputs, graph.outputs = _moved(graph.inputs, place), _moved(graph.outputs, place)
    for op in graph.operators:
        op.inputs, op.outputs = _moved(op.inputs, place), _moved(op.outputs, place)
    for signature in root.signature_defs or []:
        for named in (*signature.inputs, *signature.outputs) if not signature.subgraph_index else ():
            named.tensor_index = place[int(named.tensor_index)]
    holders = [*(tensor for one in root.subgraphs for tensor in one.tensors), *(root.metadata or [])]
    # The first buffer stands for none.
    kept = sorted({0} | {int(holder.buffer) for holder in holders})
    moved = {old: new for new, old in enumerate(kept)}
    root.buffers = [root.buffers[index] for index in kept]
    for holder in holders:
        holder.buffer = moved[int(holder.buffer)]
    return pack_tree(root)


def _moved(indices: Sequence[int], place: Mapping[int, int]) -> npt.NDArray[np.int32]:
    return np.array([place[int(index)] for index in indices], np.int32)


def _options_of(kind: str) -> str | None:
    """The table of options of an op among the builtin ones, such as ``MulOptions``; None for an op that has none."""
    found = table_of(kind)
    return found[1] if found is not None and found[0] == "BuiltinOptions" else None


class GraphEdit:
    """Changes to the operators of the main subgraph; indices of operators hold until :meth:`finish`."""

    def __init__(self, root: Node) -> None:
        self._root = root
        self._graph = root.subgraphs[0]
        self._operators: list[Node] = list(self._graph.operators or [])
        self._before: dict[int, list[Node]] = {}
        self._after: dict[int, list[Node]] = {}
        self._removed: set[int] = set()
        self._moved: set[int] = set()
        self._suspects: set[int] = set()
        self._codes: dict[str, int] = {}

    def become(self, index: int, kind: str, inputs: Sequence[int], **options: int) -> None:
        """Another op in the same place, with the same result and fused activation, and with some options."""
        node = self._operators[index]
        fused = getattr(node.builtin_options, "fused_activation_function", 0)
        made = new_operator(self._code(kind), inputs, node.outputs, _options_of(kind))
        for field in ("opcode_index", "inputs", "builtin_options_type", "builtin_options"):
            setattr(node, field, getattr(made, field))
        if hasattr(node.builtin_options, "fused_activation_function"):
            node.builtin_options.fused_activation_function = fused
        for name, value in options.items():
            setattr(node.builtin_options, name, value)

    def option(self, index: int, **options: int) -> None:
        """Other values of some of an op's options."""
        for name, value in options.items():
            setattr(self._operators[index].builtin_options, name, value)

    def read(self, index: int, inputs: Sequence[int]) -> None:
        """Other inputs for an op."""
        self._operators[index].inputs = np.array(inputs, np.int32)

    def inputs(self, index: int) -> list[int]:
        """What an op reads by now."""
        return [int(i) for i in self._operators[index].inputs]

    def write(self, index: int, outputs: Sequence[int]) -> None:
        """Other results of an op."""
        self._operators[index].outputs = np.array(outputs, np.int32)

    def add_tensor(self, like: int, name: str, dtype: str | None = None, *, shape: Sequence[int] | None = None) -> int:
        """A new tensor of the shape and type of tensor ``like``, or of type ``dtype``, without scales; its index."""
        model = self._graph.tensors[like]
        fields = {field: getattr(model, field) for field in ("shape", "shape_signature", "type", "has_rank")}
        if dtype is not None:
            fields["type"] = enum_value("TensorType", dtype.upper())
        if shape is not None:
            fields |= {"shape": np.array(shape, np.int32), "shape_signature": None}
        self._graph.tensors.append(new_node(schema(), "Tensor", name=name, **fields))
        return len(self._graph.tensors) - 1

    def insert_after(self, index: int, kind: str, inputs: Sequence[int], like: int, name: str) -> int:
        """A new op with a new result, of the shape and type of tensor ``like``; returns the result's index."""
        result = self.add_tensor(like, name)
        self.put_after(index, kind, inputs, [result])
        return result

    def put_before(self, index: int, kind: str, inputs: Sequence[int], outputs: Sequence[int], **options: int) -> None:
        """A new op that runs right before the one at ``index``, with some options."""
        node = self._new(kind, inputs, outputs)
        for name, value in options.items():
            setattr(node.builtin_options, name, value)
        self._before.setdefault(index, []).append(node)

    def put_after(self, index: int, kind: str, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        """A new op that runs right after the one at ``index``."""
        self._after.setdefault(index, []).append(self._new(kind, inputs, outputs))

    def _new(self, kind: str, inputs: Sequence[int], outputs: Sequence[int]) -> Node:
        return new_operator(self._code(kind), inputs, outputs, _options_of(kind))

    def move_after(self, index: int, operator: int) -> None:
        """Runs an op right after the one at ``index``."""
        node = self._operators[operator]
        self._after.setdefault(index, []).append(node)
        self._moved.add(id(node))

    def add_constant(self, values: npt.NDArray[Any], name: str) -> int:
        """A new constant; returns the tensor's index."""
        buffer = add_buffer(self._root, values)
        shape = np.array(values.shape, np.int32)
        dtype = enum_value("TensorType", values.dtype.name.upper())
        self._graph.tensors.append(
            new_node(schema(), "Tensor", shape=shape, type=dtype, buffer=buffer, name=name, has_rank=True)
        )
        return len(self._graph.tensors) - 1

    def put_constant(self, index: int, values: npt.NDArray[Any]) -> None:
        """Other values, of any shape, for a constant of that type; tensors that share its buffer keep theirs."""
        tensor = self._graph.tensors[index]
        holders = [one for graph in self._root.subgraphs for one in graph.tensors if one.buffer == tensor.buffer]
        if len(holders) == 1:
            self._root.buffers[tensor.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
        else:
            tensor.buffer = add_buffer(self._root, values)
        tensor.shape, tensor.shape_signature = np.array(values.shape, np.int32), None

    def drop_if_unread(self, index: int) -> None:
        """Takes an op out at the end, unless something reads its results."""
        self._suspects.add(id(self._operators[index]))

    def remove(self, index: int) -> None:
        """Takes an op out at the end; something else must make what is read of its results."""
        self._removed.add(index)

    def finish(self) -> None:
        """Writes the operators back, in order."""
        ordered = []
        for index, node in enumerate(self._operators):
            ordered += self._before.get(index, [])
            if id(node) not in self._moved and index not in self._removed:
                ordered.append(node)
            ordered += self._after.get(index, [])
        self._graph.operators = self._without_dead(ordered)

    def _without_dead(self, operators: list[Node]) -> list[Node]:
        while True:
            read = {int(index) for op in operators for index in op.inputs} | {int(i) for i in self._graph.outputs}
            alive = [op for op in operators if id(op) not in self._suspects or read & {int(i) for i in op.outputs}]
            if len(alive) == len(operators):
                return alive
            operators = alive

    def _code(self, kind: str) -> int:
        if kind not in self._codes:
            self._codes[kind] = add_operator_code(self._root, kind, 1)
        return self._codes[kind]
