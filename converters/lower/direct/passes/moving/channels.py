"""Channels put into another order, moved into the weights that make them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor
from edge_sdk.converters.lower.direct.passes.matching import Changes, View, by_rule, integers

_MAKERS = ("CONV_2D", "FULLY_CONNECTED")
# Each element alone, whatever its channel.
_UNARY = frozenset({"ELU", "GELU", "LEAKY_RELU", "LOGISTIC", "NEG", "RELU", "RELU6", "RELU_N1_TO_1", "TANH"})


def order_channels(graph: Graph) -> Graph:
    """Makes channels in the order in which they are read, as before DEPTH_TO_SPACE for PyTorch's pixel shuffle.

    Before::

        c = CONV_2D(x, w, b)    r = RESHAPE(c, [N, H * W, C, B])    t = TRANSPOSE(r, [0, 1, 3, 2])
        y = RESHAPE(t, [N, H, W, B * C])

    After::

        y = CONV_2D(x, w', b')
    """
    return by_rule(graph, _moved, "TRANSPOSE")


def _moved(view: View, op: Op, changes: Changes) -> None:
    before, after = view.maker(op.inputs[0], "RESHAPE"), view.only_reader(op.output, "RESHAPE")
    if before is None or after is None or view.is_output(after.output) or changes.touches(before, after):
        return
    made, grouped = before.inputs[0], before.output
    if made is None or view.only_reader(grouped) is not op or not swaps_last(op, made, after.output):
        return
    maker = _maker(view, made, before)
    if maker is None or changes.touches(maker):
        return
    order = np.arange(made.shape[-1]).reshape(grouped.shape[-2:]).T.reshape(-1)
    changes.replace(maker, _ordered(maker, order))
    changes.replace(before)
    changes.replace(op)
    changes.replace(after)
    changes.rename(after.output, made)


def swaps_last(op: Op, made: Tensor, after: Tensor) -> bool:
    """Whether nothing but the last axis is cut in two, and its parts change places."""
    shape, permutation = op.inputs[0].shape if op.inputs[0] is not None else (), integers(op.inputs[1])
    rank = len(shape)
    swapped = (*range(rank - 2), rank - 1, rank - 2)
    return permutation == swapped and shape[-1] * shape[-2] == made.shape[-1] and after.shape == made.shape


def _maker(view: View, tensor: Tensor, reader: Op) -> Op | None:
    """The product with known weights of one group that makes a tensor, through activations that nobody else reads."""
    while view.only_reader(tensor) is reader:
        maker = view.maker(tensor)
        if maker is None or maker.kind in _MAKERS:
            return maker if maker is not None and _is_known(maker) else None
        if maker.kind not in _UNARY or maker.inputs[0] is None:
            return None
        tensor, reader = maker.inputs[0], maker
    return None


def _is_known(maker: Op) -> bool:
    x, weights, bias = maker.inputs[:3]
    if x is None or weights is None or weights.data is None or (bias is not None and bias.data is None):
        return False
    return weights.shape[-1] == x.shape[-1] or maker.kind == "FULLY_CONNECTED"


def _ordered(maker: Op, order: npt.NDArray[Any]) -> Op:
    x, weights, bias = maker.inputs[:3]
    return maker.reading(x, _taken(weights, order), _taken(bias, order))


def _taken(tensor: Tensor | None, order: npt.NDArray[Any]) -> Tensor | None:
    if tensor is None or tensor.data is None:
        return None
    return replace(tensor, data=np.array(tensor.data[order], order="C"))
