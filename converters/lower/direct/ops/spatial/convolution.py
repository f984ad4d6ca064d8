"""Conv."""

from __future__ import annotations

from collections.abc import Callable

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.arithmetic.reduction import without_axes
from edge_sdk.converters.lower.direct.ops.moving.shape import transpose
from edge_sdk.converters.lower.direct.ops.products.matmul import axis_last, dense
from edge_sdk.converters.lower.direct.ops.spatial.convolving import Parts, conv_1d, conv_2d, conv_3d
from edge_sdk.converters.lower.direct.ops.windows import Window, image_value, window_of
from edge_sdk.converters.lower.direct.value import Value, channels_last

_BY_RANK: dict[int, Callable[[Builder, Parts], Tensor]] = {3: conv_1d, 4: conv_2d, 5: conv_3d}


def _conv(builder: Builder, node: Node) -> Value:
    x, weights = node.input(0), node.input(1)
    if x.rank not in _BY_RANK:
        raise NoFormError(f"a convolution over {x.rank - 2} spatial axes")
    window = window_of(node, x.shape[2:], weights.shape[2:])
    groups = int(node.attribute("group", 1))
    if _is_pointwise(window) and groups == 1 and x.rank == 3 and weights.is_constant:
        matrix = without_axes(builder, weights, [2])
        rows = dense(builder, transpose(x, (0, 2, 1)), matrix, bias_of(builder, node))
        return transpose(rows, (0, 2, 1))
    order = axis_last(x, 1) if _is_pointwise(window) and x.rank == 4 and x.order[0] == 0 else channels_last(x.rank)
    made = _BY_RANK[x.rank](builder, Parts(builder.arranged(x, order), weights, bias_of(builder, node), window, groups))
    return image_value(made) if order == channels_last(x.rank) else Value(made, order, x.spatial)


def _is_pointwise(window: Window) -> bool:
    """Whether each position is on its own, so that positions may come in any order."""
    return set(window.kernel) == {1} and set(window.strides) == {1} and not window.is_padded


def bias_of(builder: Builder, node: Node) -> Tensor | None:
    """The third input, a number for each channel."""
    return builder.arranged(node.input(2)) if node.given(2) else None


OPS = {"Conv": _conv}
