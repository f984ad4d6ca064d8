"""Inputs of an ONNX graph that a user gives a value once and for all: a sampling rate, a flag, a length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edge_sdk.converters.sources.fixed_inputs import Fixed, fixed_array
from edge_sdk.errors import SignatureError
from edge_sdk.signature import TensorSpec


def with_fixed_inputs(model: Any, values: Fixed, shapes: Mapping[str, Sequence[int]]) -> Any:
    """A copy of a model in which some inputs are constants.

    Before: ``sr`` is an input, and ``If(sr == 16000)`` chooses. After: ``sr`` is an initializer, and folded.

    Args:
        model: an ``onnx.ModelProto``.
        values: input name to its numbers in row-major order, or to one number for all its elements.
        shapes: of inputs with open dimensions, by name.

    Raises:
        SignatureError: no such input, no such shape, or a number that its dtype does not hold.
    """
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    inputs = {value.name: value for value in copy.graph.input}
    for name, numbers in values.items():
        if name not in inputs:
            raise SignatureError(f"there is no input `{name}` to fix", hint=f"inputs are {', '.join(inputs)}")
        array = fixed_array(_declared(inputs[name]), numbers, shapes.get(name))
        copy.graph.input.remove(inputs[name])
        for given in [one for one in copy.graph.initializer if one.name == name]:
            copy.graph.initializer.remove(given)
        copy.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return copy


def _declared(value: Any) -> TensorSpec:
    from onnx.helper import tensor_dtype_to_np_dtype

    declared = value.type.tensor_type
    extents = (d.dim_value if d.WhichOneof("value") == "dim_value" else -1 for d in declared.shape.dim)
    shape = tuple(None if extent < 0 else extent for extent in extents)
    return TensorSpec(value.name, shape, np.dtype(tensor_dtype_to_np_dtype(declared.elem_type)).name)
