"""Inputs of a SavedModel, by protobuf alone: of ``saved_model.pb`` only what describes a signature is declared.

Numbers of fields as in TensorFlow's ``core/protobuf/saved_model.proto``, ``meta_graph.proto`` and
``core/framework/tensor_shape.proto``; what is not declared here is passed over by protobuf.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edge_sdk.signature import TensorSpec

_DEFAULT = "serving_default"
# Graphs with constants inside are read with the rest of it.
_MOST_BYTES = 1 << 28
_DTYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    9: "int64",
    10: "bool",
    19: "float16",
}
"""``DataType`` of TensorFlow's ``types.proto``, as far as numpy has them."""
_CHANNELS = (1, 3, 4)
# Message to its fields: name, number, type; `*` for repeated, `<>` for a map from strings.
_MESSAGES = {
    "Dim": {"size": (1, "int64")},
    "Shape": {"dim": (2, "*Dim"), "unknown_rank": (3, "bool")},
    "Info": {"name": (1, "string"), "dtype": (2, "int32"), "tensor_shape": (3, "Shape")},
    "Signature": {"inputs": (1, "<>Info")},
    "MetaGraph": {"signature_def": (5, "<>Signature")},
    "SavedModel": {"meta_graphs": (2, "*MetaGraph")},
}


def inputs(path: Path, signature: str | None) -> tuple[TensorSpec, ...]:
    """Inputs of one signature; none where they cannot be read.

    Args:
        path: of ``saved_model.pb``.
        signature: its key; None for the default one.
    """
    if not find_spec("google.protobuf") or path.stat().st_size > _MOST_BYTES:
        return ()
    from google.protobuf.message import DecodeError

    try:
        graphs = _saved_model().FromString(path.read_bytes()).meta_graphs
    except (DecodeError, OSError):
        return ()  # damaged: TensorFlow itself says how
    signatures = dict(graphs[0].signature_def) if len(graphs) == 1 else {}
    chosen = signatures.get(signature or _DEFAULT)
    infos = dict(chosen.inputs) if chosen is not None else {}
    known = all(info.dtype in _DTYPES and not info.tensor_shape.unknown_rank for info in infos.values())
    return tuple(_spec(name, info) for name, info in sorted(infos.items())) if known else ()


def _spec(name: str, info: Any) -> TensorSpec:
    shape = tuple(None if dim.size < 0 else int(dim.size) for dim in info.tensor_shape.dim)
    image = len(shape) == 4 and shape[3] in _CHANNELS
    return TensorSpec(name, shape, _DTYPES[info.dtype], "NHWC" if image else None)


@cache
def _saved_model() -> Any:
    """The class of the outermost message, in a pool of its own beside TensorFlow's."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="edge_sdk/saved_model.proto", package="edge_sdk", syntax="proto3")
    for message, fields in _MESSAGES.items():
        made = file.message_type.add(name=message)
        for name, (number, kind) in fields.items():
            _declare(made, name, number, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("edge_sdk.SavedModel"))


def _declare(message: Any, name: str, number: int, kind: str) -> None:
    """A field; a map is, on the wire, a repeated message of key and value."""
    if not kind.startswith("<>"):
        _field(message, name, number, kind)
        return
    entry_name = f"{''.join(word.title() for word in name.split('_'))}Entry"
    entry = message.nested_type.add(name=entry_name)
    entry.options.map_entry = True
    _field(entry, "key", 1, "string")
    _field(entry, "value", 2, kind[2:])
    _field(message, name, number, f"*{message.name}.{entry_name}")


def _field(message: Any, name: str, number: int, kind: str) -> None:
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

    plain = {"int64": Field.TYPE_INT64, "int32": Field.TYPE_INT32, "bool": Field.TYPE_BOOL, "string": Field.TYPE_STRING}
    label = Field.LABEL_REPEATED if kind.startswith("*") else Field.LABEL_OPTIONAL
    word = kind.removeprefix("*")
    if word in plain:
        message.field.add(name=name, number=number, label=label, type=plain[word])
    else:
        message.field.add(name=name, number=number, label=label, type=Field.TYPE_MESSAGE, type_name=f".edge_sdk.{word}")
