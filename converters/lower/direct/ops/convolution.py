"""Conv."""

from __future__ import annotations

from collections.abc import Callable

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.convolving import Parts, conv_1d, conv_2d, conv_3d
from edge_sdk.converters.lower.direct.ops.windows import image_tensor, image_value, window_of
from edge_sdk.converters.lower.direct.value import Value

_BY_RANK: dict[int, Callable[[Builder, Parts], Tensor]] = {3: conv_1d, 4: conv_2d, 5: conv_3d}


def _conv(builder: Builder, node: Node) -> Value:
    x, weights = node.input(0), node.input(1)
    if x.rank not in _BY_RANK:
        raise NoFormError(f"a convolution over {x.rank - 2} spatial axes")
    window = window_of(node, x.shape[2:], weights.shape[2:])
    parts = Parts(image_tensor(builder, x), weights, bias_of(builder, node), window, int(node.attribute("group", 1)))
    return image_value(_BY_RANK[x.rank](builder, parts))


def bias_of(builder: Builder, node: Node) -> Tensor | None:
    """The third input, a number for each channel."""
    return builder.arranged(node.input(2)) if node.given(2) else None


OPS = {"Conv": _conv}
