"""What the results of a convolution read: rows of an op's input, at some of its places."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Op

_SAME = 0


def windows(op: Op, values: npt.NDArray[Any], kernel: tuple[int, int], wanted: int, rng: Any) -> npt.NDArray[Any]:
    """Windows of an image batch at places drawn at random; where SAME pads, they hold zeros.

    Args:
        op: CONV_2D or DEPTHWISE_CONV_2D.
        values: its input, real, ``[n, h, w, c]``.
        kernel: height and width.
        wanted: at most so many windows; all in order where there are no more.
        rng: draws the places.

    Returns:
        ``[windows, kernel height, kernel width, c]``.
    """
    options = op.options
    strides = (options["stride_h"], options["stride_w"])
    dilations = (options.get("dilation_h_factor", 1), options.get("dilation_w_factor", 1))
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    extents = values.shape[1:3]
    if options.get("padding", 0) == _SAME:
        counts = [-(-size // stride) for size, stride in zip(extents, strides, strict=True)]
    else:
        counts = [(size - span) // stride + 1 for size, span, stride in zip(extents, spans, strides, strict=True)]
    totals = [
        max((count - 1) * stride + span - size, 0)
        for count, stride, span, size in zip(counts, strides, spans, extents, strict=True)
    ]
    before = [total // 2 if options.get("padding", 0) == _SAME else 0 for total in totals]
    padded = np.pad(values, [(0, 0), *((b, max(t - b, 0)) for b, t in zip(before, totals, strict=True)), (0, 0)])
    every = len(values) * counts[0] * counts[1]
    places = np.arange(every) if every <= wanted else rng.choice(every, wanted, replace=False)
    sample, row, column = np.unravel_index(places, (len(values), *counts))
    rows = (row * strides[0])[:, np.newaxis, np.newaxis] + (np.arange(kernel[0]) * dilations[0])[:, np.newaxis]
    columns = (column * strides[1])[:, np.newaxis, np.newaxis] + np.arange(kernel[1]) * dilations[1]
    found: npt.NDArray[Any] = padded[sample[:, np.newaxis, np.newaxis], rows, columns]
    return found
