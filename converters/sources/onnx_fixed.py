"""Inputs of an ONNX graph that a user gives a value once and for all: a sampling rate, a flag, a length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import SignatureError

Fixed = Mapping[str, Sequence[float]]


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
        array = _array(inputs[name], numbers, shapes.get(name))
        copy.graph.input.remove(inputs[name])
        for given in [one for one in copy.graph.initializer if one.name == name]:
            copy.graph.initializer.remove(given)
        copy.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return copy


def _array(value: Any, numbers: Sequence[float], shape: Sequence[int] | None) -> npt.NDArray[Any]:
    from onnx.helper import tensor_dtype_to_np_dtype

    declared = value.type.tensor_type
    dtype = tensor_dtype_to_np_dtype(declared.elem_type)
    extents = tuple(shape) if shape is not None else tuple(dim.dim_value for dim in declared.shape.dim)
    if shape is None and any(d.WhichOneof("value") != "dim_value" or d.dim_value < 0 for d in declared.shape.dim):
        raise SignatureError(
            f"input `{value.name}` has open dimensions", hint=f"say --input {value.name}=SHAPE as well"
        )
    size = int(np.prod(extents, dtype=np.int64))
    if len(numbers) not in (1, size):
        raise SignatureError(f"input `{value.name}` has shape {list(extents)}, so {size} numbers; got {len(numbers)}")
    exact = np.array(numbers, np.float64)
    typed = exact.astype(dtype)
    if np.dtype(dtype).kind in "iub" and not np.array_equal(typed.astype(np.float64), exact):
        raise SignatureError(f"input `{value.name}` is {np.dtype(dtype).name}, which does not hold {list(numbers)}")
    return np.array(np.broadcast_to(typed, size).reshape(extents))
