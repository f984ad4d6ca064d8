"""A small .tflite file made from nothing: values, constants, ops, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.edit import add_buffer, add_operator_code
from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.op_options import encoded, table_of
from edge_sdk.artifact.schema import enum_value, schema
from edge_sdk.artifact.tree import pack_tree

_SCHEMA_VERSION = 3


class Making:
    """One subgraph while it is made; values are known by their index, as in the file.

    >>> made = Making()
    >>> x = made.value((1, 8))
    >>> content = made.content([x], [made.op("RELU", [x], (1, 8))])
    """

    def __init__(self) -> None:
        self._graph = new_node(schema(), "SubGraph", name="main", tensors=[], operators=[])
        self._root = new_node(
            schema(),
            "Model",
            version=_SCHEMA_VERSION,
            description="edge-sdk",
            operator_codes=[],
            subgraphs=[self._graph],
            buffers=[new_node(schema(), "Buffer")],
        )
        self._codes: dict[tuple[str, int], int] = {}

    def value(
        self,
        shape: Sequence[int],
        dtype: str = "float32",
        *,
        scale: Sequence[float] = (),
        zero_point: Sequence[int] = (),
        axis: int = 0,
    ) -> int:
        """A tensor without data.

        Args:
            shape: its extents.
            dtype: a numpy name, or ``int4``.
            scale: one, or one for each index of ``axis``; none for a tensor that is not quantized.
            zero_point: as many; zeros if none are given.
            axis: of the scales.
        """
        quantization = None
        if scale:
            points = np.array(zero_point or [0] * len(scale), np.int64)
            quantization = new_node(
                schema(),
                "QuantizationParameters",
                scale=np.array(scale, np.float32),
                zero_point=points,
                quantized_dimension=axis,
            )
        self._graph.tensors.append(
            new_node(
                schema(),
                "Tensor",
                name=f"t{len(self._graph.tensors)}",
                shape=np.array(shape, np.int32),
                type=enum_value("TensorType", dtype.upper()),
                quantization=quantization,
                has_rank=True,
            )
        )
        return len(self._graph.tensors) - 1

    def constant(
        self, values: npt.NDArray[Any], *, dtype: str = "", shape: Sequence[int] | None = None, **quantization: Any
    ) -> int:
        """A tensor with data.

        Args:
            values: the data; of packed types, their bytes.
            dtype: if it is not that of ``values``.
            shape: likewise.
            quantization: as for :meth:`value`.
        """
        index = self.value(values.shape if shape is None else shape, dtype or values.dtype.name, **quantization)
        self._graph.tensors[index].buffer = add_buffer(self._root, values)
        return index

    def op(
        self,
        kind: str,
        inputs: Sequence[int],
        shape: Sequence[int],
        *,
        like: int | None = None,
        version: int = 1,
        **options: Any,
    ) -> int:
        """An op with one result; returns its index.

        Args:
            kind: such as ``CONV_2D``.
            inputs: indices of values and constants; -1 for one that is left out.
            shape: of the result.
            like: a value whose type and quantization the result has; None for those of the first input.
            version: of the op.
            options: fields of its table of options, with enums by name.
        """
        result = self.value(shape)
        model = self._graph.tensors[inputs[0] if like is None else like]
        self._graph.tensors[result].type = model.type
        self._graph.tensors[result].quantization = model.quantization
        self.row(kind, inputs, [result], version=version, **options)
        return result

    def row(
        self, kind: str, inputs: Sequence[int], outputs: Sequence[int], *, version: int = 1, **options: Any
    ) -> None:
        """An op whose results are there already."""
        if (kind, version) not in self._codes:
            self._codes[kind, version] = add_operator_code(self._root, kind, version)
        union, name = table_of(kind) or ("", "")
        field = {"": "", "BuiltinOptions": "builtin_options", "BuiltinOptions2": "builtin_options_2"}[union]
        table: dict[str, Any] = {}
        if field:
            made: Node = new_node(schema(), name, **encoded(options))
            table = {field: made, f"{field}_type": enum_value(union, name)}
        self._graph.operators.append(
            new_node(
                schema(),
                "Operator",
                opcode_index=self._codes[kind, version],
                inputs=np.array(inputs, np.int32),
                outputs=np.array(outputs, np.int32),
                **table,
            )
        )

    def shape(self, index: int) -> tuple[int, ...]:
        """Of a value."""
        return tuple(int(extent) for extent in self._graph.tensors[index].shape)

    def content(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file."""
        self._graph.inputs, self._graph.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        return pack_tree(self._root)
