"""Clamps that an engine would take for the activation of a convolution or a pool."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor
from edge_sdk.converters.lower.direct.passes.matching import (
    Changes,
    View,
    by_rule,
    constant,
    reshaped,
    scalar,
    split_operands,
)

_WINDOWS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "AVERAGE_POOL_2D", "MAX_POOL_2D")
_CLAMPS = ("RELU", "RELU6", "RELU_N1_TO_1")


def keep_clamps_apart(graph: Graph) -> Graph:
    """Before: ``y = MAXIMUM(CONV_2D(x, w, b), 0.1)``. After: the same, with 0.1 for each channel.

    XNNPACK of ai-edge-litert 2.1.0 to 2.1.4 makes the maximum with one number part of the convolution, which then
    refuses a range without zero: no session opens the file (tried; 2.0.3, and 2.1.5 and later, run it). One of 1 by 1
    without strides takes any range, and keeps the clamp. A pool refuses it too; a TRANSPOSE_CONV ends the process.
    And a number with more axes than the operand lends it none there: they are added after.
    """
    return by_rule(graph, _apart, "MAXIMUM", "MINIMUM")


def _apart(view: View, op: Op, changes: Changes) -> None:
    operands = split_operands(op)
    if operands is None or op.output.dtype != "float32":
        return
    x, known = operands
    number = scalar(known)
    if number is None:
        return
    excludes_zero = number > 0 if op.kind == "MAXIMUM" else number < 0
    taken = excludes_zero and _is_windowed(view, x)
    wider = op.output.shape != x.shape
    if taken and op.output.size == 1:
        _as_vector(op, x, known, changes)
    elif taken or wider:
        bound = _for_each(x, number) if taken else np.asarray(number)
        made = Tensor(op.output.origin, x.shape, "float32") if wider else op.output
        clamp = op.reading(x, constant(op.output.origin, bound)).making(made)
        changes.replace(op, clamp, *([reshaped(made, op.output)] if wider else []))


def _for_each(x: Tensor, number: float) -> npt.NDArray[Any]:
    """The number along the last axis that has several elements."""
    axis = next(i for i in reversed(range(len(x.shape))) if x.shape[i] > 1)
    return np.full((x.shape[axis], *(1,) * (len(x.shape) - axis - 1)), number)


def _as_vector(op: Op, x: Tensor, known: Tensor, changes: Changes) -> None:
    """One number alone has no axis to spread over: a reshape stands between."""
    origin = op.output.origin
    flat, made = Tensor(origin, (1,), "float32"), Tensor(origin, (1,), "float32")
    changes.replace(op, reshaped(x, flat), op.reading(flat, known).making(made), reshaped(made, op.output))


def _is_windowed(view: View, tensor: Tensor) -> bool:
    """Whether nothing but clamps by one number and reshapes stands between a convolution or pool and the tensor."""
    maker = view.maker(tensor)
    while maker is not None and maker.kind not in _WINDOWS:
        operands = split_operands(maker)
        if maker.kind in (*_CLAMPS, "RESHAPE"):
            source = maker.inputs[0]
        elif maker.kind in ("MAXIMUM", "MINIMUM") and operands is not None and scalar(operands[1]) is not None:
            source = operands[0]
        else:
            return False
        maker = view.maker(source)
    return maker is not None and not _is_pointwise(maker)


def _is_pointwise(op: Op) -> bool:
    """Its kernel is a product of matrices, which takes every range; of one channel it is a depthwise one."""
    if op.kind != "CONV_2D":
        return False
    weights = op.inputs[1]
    small = weights is not None and tuple(weights.shape[1:3]) == (1, 1) and weights.shape[3] > 1
    return small and op.options["stride_h"] == op.options["stride_w"] == 1
