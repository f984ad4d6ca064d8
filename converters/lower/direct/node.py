"""A node of an ONNX graph as the functions of ``ops/`` see it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge_sdk.converters.lower.direct.value import Value, Values


class NoFormError(Exception):
    """TFLite cannot say this node; the text says why. The walk adds where, and makes it the user's error."""


class DataDependentError(NoFormError):
    """What a node gives has a size that depends on data: no other tool has a form for it in a tensor of known shape."""


@dataclass(frozen=True, eq=False)
class Node:
    """A node with the values of its inputs.

    Attributes:
        op: ONNX's name of the op.
        name: the node's own.
        inputs: values in order; None where an optional one is absent.
        attributes: by name, as plain Python, numpy arrays, or GraphProto.
        outputs: names, empty where nobody asks for one.
        opset: version of the op set that says what the op means.
        traced: the op of PyTorch that it was exported from, such as ``aten.embedding.default``; empty where unknown.
        input_names: as the graph calls them.
        body: lowers a GraphProto attribute with a builder: ``body(proto, builder, inputs)``; see :class:`walk.Walk`.
        sequences: inputs that are sequences, by place; their places in ``inputs`` are None.
        unroll: whether loops with a known count must become ops without a loop.
    """

    op: str
    name: str
    inputs: Sequence[Value | None]
    attributes: dict[str, Any]
    outputs: Sequence[str]
    opset: int
    traced: str = ""
    input_names: Sequence[str] = ()
    body: Callable[..., Any] | None = field(default=None, repr=False)
    sequences: Mapping[int, Values] = field(default_factory=dict)
    unroll: bool = False

    def given(self, place: int) -> bool:
        """Whether the input at this place is present."""
        return place < len(self.inputs) and self.inputs[place] is not None

    def input(self, place: int = 0) -> Value:
        """The input at this place.

        Raises:
            NoFormError: it is absent.
        """
        found = self.inputs[place] if place < len(self.inputs) else None
        if found is None:
            raise NoFormError(f"input {place} is missing")
        return found

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute, or a default."""
        return self.attributes.get(name, default)

    def constant(self, place: int, what: str) -> Any:
        """The numbers of an input that must be known.

        Raises:
            NoFormError: it depends on data.
        """
        value = self.input(place)
        if not value.is_constant:
            raise NoFormError(f"{what} depend on data (input {place}), and TFLite needs them known")
        return value.data

    def ints(self, name: str, place: int, default: Sequence[int] | None = None) -> list[int] | None:
        """Integers that older op sets give as an attribute, newer ones as a constant input."""
        if name in self.attributes:
            return [int(v) for v in np.ravel(self.attributes[name])]
        if self.given(place):
            return [int(v) for v in np.ravel(self.constant(place, f"`{name}`"))]
        return list(default) if default is not None else None


def attributes_of(proto: Any) -> dict[str, Any]:
    """A NodeProto's attributes as plain values: text as str, tensors as arrays, graphs as they are."""
    return {attribute.name: _plain(attribute) for attribute in proto.attribute}


def _plain(attribute: Any) -> Any:
    import onnx

    kind = attribute.type
    if kind == onnx.AttributeProto.STRING:
        return attribute.s.decode("utf-8", "replace")
    if kind == onnx.AttributeProto.STRINGS:
        return [text.decode("utf-8", "replace") for text in attribute.strings]
    if kind == onnx.AttributeProto.TENSOR:
        return onnx.numpy_helper.to_array(attribute.t)
    if kind == onnx.AttributeProto.INTS:
        return list(attribute.ints)
    if kind == onnx.AttributeProto.FLOATS:
        return list(attribute.floats)
    return onnx.helper.get_attribute_value(attribute)


def module_path(proto: Any) -> str:
    """The path of the PyTorch module that a node comes from, or the node's own name.

    ``torch.onnx.export`` writes the scopes of a node, outermost first, as the text of a list.
    """
    for entry in proto.metadata_props:
        if entry.key == "pkg.torch.onnx.name_scopes":
            scopes = _listed(entry.value)[:-1]
            named = [scope for scope in scopes if scope]
            if named:
                return str(named[-1])
    return str(proto.name or next((name for name in proto.output if name), proto.op_type))


def traced_op(proto: Any) -> str:
    """The op of PyTorch that a node was exported from; empty where ``torch.onnx.export`` did not write it."""
    for entry in proto.metadata_props:
        if entry.key == "pkg.torch.onnx.class_hierarchy":
            return next(iter(_listed(entry.value)[-1:]), "")
    return ""


def user_line(proto: Any) -> str:
    """The line of the user's module that a node comes from, as ``torch.export`` knows it; empty where unknown."""
    for entry in proto.metadata_props:
        if entry.key == "pkg.torch.onnx.stack_trace":
            lines = [line.strip() for line in str(entry.value).splitlines() if line.strip().startswith("File ")]
            own = [line for line in lines if "site-packages" not in line]
            return (own or lines or [""])[-1]
    return ""


def _listed(text: str) -> list[str]:
    try:
        found = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return []
    return [str(item) for item in found] if isinstance(found, list) else []
