"""ONNX's function ops: ops that the standard itself defines by nodes of other ops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_sdk.converters.lower.direct.value import Value


@dataclass(frozen=True)
class Expansion:
    """The nodes that stand for one.

    Attributes:
        nodes: in order.
        inputs: names for the op's inputs, those that are absent included.
        outputs: names for its results.
        opset: version of the op set that the nodes are written in.
    """

    nodes: tuple[Any, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    opset: int


def expand(proto: Any, inputs: Sequence[Value | None], opset: int) -> Expansion | None:
    """The nodes that the standard says an op is, or None where it says none.

    Args:
        proto: a NodeProto of ONNX's own domain.
        inputs: its values: what the nodes are depends on their dtypes and on which are absent.
        opset: version of the op set that says what the op means.
    """
    schema = _schema(proto.op_type, opset)
    body = _body(schema, proto, inputs, opset) if schema is not None else None
    if schema is None or body is None:
        return None
    attributes = {**_defaults(schema), **{attribute.name: attribute for attribute in proto.attribute}}
    for node in body.node:
        _bind(node, attributes)
    version = max((entry.version for entry in body.opset_import if entry.domain == ""), default=opset)
    return Expansion(tuple(body.node), tuple(body.input), tuple(body.output), version)


def is_function(op_type: str, opset: int) -> bool:
    """Whether the standard defines the op by others."""
    schema = _schema(op_type, opset)
    return schema is not None and (schema.has_function or schema.has_context_dependent_function)


def _schema(op_type: str, opset: int) -> Any | None:
    import onnx

    try:
        return onnx.defs.get_schema(op_type, opset, "")
    except onnx.defs.SchemaError:
        return None


def _body(schema: Any, proto: Any, inputs: Sequence[Value | None], opset: int) -> Any | None:
    """The function in the newest form that the op set has."""
    import onnx

    body = onnx.FunctionProto()
    if schema.has_context_dependent_function:
        types = [_type(value) for value in inputs]
        version = _newest(schema.context_dependent_function_opset_versions, opset)
        raw = schema.get_context_dependent_function_with_opset_version(version, proto.SerializeToString(), types)
    elif schema.has_function:
        raw = schema.get_function_with_opset_version(_newest(schema.function_opset_versions, opset))
    else:
        return None
    if not raw:
        return None
    body.ParseFromString(raw)
    return body


def _newest(versions: Sequence[int], opset: int) -> int:
    return max((version for version in versions if version <= opset), default=min(versions))


def _type(value: Value | None) -> bytes:
    import onnx

    if value is None:
        return b""
    element = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(value.dtype))
    return bytes(onnx.helper.make_tensor_type_proto(element, value.shape).SerializeToString())


def _defaults(schema: Any) -> dict[str, Any]:
    return {
        name: attribute.default_value for name, attribute in schema.attributes.items() if attribute.default_value.name
    }


def _bind(node: Any, attributes: Mapping[str, Any]) -> None:
    """Attributes that refer to the op's own get their values; those that the op does not have go."""
    kept = list(_bound(node, attributes))
    del node.attribute[:]
    node.attribute.extend(kept)
    for attribute in node.attribute:
        for inner in attribute.g.node if attribute.HasField("g") else ():
            _bind(inner, attributes)


def _bound(node: Any, attributes: Mapping[str, Any]) -> Iterator[Any]:
    import onnx

    for attribute in node.attribute:
        if not attribute.ref_attr_name:
            yield attribute
        elif (found := attributes.get(attribute.ref_attr_name)) is not None:
            made = onnx.AttributeProto()
            made.CopyFrom(found)
            made.name = attribute.name
            yield made
