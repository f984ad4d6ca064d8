"""Files beyond 2 GB: a flatbuffer's offsets end there, so constants lie behind it (``Buffer.offset``, ``Buffer.size``).

The tree of such a file is that of any other: constants are brought inside as it is read, as views of the file's bytes,
and laid out again as it is packed. Source: ``Buffer`` in tflite/converter/schema/schema.fbs of LiteRT.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.flatbuffer import Node
from edge_sdk.errors import ModelError

LIMIT_BYTES = 2**31 - 2**24
"""Constants of more bytes lie outside; the rest of a file, with its names and tables, has 16 MiB."""
_ALIGNMENT = 64
# 0 and 1 stand for no data; the field must be there for its bytes to be counted.
_LATER = 2


def bring_inside(root: Node, data: bytes | memoryview) -> None:
    """Every constant, and custom options, behind the flatbuffer as one in it: a view of the bytes.

    Raises:
        ModelError: one would end behind the file.
    """
    for index, buffer in enumerate(root.buffers or []):
        if buffer.offset > 1 and (buffer.data is None or not len(buffer.data)):
            buffer.data = _bytes_at(data, buffer.offset, buffer.size, f"buffer {index}")
            buffer.offset = buffer.size = 0
    for operator in (operator for graph in root.subgraphs or [] for operator in graph.operators or []):
        if operator.large_custom_options_offset > 1:
            place = operator.large_custom_options_offset, operator.large_custom_options_size
            operator.custom_options = _bytes_at(data, *place, "a custom op's options")
            operator.large_custom_options_offset = operator.large_custom_options_size = 0


def _bytes_at(data: bytes | memoryview, offset: int, size: int, what: str) -> npt.NDArray[np.uint8]:
    if offset + size > len(data):
        raise ModelError(f"{what} ends at byte {offset + size} of {len(data)}")
    return np.frombuffer(data, np.uint8, size, offset)


def is_large(root: Node, limit_bytes: int = LIMIT_BYTES) -> bool:
    """Whether the constants are more than a flatbuffer holds."""
    return sum(len(buffer.data) for buffer in _with_data(root)) > limit_bytes


def pack_outside(root: Node, pack: Callable[[Node], bytes]) -> bytes:
    """The flatbuffer without constants, and these behind it; what metadata names stays inside.

    Args:
        root: the tree; it is as it was afterwards.
        pack: makes a flatbuffer of a tree.
    """
    inside = {entry.buffer for entry in root.metadata or []}
    moved = [b for i, b in enumerate(root.buffers or []) if i not in inside and b.data is not None and len(b.data)]
    payloads = [np.ascontiguousarray(buffer.data).view(np.uint8) for buffer in moved]
    try:
        for buffer, payload in zip(moved, payloads, strict=True):
            buffer.data, buffer.offset, buffer.size = None, _LATER, payload.size
        end = _aligned(len(pack(root)))
        for buffer in moved:
            buffer.offset, end = end, _aligned(end + buffer.size)
        head = pack(root)
        return b"".join(_pieces(head, [(b.offset, p) for b, p in zip(moved, payloads, strict=True)]))
    finally:
        for buffer, payload in zip(moved, payloads, strict=True):
            buffer.data, buffer.offset, buffer.size = payload, 0, 0


def _pieces(head: bytes, placed: list[tuple[int, npt.NDArray[np.uint8]]]) -> Iterator[bytes | memoryview]:
    yield head
    end = len(head)
    for offset, payload in placed:
        yield bytes(offset - end)
        yield payload.data
        end = offset + payload.size


def _with_data(root: Node) -> list[Node]:
    return [buffer for buffer in root.buffers or [] if buffer.data is not None]


def _aligned(position: int) -> int:
    return -(-position // _ALIGNMENT) * _ALIGNMENT
