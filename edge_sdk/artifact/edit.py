"""Small changes to a file's tree: what is added to its tables of ops and constants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.schema import schema


def enum_value(enum: str, name: str) -> int:
    """The number behind a name of the schema's enum or union."""
    return next(value for value, label in schema().enums[enum].items() if label == name)


def add_operator_code(root: Node, name: str, version: int) -> int:
    """Adds an op type to the file's table; returns its index there."""
    code = enum_value("BuiltinOperator", name)
    root.operator_codes.append(
        new_node(schema(), "OperatorCode", builtin_code=code, deprecated_builtin_code=min(code, 127), version=version)
    )
    return len(root.operator_codes) - 1


def new_operator(code: int, inputs: Sequence[int], outputs: Sequence[int], options: str) -> Node:
    """An op whose options all have their defaults.

    Args:
        code: from :func:`add_operator_code`.
        inputs: tensor indices.
        outputs: likewise.
        options: the options' table, such as ``CastOptions``.
    """
    return new_node(
        schema(),
        "Operator",
        opcode_index=code,
        inputs=np.array(inputs, np.int32),
        outputs=np.array(outputs, np.int32),
        builtin_options_type=enum_value("BuiltinOptions", options),
        builtin_options=new_node(schema(), options),
    )
