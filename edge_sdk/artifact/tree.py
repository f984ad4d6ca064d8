"""A .tflite file as a tree that can be edited and packed again: the flatbuffer, and what lies behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.artifact import flatbuffer
from edge_sdk.artifact.flatbuffer import Node
from edge_sdk.artifact.outside import bring_inside, is_large, pack_outside
from edge_sdk.artifact.schema import schema
from edge_sdk.errors import ModelError

IDENTIFIER = b"TFL3"
# Kernels read constants in place; TFLite's schema forces 16 bytes.
ALIGNED = {"Buffer.data": 16}
_COMPUTING = ("operator_codes", "subgraphs", "signature_defs")
DAMAGED = "the file is damaged: copy or convert it again"


def parse_tree(data: bytes | memoryview, *, path: Path | None = None) -> tuple[Node, list[str]]:
    """The file as a tree that can be edited and packed again by :func:`pack_tree`.

    Raises:
        ModelError: truncated, or not a TFLite file.
    """
    try:
        root, unknown = flatbuffer.read(data, schema(), "Model", IDENTIFIER)
    except flatbuffer.FlatbufferError as error:
        raise ModelError(
            f"{path or 'model'}: not a whole TFLite file ({len(data)} bytes): {error}",
            hint="check that the download or copy finished; a TFLite file has `TFL3` at byte 4",
        ) from error
    try:
        bring_inside(root, data)
    except ModelError as error:
        raise ModelError(f"{path or 'model'}: {error}", hint=DAMAGED) from error
    return root, unknown


def compute_alike(left: bytes | memoryview, right: bytes | memoryview) -> bool:
    """Whether two files hold the same program: ops, tensors, signatures and constants. Metadata may differ."""
    (one, _), (other, _) = parse_tree(left), parse_tree(right)
    if not all(_alike(getattr(one, field), getattr(other, field)) for field in _COMPUTING):
        return False
    read = {int(tensor.buffer) for graph in one.subgraphs for tensor in graph.tensors or ()}
    return all(_alike(one.buffers[index], other.buffers[index]) for index in read)


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, Node):
        fields = vars(one)
        return (
            isinstance(other, Node)
            and fields.keys() == vars(other).keys()
            and all(_alike(value, getattr(other, name)) for name, value in fields.items())
        )
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    return bool(one == other)


def pack_tree(root: Node) -> bytes:
    """A .tflite file from a tree; constants that a flatbuffer cannot hold lie behind it."""
    return pack_outside(root, _flatbuffer) if is_large(root) else _flatbuffer(root)


def _flatbuffer(root: Node) -> bytes:
    return flatbuffer.write(root, schema(), IDENTIFIER, aligned=ALIGNED)


def op_name(code: Node) -> str:
    """``CONV_2D``, or ``CUSTOM:name`` for a custom op.

    Raises:
        ModelError: the code is newer than the schema.
    """
    value = max(code.builtin_code, code.deprecated_builtin_code)
    name = schema().enums["BuiltinOperator"].get(value)
    if name is None:
        raise ModelError(f"builtin operator {value} is newer than this schema")
    return f"CUSTOM:{code.custom_code or ''}" if name == "CUSTOM" else name
