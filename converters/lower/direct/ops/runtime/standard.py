"""Forms of ONNX's own ops, for ops that are made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import Node
from edge_sdk.converters.lower.direct.ops import arithmetic, moving, products, spatial
from edge_sdk.converters.lower.direct.value import Value

_FORMS: Mapping[str, Any] = {**arithmetic.OPS, **moving.OPS, **products.OPS, **spatial.OPS}
_OPSET = 23


def standard(builder: Builder, node: Node, op: str, inputs: Sequence[Value | None], **attributes: Any) -> Value:
    """What an op of the standard gives, in a node's place.

    Args:
        builder: what makes ops.
        node: the one that it is a part of.
        op: ONNX's name.
        inputs: its values.
        attributes: its own.
    """
    inner = replace(node, op=op, inputs=inputs, attributes=attributes, outputs=["made"], opset=_OPSET)
    made = _FORMS[op](builder, inner)
    return made if isinstance(made, Value) else made[0]
