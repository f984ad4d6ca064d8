"""A main subgraph to which ops are added by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.edit import add_buffer
from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.op_options import encoded, table_of
from edge_sdk.artifact.schema import enum_value, schema
from edge_sdk.artifact.tree import pack_tree
from edge_sdk.converters.layout import Port
from edge_sdk.converters.lower.direct.graph import Op, Tensor
from edge_sdk.converters.lower.direct.versions import version_of
from edge_sdk.converters.proving.finish import finish


class Drawing:
    """A tree whose main subgraph grows; tensors are indices.

    Args:
        root: as :func:`~edge_sdk.artifact.joining.joined` makes it.
    """

    def __init__(self, root: Node) -> None:
        self._root = root
        self._graph = root.subgraphs[0]

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Extents of a tensor."""
        return tuple(int(extent) for extent in self._table(tensor).shape)

    def dtype(self, tensor: int) -> str:
        """Numpy's name of a tensor's type."""
        return str(schema().enums["TensorType"][self._table(tensor).type]).lower()

    def quantization(self, tensor: int) -> Node | None:
        """A tensor's scale and zero point; None where it has no scale."""
        found: Node | None = self._table(tensor).quantization
        return found if found is not None and found.scale is not None and len(found.scale) else None

    def tensor(self, name: str, shape: Sequence[int], dtype: str, quantization: Node | None = None) -> int:
        """A new tensor."""
        kind = enum_value("TensorType", dtype.upper())
        self._graph.tensors.append(
            new_node(
                schema(),
                "Tensor",
                name=name,
                shape=np.array(shape, np.int32),
                type=kind,
                quantization=quantization,
                has_rank=True,
            )
        )
        return len(self._graph.tensors) - 1

    def constant(self, values: npt.ArrayLike, dtype: str) -> int:
        """A new constant."""
        data = np.asarray(values, dtype)
        made = self.tensor("constant", data.shape, dtype)
        self._graph.tensors[made].buffer = add_buffer(self._root, data)
        return made

    def op(self, kind: str, inputs: Sequence[int], outputs: Sequence[int], **options: Any) -> int:
        """A new op behind all others; returns its first result."""
        typed = [Tensor("", self.shape(i), self.dtype(i)) for i in (*inputs, *outputs)]
        version = version_of(Op(kind, tuple(typed[: len(inputs)]), tuple(typed[len(inputs) :]), options))
        fields: dict[str, Any] = {}
        if (table := table_of(kind)) is not None:
            field = "builtin_options" if table[0] == "BuiltinOptions" else "builtin_options_2"
            fields = {f"{field}_type": enum_value(*table), field: new_node(schema(), table[1], **encoded(options))}
        self._graph.operators.append(
            new_node(
                schema(),
                "Operator",
                opcode_index=self._code(kind, version),
                inputs=np.array(inputs, np.int32),
                outputs=np.array(outputs, np.int32),
                **fields,
            )
        )
        return outputs[0]

    def move(self, begin: int, place: int) -> None:
        """Runs the operators from ``begin`` on before the one at ``place``."""
        operators = self._graph.operators
        self._graph.operators = [*operators[:place], *operators[begin:], *operators[place:begin]]

    @property
    def operator_count(self) -> int:
        """How many operators there are."""
        return len(self._graph.operators)

    def reroute(self, operators: range, old: int, new: int) -> None:
        """Some operators read another tensor."""
        for place in operators:
            operator = self._graph.operators[place]
            operator.inputs = np.where(operator.inputs == old, new, operator.inputs).astype(np.int32)

    def as_float(self, tensor: int) -> int:
        """The tensor's real values; itself where it holds floats, or integers that stand for no real ones."""
        if self.dtype(tensor) == "float32" or self.quantization(tensor) is None:
            return tensor
        made = self.tensor("dequantized", self.shape(tensor), "float32")
        return self.op("DEQUANTIZE", [tensor], [made])

    def like(self, tensor: int, model: int) -> int:
        """The tensor's real values in the form of another: dtype, scale and zero point."""
        if self.dtype(model) == "float32":
            return self.as_float(tensor)
        wanted = self.quantization(model)
        made = self.tensor("quantized", self.shape(tensor), self.dtype(model), wanted)
        return self.op("QUANTIZE", [tensor], [made])

    def finished(self, inputs: Sequence[tuple[str, int]], outputs: Sequence[tuple[str, int]], note: Any) -> bytes:
        """The file, with one signature."""
        self._graph.inputs = np.array([index for _, index in inputs], np.int32)
        self._graph.outputs = np.array([index for _, index in outputs], np.int32)
        data = finish(
            pack_tree(self._root),
            [Port(name, None, index) for name, index in inputs],
            [Port(name, None, index) for name, index in outputs],
            note,
        )
        parse_artifact(data)
        return data

    def _table(self, tensor: int) -> Any:
        return self._graph.tensors[tensor]

    def _code(self, kind: str, version: int) -> int:
        number = enum_value("BuiltinOperator", kind)
        for place, code in enumerate(self._root.operator_codes):
            if (max(code.builtin_code, code.deprecated_builtin_code), code.version) == (number, version):
                return place
        deprecated = min(number, 127)
        self._root.operator_codes.append(
            new_node(schema(), "OperatorCode", builtin_code=number, deprecated_builtin_code=deprecated, version=version)
        )
        return len(self._root.operator_codes) - 1
