"""Flatbuffers of a known schema, to a tree of nodes and back.

Reading checks every offset and length against the file before it is used, so that a truncated or hostile file is
an error here and never a crash in an engine; vectors of numbers are views of the file, not copies. The wire format
is https://flatbuffers.dev/internals/.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.schema import Field, Schema

_FORMATS = {
    "bool": "<?",
    "int8": "<b",
    "uint8": "<B",
    "int16": "<h",
    "uint16": "<H",
    "int32": "<i",
    "uint32": "<I",
    "int64": "<q",
    "uint64": "<Q",
    "float32": "<f",
    "float64": "<d",
}
_MAX_DEPTH = 32


class FlatbufferError(ValueError):
    """The bytes are not a well-formed flatbuffer of the schema."""


class Node:
    """One table: fields as attributes. Absent scalars hold their default, all else that is absent is None."""

    def __init__(self, kind: str, **fields: Any) -> None:
        self.kind = kind
        self.__dict__.update(fields)

    if TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None: ...

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{self.kind} has no field `{name}`")

    def __repr__(self) -> str:
        return f"{self.kind}({', '.join(f'{k}={v!r}' for k, v in vars(self).items() if k != 'kind')})"


def new_node(schema: Schema, kind: str, **fields: Any) -> Node:
    """A table with default fields, but for those given."""
    node = Node(kind, **{field.name: _absent(field) for field in schema.tables[kind]})
    unknown = set(fields) - set(vars(node))
    if unknown:
        raise ValueError(f"{kind} has no field {sorted(unknown)}")
    vars(node).update(fields)
    return node


def read(data: bytes | memoryview, schema: Schema, root: str, identifier: bytes) -> tuple[Node, list[str]]:
    """Reads a whole buffer.

    Returns:
        The root node, and the places that hold fields this schema does not know (a newer writer's).

    Raises:
        FlatbufferError: an offset or a length points outside of the buffer, or the identifier differs.
    """
    reader = _Reader(memoryview(data), schema)
    if len(data) < 8 or bytes(data[4:8]) != identifier:
        raise FlatbufferError(f"expected the identifier {identifier!r} at byte 4, got {bytes(data[4:8])!r}")
    return reader.table(reader.offset(0), root, 0), reader.unknown


class _Reader:
    def __init__(self, data: memoryview, schema: Schema) -> None:
        self._data = data
        self._tables = schema.tables
        self._enums = schema.enums
        # Each table needs at least four bytes of its own: more tables than that are one table, shared to
        # make a small file explode.
        self._budget = len(data) // 4
        self.unknown: list[str] = []

    def scalar(self, position: int, kind: str) -> Any:
        try:
            return struct.unpack_from(_FORMATS[kind], self._data, position)[0]
        except struct.error:
            raise FlatbufferError(f"{kind} at byte {position} is beyond the end ({len(self._data)})") from None

    def offset(self, position: int) -> int:
        target = position + int(self.scalar(position, "uint32"))
        if not position < target < len(self._data):
            raise FlatbufferError(f"offset at byte {position} points to {target} of {len(self._data)}")
        return target

    def table(self, position: int, kind: str, depth: int) -> Node:
        self._budget -= 1
        if self._budget < 0 or depth > _MAX_DEPTH:
            raise FlatbufferError(f"{kind} at byte {position}: tables nest or repeat beyond the file's own size")
        vtable = position - int(self.scalar(position, "int32"))
        if not 0 <= vtable <= len(self._data) - 4:
            raise FlatbufferError(f"{kind} at byte {position}: its vtable would be at {vtable}")
        slots = (int(self.scalar(vtable, "uint16")) - 4) // 2
        fields = self._tables[kind]
        node = Node(kind)
        for index, field in enumerate(fields):
            inline = int(self.scalar(vtable + 4 + 2 * index, "uint16")) if index < slots else 0
            value = self._field(position + inline, field, node, depth) if inline else _absent(field)
            setattr(node, field.name, value)
        for index in range(len(fields), slots):
            if self.scalar(vtable + 4 + 2 * index, "uint16"):
                self.unknown.append(f"{kind}[{index}]")
        return node

    def _field(self, position: int, field: Field, node: Node, depth: int) -> Any:
        if field.kind == "deprecated":
            return None
        if field.kind == "union":
            return self._union(position, field, node, depth)
        if field.vector:
            return self._vector(self.offset(position), field.kind, depth)
        if field.kind in _FORMATS:
            return self.scalar(position, field.kind)
        if field.kind == "string":
            return self._string(self.offset(position))
        return self.table(self.offset(position), field.kind, depth + 1)

    def _union(self, position: int, field: Field, node: Node, depth: int) -> Node | None:
        member = self._enums[field.union].get(getattr(node, f"{field.name}_type"))
        if member is None:
            self.unknown.append(f"{node.kind}.{field.name}")
            return None
        return None if member == "NONE" else self.table(self.offset(position), member, depth + 1)

    def _length(self, position: int, item_bytes: int, what: str) -> int:
        count = int(self.scalar(position, "uint32"))
        if position + 4 + count * item_bytes > len(self._data):
            raise FlatbufferError(f"{count} x {what} at byte {position} reach beyond the end ({len(self._data)})")
        return count

    def _vector(self, position: int, kind: str, depth: int) -> Any:
        if kind in _FORMATS:
            dtype = np.dtype(_FORMATS[kind])
            count = self._length(position, dtype.itemsize, kind)
            return np.frombuffer(self._data, dtype, count, position + 4) if count else np.empty(0, dtype)
        count = self._length(position, 4, kind)
        places = (self.offset(position + 4 + 4 * index) for index in range(count))
        if kind == "string":
            return [self._string(place) for place in places]
        return [self.table(place, kind, depth + 1) for place in places]

    def _string(self, position: int) -> str:
        count = self._length(position, 1, "character")
        return bytes(self._data[position + 4 : position + 4 + count]).decode("utf-8", "surrogateescape")


def _absent(field: Field) -> Any:
    if field.vector or field.kind not in _FORMATS:
        return None
    return bool(field.default) if field.kind == "bool" else field.default


def write(root: Node, schema: Schema, identifier: bytes, *, aligned: dict[str, int]) -> bytes:
    """Packs a tree of nodes; the inverse of :func:`read` up to the order of bytes.

    Args:
        root: the root table.
        schema: the schema it follows.
        identifier: four bytes that name the file type.
        aligned: ``Table.field`` of number vectors that need a wider alignment, in bytes.
    """
    import flatbuffers

    writer = _Writer(schema, aligned, flatbuffers.Builder(1024 + _payload_bytes(root, schema)))
    return writer.finish(root, identifier)


class _Writer:
    def __init__(self, schema: Schema, aligned: dict[str, int], builder: Any) -> None:
        self._schema = schema
        self._aligned = aligned
        self._builder = builder

    def finish(self, root: Node, identifier: bytes) -> bytes:
        self._builder.Finish(self._table(root), file_identifier=identifier)
        # Output() would copy it once more, weights and all.
        return bytes(memoryview(self._builder.Bytes)[self._builder.Head() :])

    def _table(self, node: Node) -> int:
        fields = self._schema.tables[node.kind]
        # Children must be finished before their parent's table is begun.
        children = {field.name: self._child(node, field) for field in fields}
        self._builder.StartObject(len(fields))
        for slot, field in enumerate(fields):
            value = getattr(node, field.name)
            if children[field.name] is not None:
                self._builder.PrependUOffsetTRelativeSlot(slot, children[field.name], 0)
            elif field.kind in _FORMATS and not field.vector and value != field.default:
                prepend = getattr(self._builder, f"Prepend{field.kind.capitalize()}Slot")
                prepend(slot, value, field.default)
        return int(self._builder.EndObject())

    def _child(self, node: Node, field: Field) -> int | None:
        value = getattr(node, field.name)
        if value is None or (field.kind in _FORMATS and not field.vector):
            return None
        if field.vector:
            return self._vector(value, field, self._aligned.get(f"{node.kind}.{field.name}", 0))
        if field.kind == "string":
            return self._string(value)
        return self._table(value)

    def _string(self, value: str) -> int:
        return int(self._builder.CreateString(value, encoding="utf-8", errors="surrogateescape"))

    def _vector(self, value: Any, field: Field, alignment: int) -> int:
        if field.kind in _FORMATS:
            return self._numbers(np.asarray(value, np.dtype(_FORMATS[field.kind])), alignment)
        make = self._string if field.kind == "string" else self._table
        offsets = [make(item) for item in value]
        self._builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self._builder.PrependUOffsetTRelative(offset)
        return int(self._builder.EndVector())

    def _numbers(self, values: npt.NDArray[Any], alignment: int) -> int:
        item = values.dtype.itemsize
        self._builder.StartVector(item, values.size, max(item, alignment))
        raw = np.ascontiguousarray(values).view(np.uint8).reshape(-1)
        self._builder.head -= raw.size
        self._builder.Bytes[self._builder.head : self._builder.head + raw.size] = raw.data
        return int(self._builder.EndVector())


def _payload_bytes(node: Node, schema: Schema) -> int:
    """Bytes of all number vectors, so that the builder never has to grow and copy."""
    total = 0
    for field in schema.tables[node.kind]:
        value = getattr(node, field.name)
        if value is None:
            continue
        if field.vector and field.kind in _FORMATS:
            total += np.asarray(value, np.dtype(_FORMATS[field.kind])).nbytes + 64
        elif field.vector and field.kind != "string":
            total += sum(_payload_bytes(item, schema) for item in value)
        elif isinstance(value, Node):
            total += _payload_bytes(value, schema)
    return total
