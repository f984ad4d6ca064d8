"""What cuts or widens at both ends: CenterCropPad; and Col2Im, which lays windows over each other."""

from __future__ import annotations

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import Node
from edge_sdk.converters.lower.direct.ops.spatial.convolution_transposed import Transposed, transposed_conv, with_gaps
from edge_sdk.converters.lower.direct.ops.windows import cropped, pad
from edge_sdk.converters.lower.direct.value import Value, identity


def _center_crop_pad(builder: Builder, node: Node) -> Value:
    """Where a number of elements is odd, one more goes behind."""
    x = node.input()
    axes = [int(a) % x.rank for a in node.attribute("axes", range(x.rank))]
    wanted = dict(zip(axes, (int(n) for n in np.ravel(node.constant(1, "the extents"))), strict=True))
    missing = [wanted.get(axis, x.shape[axis]) - x.shape[axis] for axis in x.order]
    cut, added = ([max(sign * n, 0) for n in missing] for sign in (-1, 1))
    tensor = cropped(builder, x.tensor, [n // 2 for n in cut], [n - n // 2 for n in cut])
    return Value(pad(builder, tensor, [n // 2 for n in added], [n - n // 2 for n in added]), x.order, x.spatial)


def _col2im(builder: Builder, node: Node) -> Value:
    """A transposed convolution of each channel alone, whose kernel puts each element at its own place."""
    x = node.input()
    image, block = ([int(n) for n in np.ravel(node.constant(i, "the extents"))] for i in (1, 2))
    count, size = len(image), int(np.prod(block))
    strides, dilations = (tuple(int(n) for n in node.attribute(name, [1] * count)) for name in ("strides", "dilations"))
    pads = [int(n) for n in node.attribute("pads", [0] * 2 * count)]
    reach = [(k - 1) * d + 1 for k, d in zip(block, dilations, strict=True)]
    windows = [(n + pads[i] + pads[i + count] - reach[i]) // strides[i] + 1 for i, n in enumerate(image)]
    batch, channels = x.shape[0], x.shape[1] // size
    columns = builder.reshaped(builder.arranged(x), (batch * channels, size, x.shape[2]))
    rows = builder.reshaped(builder.transposed(columns, (0, 2, 1)), (batch * channels, *windows, size))
    kernel = builder.fixed(np.eye(size, dtype=np.float32).reshape(size, 1, *block))
    conv = Transposed(with_gaps(builder, kernel, dilations), strides, tuple(pads[:count]), tuple(image))
    made = transposed_conv(builder, rows, conv, None)
    shape = (batch, channels, *image)
    return Value(builder.reshaped(made, shape), identity(len(shape)))


OPS = {"CenterCropPad": _center_crop_pad, "Col2Im": _col2im}
