"""Constants of an ONNX form."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

INT32, INT64 = 6, 7
"""ONNX' numbers of dtypes, for Cast."""


def opset() -> Any:
    """The ops that forms are written in; untyped, as their arguments are PyTorch's."""
    from onnxscript import opset20

    return opset20


def integers(op: Any, *values: npt.ArrayLike) -> Any:
    """int64 constants: one, or a tuple of several."""
    import onnx_ir

    made = tuple(op.Constant(value=onnx_ir.tensor(np.asarray(value, np.int64))) for value in values)
    return made[0] if len(made) == 1 else made


def numbers(op: Any, values: npt.ArrayLike) -> Any:
    """A float32 constant."""
    import onnx_ir

    return op.Constant(value=onnx_ir.tensor(np.asarray(values, np.float32)))


def like(op: Any, number: float, value: Any) -> Any:
    """A number in the dtype of ``value``."""
    return op.CastLike(numbers(op, number), value)
