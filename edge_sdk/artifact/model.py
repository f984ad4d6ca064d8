"""A .tflite file read once into frozen values: signatures, tensors, ops, quantization, metadata."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.dtypes import DTYPES, PER_BYTE, READABLE, unpacked
from edge_sdk.artifact.flatbuffer import Node
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.sound import check_size, check_zero_points, own_names
from edge_sdk.artifact.tree import DAMAGED, op_name, parse_tree
from edge_sdk.errors import ModelError, SignatureError, nearest
from edge_sdk.files import own_content


@dataclass(frozen=True)
class Quantization:
    """``real = (q - zero_point) * scale``; one pair per tensor, or one per index of ``axis``."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int

    @property
    def per_channel(self) -> bool:
        """Whether there is more than one scale."""
        return len(self.scale) > 1


@dataclass(frozen=True)
class Blockwise:
    """Scales in a tensor of their own, at index ``scales`` (-1: none), one for each ``block_size`` values."""

    scales: int
    block_size: int


@dataclass(frozen=True)
class Tensor:
    """One tensor of one subgraph.

    ``shape`` is what the file allocates; ``shape_signature`` holds -1 where the source left a dimension open.
    ``constant`` is the raw data of a constant tensor, ``None`` otherwise; tensors may share a ``buffer``.
    ``is_stored`` is true of every constant, also of one without a single byte; ``is_sparse`` of one whose data
    leaves out zeros.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    dtype: str
    quantization: Quantization | None
    is_variable: bool
    buffer: int
    constant: npt.NDArray[np.uint8] | None = field(repr=False, compare=False)
    is_stored: bool = False
    is_sparse: bool = False
    blockwise: Blockwise | None = None

    @property
    def elements(self) -> int:
        """Number of elements; 1 for a scalar."""
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes of the values, packed types included; 0 for types without a fixed size (string, resource)."""
        if self.dtype in PER_BYTE:
            return -(-self.elements // PER_BYTE[self.dtype])
        return self.elements * np.dtype(DTYPES[self.dtype]).itemsize if self.dtype in DTYPES else 0

    def values(self) -> npt.NDArray[Any]:
        """The constant's values in the tensor's shape.

        Raises:
            ModelError: not a constant, of a packed or opaque type, or the data has another size than the shape.
        """
        if self.constant is None or self.dtype not in READABLE:
            raise ModelError(f"tensor `{self.name}` ({self.dtype}) holds no readable constant")
        if self.constant.nbytes != self.size_bytes:
            raise ModelError(
                f"tensor `{self.name}`: shape {list(self.shape)} {self.dtype} needs {self.size_bytes} bytes, "
                f"its buffer has {self.constant.nbytes}"
            )
        if self.dtype == "int4":
            return unpacked(self.constant, self.elements).reshape(self.shape)
        return self.constant.view(DTYPES[self.dtype]).reshape(self.shape)


@dataclass(frozen=True)
class Op:
    """One operator. Absent optional inputs are -1.

    ``options`` are the builtin options' fields, by name; ``custom_options`` among them are a custom op's own bytes.
    """

    index: int
    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(compare=False)


@dataclass(frozen=True)
class Subgraph:
    """Tensors, and ops in execution order; ``inputs`` and ``outputs`` are tensor indices."""

    index: int
    name: str
    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @cached_property
    def makers(self) -> Mapping[int, Op]:
        """Who computes each tensor, by the tensor's index."""
        return {index: op for op in self.ops for index in op.outputs if index >= 0}

    @cached_property
    def readers(self) -> Mapping[int, tuple[Op, ...]]:
        """Who reads each tensor, by the tensor's index: each op once, in order."""
        found: dict[int, list[Op]] = {}
        for op in self.ops:
            for index in dict.fromkeys(op.inputs):
                found.setdefault(index, []).append(op)
        return {index: tuple(ops) for index, ops in found.items() if index >= 0}

    def operands(self, op: Op) -> list[Tensor]:
        """The input tensors that are present, in order."""
        return [self.tensors[index] for index in op.inputs if index >= 0]

    def results(self, op: Op) -> list[Tensor]:
        """The output tensors, in order."""
        return [self.tensors[index] for index in op.outputs if index >= 0]


@dataclass(frozen=True)
class Signature:
    """A named entry point: input and output names in order, with their tensors."""

    key: str
    subgraph: int
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


@dataclass(frozen=True)
class Artifact:
    """A .tflite file.

    ``unknown`` lists fields that a newer writer put in and this schema does not know; such a file can be read but
    is not rewritten. ``implicit_signature`` is True where the file declares none and tensor names stand in. ``entry``
    is the key of the signature that was chosen (:meth:`with_signature`).
    """

    path: Path | None
    size_bytes: int
    description: str
    subgraphs: tuple[Subgraph, ...]
    signatures: tuple[Signature, ...]
    implicit_signature: bool
    metadata: Mapping[str, bytes] = field(repr=False)
    unknown: tuple[str, ...]
    hashed: Callable[[], str] = field(repr=False, compare=False)
    entry: str | None = None
    schema_version: int = 3

    @property
    def sha256(self) -> str:
        """The hash of the file's bytes, taken when it is first asked for: few files of a conversion are named."""
        return self.hashed()

    def __repr__(self) -> str:
        ops = sum(len(graph.ops) for graph in self.subgraphs)
        where = f"{self.path}, " if self.path else ""
        return f"<Artifact: {where}{self.size_bytes:,} bytes, {ops} ops, sha256 {self.sha256[:12]}>"

    @property
    def main(self) -> Subgraph:
        """The subgraph that the signature runs: the first, in most files."""
        return self.subgraphs[self.signature.subgraph]

    @property
    def signature(self) -> Signature:
        """The entry point: the one that was chosen, else `serving_default` if there is one, else the first."""
        wanted = "serving_default" if self.entry is None else self.entry
        named = [s for s in self.signatures if s.key == wanted]
        return (named or list(self.signatures))[0]

    def with_signature(self, key: str) -> Artifact:
        """The same file, entered by another signature.

        Raises:
            SignatureError: it has none of that name.
        """
        keys = [signature.key for signature in self.signatures]
        if key not in keys:
            where = self.path or "model"
            raise SignatureError(
                f"{where}: signature `{key}` does not exist{nearest(key, keys)}", hint=f"it has {', '.join(keys)}"
            )
        return replace(self, entry=key)

    def all_ops(self) -> Iterator[tuple[Subgraph, Op]]:
        """Every op of every subgraph."""
        return ((graph, op) for graph in self.subgraphs for op in graph.ops)

    @property
    def is_stateful(self) -> bool:
        """Whether a run leaves something behind for the next: variables, resources."""
        return any(t.is_variable or t.dtype == "resource" for graph in self.subgraphs for t in graph.tensors)

    @cached_property
    def weights_bytes(self) -> int:
        """Bytes of constants, each shared buffer once."""
        buffers = {
            t.buffer: t.constant.nbytes for graph in self.subgraphs for t in graph.tensors if t.constant is not None
        }
        return sum(buffers.values())


def read_artifact(path: str | Path) -> Artifact:
    """Reads and checks a .tflite file.

    Raises:
        ModelError: the file is absent, truncated, not a TFLite file, or its indices point nowhere.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ModelError(f"{str(path)!r} is no path: {error}") from error
    return parse_artifact(data, path=path)


def own_artifact(path: Path) -> Artifact:
    """Reads and checks a file in a folder of one's own, as :func:`read_artifact`; see :func:`own_content`."""
    return parse_artifact(own_content(path), path=path)


def parse_artifact(data: bytes | memoryview, *, path: Path | None = None, sha256: str | None = None) -> Artifact:
    """Reads and checks the bytes of a .tflite file; errors as :func:`read_artifact`.

    Args:
        data: the bytes; constants are views of them.
        path: for messages.
        sha256: their hash, where it was taken already.
    """
    root, unknown = parse_tree(data, path=path)
    where = str(path or "model")
    if not root.subgraphs:
        raise ModelError(f"{where}: holds no subgraph")
    try:
        graphs = tuple(_subgraph(index, graph, root) for index, graph in enumerate(root.subgraphs or []))
        declared = tuple(_signature(node, graphs) for node in root.signature_defs or [])
        metadata = {m.name or "": _buffer(root, m.buffer) for m in root.metadata or []}
    except ModelError as error:
        raise ModelError(f"{where}: {error}", hint=DAMAGED) from error
    return Artifact(
        path=path,
        size_bytes=len(data),
        description=root.description or "",
        subgraphs=graphs,
        signatures=declared or (_implicit_signature(graphs[0]),),
        implicit_signature=not declared,
        metadata=MappingProxyType({k: b"" if v is None else v.tobytes() for k, v in metadata.items()}),
        unknown=tuple(unknown),
        hashed=cache(lambda: sha256 or hashlib.sha256(data).hexdigest()),
        schema_version=root.version,
    )


def _subgraph(index: int, node: Node, root: Node) -> Subgraph:
    tensors = tuple(_tensor(place, t, root) for place, t in enumerate(node.tensors or []))
    ops = tuple(_op(place, o, root, len(tensors)) for place, o in enumerate(node.operators or []))
    graph = Subgraph(index, node.name or "", tensors, ops, _indices(node.inputs), _indices(node.outputs))
    for tensor in (*graph.inputs, *graph.outputs):
        if not 0 <= tensor < len(tensors):
            raise ModelError(f"subgraph {index}: tensor {tensor} of {len(tensors)} does not exist")
    return graph


def _tensor(index: int, node: Node, root: Node) -> Tensor:
    dtype = schema().enums["TensorType"].get(node.type)
    if dtype is None:
        raise ModelError(f"tensor {index} `{node.name}`: unknown type {node.type}")
    shape = _indices(node.shape)
    if any(extent < 0 for extent in shape):
        raise ModelError(f"tensor {index} `{node.name}`: negative shape {list(shape)}")
    made = Tensor(
        index=index,
        name=node.name or "",
        shape=shape,
        shape_signature=_indices(node.shape_signature) or shape,
        dtype=dtype.lower(),
        quantization=_quantization(index, node.quantization),
        is_variable=bool(node.is_variable),
        buffer=node.buffer,
        constant=_buffer(root, node.buffer),
        is_stored=_is_stored(root, node.buffer),
        is_sparse=node.sparsity is not None,
        blockwise=_blockwise(node.quantization),
    )
    check_size(
        f"tensor {index} `{made.name}`: shape {list(shape)} {made.dtype}",
        made.elements,
        needed=made.size_bytes,
        stored=None if made.constant is None else made.constant.nbytes,
        is_sparse=made.is_sparse,
    )
    return made


def _quantization(index: int, node: Node | None) -> Quantization | None:
    if node is None or node.scale is None or not len(node.scale):
        return None
    scale = tuple(float(s) for s in node.scale)
    zero_point = _indices(node.zero_point)
    if len(zero_point) != len(scale):
        raise ModelError(f"tensor {index}: {len(scale)} scales but {len(zero_point)} zero points")
    check_zero_points(index, zero_point)
    return Quantization(scale, zero_point, node.quantized_dimension)


def _blockwise(node: Node | None) -> Blockwise | None:
    details = node.details if node else None
    return (
        Blockwise(details.scales, details.block_size) if details and details.kind == "BlockwiseQuantization" else None
    )


def _is_stored(root: Node, index: int) -> bool:
    """Buffer 0 is the one that stands for no data."""
    buffer = root.buffers[index]
    return index != 0 and buffer.data is not None


def _buffer(root: Node, index: int) -> npt.NDArray[np.uint8] | None:
    buffers = root.buffers or []
    if not 0 <= index < len(buffers):
        raise ModelError(f"buffer {index} of {len(buffers)} does not exist")
    buffer = buffers[index]
    if buffer.data is not None and len(buffer.data):
        return buffer.data  # type: ignore[no-any-return]
    return None


def _op(index: int, node: Node, root: Node, tensor_count: int) -> Op:
    codes = root.operator_codes or []
    if not node.opcode_index < len(codes):
        raise ModelError(f"op {index}: operator code {node.opcode_index} of {len(codes)} does not exist")
    inputs, outputs = _indices(node.inputs), _indices(node.outputs)
    for tensor in (*inputs, *outputs):
        if not -1 <= tensor < tensor_count:
            raise ModelError(f"op {index}: tensor {tensor} of {tensor_count} does not exist")
    code = codes[node.opcode_index]
    options = node.builtin_options or node.builtin_options_2
    fields = {key: value for key, value in vars(options).items() if key != "kind"} if options else {}
    if node.custom_options is not None:
        fields["custom_options"] = bytes(node.custom_options)
    return Op(index, op_name(code), code.version, inputs, outputs, MappingProxyType(fields))


def _signature(node: Node, graphs: tuple[Subgraph, ...]) -> Signature:
    key = node.signature_key or ""
    if not 0 <= node.subgraph_index < len(graphs):
        raise ModelError(f"signature `{key}`: subgraph {node.subgraph_index} does not exist")
    tensors = graphs[node.subgraph_index].tensors

    def named(maps: list[Node] | None, what: str) -> Mapping[str, Tensor]:
        if any(m.tensor_index >= len(tensors) for m in maps or []):
            raise ModelError(f"signature `{key}` names a tensor that does not exist")
        found: dict[str, Tensor] = {}
        for m in maps or []:
            if found.setdefault(m.name or "", tensors[m.tensor_index]).index != m.tensor_index:
                raise ModelError(f"signature `{key}` has two {what}s called `{m.name or ''}`")
        return MappingProxyType(found)

    return Signature(key, node.subgraph_index, named(node.inputs, "input"), named(node.outputs, "output"))


def _implicit_signature(graph: Subgraph) -> Signature:
    def named(indices: tuple[int, ...]) -> Mapping[str, Tensor]:
        names = own_names((index, graph.tensors[index].name) for index in dict.fromkeys(indices))
        return MappingProxyType({name: graph.tensors[index] for name, index in names.items()})

    return Signature("", graph.index, named(graph.inputs), named(graph.outputs))


def _indices(values: npt.NDArray[Any] | None) -> tuple[int, ...]:
    return () if values is None else tuple(int(v) for v in values)
