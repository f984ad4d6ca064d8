"""What XNNPACK's int8 convolution takes by the number of input channels: the cause of some of ``peers``' ratios."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.measure.side_by_side import time_side_by_side
from tests.graphs import Graph, options

_CHANNELS = (64, 3, 8, 16, 32, 128)
_SIDE, _OUT, _KERNEL = 112, 32, 3


def rows(seconds: float) -> list[dict[str, Any]]:
    """A 3x3 convolution to 32 channels, on one thread, for each number of input channels; the first is the base."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{channels}.tflite" for channels in _CHANNELS]
        for path, channels in zip(paths, _CHANNELS, strict=True):
            path.write_bytes(_convolution(channels))
        timings = time_side_by_side([str(path) for path in paths], seconds=seconds)
    return [
        {
            "channels": channels,
            "median_us": round(one.median_us),
            "ratio": round(one.ratio, 3),
            "ratio_95": [round(one.ratio_low, 3), round(one.ratio_high, 3)],
            "macs": (_SIDE - _KERNEL + 1) ** 2 * _OUT * _KERNEL**2 * channels,
        }
        for channels, one in sorted(zip(_CHANNELS, timings, strict=True))
    ]


def _convolution(channels: int) -> bytes:
    generator = np.random.default_rng(0)
    graph = Graph()
    image = graph.tensor("image", (1, _SIDE, _SIDE, channels), "int8", scale=[0.05], zero_point=[0])
    values = generator.integers(-127, 128, (_OUT, _KERNEL, _KERNEL, channels)).astype(np.int8)
    kernel = graph.constant("kernel", values, scale=[0.01] * _OUT)
    bias = graph.constant("bias", np.zeros(_OUT, np.int32), scale=[0.0005] * _OUT)
    side = _SIDE - _KERNEL + 1
    result = graph.tensor("result", (1, side, side, _OUT), "int8", scale=[0.5], zero_point=[0])
    valid = options("Conv2DOptions", padding=1, stride_w=1, stride_h=1)
    graph.op("CONV_2D", (image, kernel, bias), (result,), valid, version=3)
    return graph.finish((image,), (result,))
