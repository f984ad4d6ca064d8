"""From an ONNX graph to ops: one node after the other, constants folded on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.folding import fold
from edge_sdk.converters.lower.direct.node import Node, NoFormError, attributes_of, module_path, user_line
from edge_sdk.converters.lower.direct.ops import OPS
from edge_sdk.converters.lower.direct.reading import OWN_DOMAINS, array_of, as_computed, in_order
from edge_sdk.converters.lower.direct.value import Value
from edge_sdk.errors import ModelError, UnsupportedOpError

Form = Callable[[Builder, Node], Value | Sequence[Value]]


@dataclass
class Walk:
    """Where the walk is: the names that are known, and the builder that ops go to.

    Attributes:
        builder: of the graph in the making.
        opset: version of ONNX's op set.
        folder: where weights beside the file lie.
        values: name to value.
    """

    builder: Builder
    opset: int
    folder: str = ""
    values: dict[str, Value] = field(default_factory=dict)

    def graph(self, proto: Any, inputs: Mapping[str, Value]) -> list[Value]:
        """Lowers a GraphProto; returns its outputs.

        Args:
            proto: the graph; what its nodes read of outer graphs is found in ``values``.
            inputs: its own inputs.

        Raises:
            UnsupportedOpError: lists every node that has no form.
            ModelError: the graph is not valid.
        """
        self.values.update(inputs)
        for weight in proto.initializer:
            if weight.name not in inputs:
                self.builder.origin = weight.name
                self.values[weight.name] = self.builder.fixed(as_computed(array_of(weight, self.folder)))
        for node in in_order(proto.node, self.values):
            self._step(node)
        return [self._read(output.name, "the graph's outputs") for output in proto.output]

    def _step(self, proto: Any) -> None:
        inputs = [self._read(name, f"{proto.op_type} `{proto.name}`") if name else None for name in proto.input]
        self.builder.origin = module_path(proto)
        made = self._folded(proto, inputs)
        if made is None:
            made = self._formed(proto, inputs)
        for name, value in zip(proto.output, made, strict=False):
            if name:
                self.values[name] = value

    def _read(self, name: str, reader: str) -> Value:
        if name not in self.values:
            raise ModelError(f"{reader} reads `{name}`, which nothing makes", hint="check the model with onnx.checker")
        return self.values[name]

    def _folded(self, proto: Any, inputs: Sequence[Value | None]) -> list[Value] | None:
        if not all(value is None or value.is_constant for value in inputs) or proto.domain not in OWN_DOMAINS:
            return None
        arrays: list[npt.NDArray[Any] | None] = [value.data if value is not None else None for value in inputs]
        results = fold(proto, arrays, self.opset)
        return None if results is None else [self.builder.fixed(result) for result in results]

    def _formed(self, proto: Any, inputs: Sequence[Value | None]) -> list[Value]:
        node = Node(
            op=proto.op_type,
            name=proto.name,
            inputs=inputs,
            attributes=attributes_of(proto),
            outputs=list(proto.output),
            opset=self.opset,
            input_names=list(proto.input),
            body=self._body,
        )
        try:
            made = OPS[proto.op_type](self.builder, node)
        except NoFormError as error:
            raise unsupported([(proto, str(error))]) from error
        return [made] if isinstance(made, Value) else list(made)

    def _body(self, proto: Any, builder: Builder, inputs: Mapping[str, Value]) -> list[Value]:
        """Lowers the body of a loop or branch with a builder; it sees all names of this graph."""
        inner = Walk(builder, self.opset, self.folder, dict(self.values))
        return inner.graph(proto, inputs)


def unsupported(nodes: Sequence[tuple[Any, str]]) -> UnsupportedOpError:
    """The user's error for nodes that TFLite cannot say, each with why."""
    rows = [(_op_name(proto), _where(proto), why) for proto, why in nodes]
    listing = "; ".join(f"{op} at {where}: {why}" for op, where, why in rows[:4])
    more = f"; and {len(rows) - 4} more" if len(rows) > 4 else ""
    return UnsupportedOpError(
        f"{len(rows)} node{'s' if len(rows) > 1 else ''} cannot be lowered to TFLite: {listing}{more}",
        ops=rows,
        hint="replace these ops in the source model; --json lists every node",
    )


def _op_name(proto: Any) -> str:
    return proto.op_type if proto.domain in OWN_DOMAINS else f"{proto.domain}::{proto.op_type}"


def _where(proto: Any) -> str:
    line = user_line(proto)
    return f"`{module_path(proto)}`" + (f" ({line})" if line else "")


def check_ops(graph: Any) -> None:
    """Fails on ops without a form, all of them at once.

    Raises:
        UnsupportedOpError: lists every node.
    """
    missing = list(_missing(graph))
    if missing:
        raise unsupported(missing)


def _missing(graph: Any) -> Any:
    for proto in graph.node:
        if proto.domain not in OWN_DOMAINS:
            yield proto, f"an op of the domain `{proto.domain}`"
        elif proto.op_type not in OPS:
            yield proto, "no TFLite form is known"
        for attribute in proto.attribute:
            if attribute.HasField("g"):
                yield from _missing(attribute.g)
