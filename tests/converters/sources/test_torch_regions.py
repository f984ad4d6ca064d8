"""Torchvision's pools over regions; the ops are declared here where torchvision is not, with its kernels' rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tests.converters.direct.compare import lowered, run

pytestmark = [pytest.mark.torch, pytest.mark.onnx]

_ROIS = [[0, 2.0, 3, 40, 50], [1, 5, 7, 70, 61], [0, 30, 29, 34, 32], [1, 20, 20, 21, 22], [0, 0, 0, 21, 60]]
_SCALE, _HIGH, _WIDE = 0.5, 3, 2
_ARGUMENTS = "Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width"
_Pool = Callable[..., tuple[Any, Any]]


def _shape(x: Any, rois: Any, own: bool) -> tuple[int, ...]:
    return (rois.shape[0], x.shape[1] // (_HIGH * _WIDE if own else 1), _HIGH, _WIDE)


def _bins(x: Any, rois: Any, own: bool, value: Callable[..., float]) -> tuple[Any, Any]:
    """``value(image of one channel, roi, i, j)`` for every bin."""
    import torch

    made = torch.empty(_shape(x, rois, own))
    for place in np.ndindex(*made.shape):
        region, channel, i, j = place
        roi = rois[region].tolist()
        source = (channel * _HIGH + i) * _WIDE + j if own else channel
        made[place] = value(x[int(roi[0]), source], roi[1:], i, j)
    return made, torch.zeros(made.shape, dtype=torch.int32)


def _within(roi: list[float], axis: int, number: int, bins: int, extra: int, limit: int) -> slice:
    first, last = (math.floor(roi[axis + end] * _SCALE + 0.5) for end in (0, 2))
    step = max(last - first + extra, 1) / bins
    low, high = math.floor(number * step) + first, math.ceil((number + 1) * step) + first
    return slice(min(max(low, 0), limit), min(max(high, 0), limit))


def _part(image: Any, roi: list[float], i: int, j: int, *, extra: int, less: int) -> Any:
    height, width = image.shape
    rows = _within(roi, 1, i, _HIGH, extra, height - less)
    return image[rows, _within(roi, 0, j, _WIDE, extra, width - less)]


def _roi_pool(x: Any, rois: Any, *_: Any) -> tuple[Any, Any]:
    def most(*cell: Any) -> float:
        part = _part(*cell, extra=1, less=0)
        return float(part.max()) if part.numel() else 0.0

    return _bins(x, rois, False, most)


def _ps_roi_pool(x: Any, rois: Any, *_: Any) -> tuple[Any, Any]:
    def mean(*cell: Any) -> float:
        part = _part(*cell, extra=0, less=1)
        return float(part.mean()) if part.numel() else 0.0

    return _bins(x, rois, True, mean)


def _ps_roi_align(x: Any, rois: Any, *_: Any) -> tuple[Any, Any]:
    def at(image: Any, y: float, x: float) -> float:
        height, width = image.shape
        if not (-1 <= y <= height and -1 <= x <= width):
            return 0.0
        y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
        top, left = int(y), int(x)
        low, right, v, h = min(top + 1, height - 1), min(left + 1, width - 1), y - top, x - left
        above = image[top, left] * (1 - h) + image[top, right] * h
        return float(above * (1 - v) + (image[low, left] * (1 - h) + image[low, right] * h) * v)

    def mean(image: Any, roi: list[float], i: int, j: int) -> float:
        left, top, right, low = (edge * _SCALE - 0.5 for edge in roi)
        high, wide = (low - top) / _HIGH, (right - left) / _WIDE
        inner = (0.25, 0.75)
        return sum(at(image, top + (i + a) * high, left + (j + b) * wide) for a in inner for b in inner) / 4

    return _bins(x, rois, True, mean)


@pytest.fixture(params=[("roi_pool", _roi_pool), ("ps_roi_pool", _ps_roi_pool), ("ps_roi_align", _ps_roi_align)])
def pool(request: pytest.FixtureRequest) -> Iterator[tuple[Any, _Pool, tuple[Any, ...]]]:
    """The op, its rule, and its arguments behind the regions."""
    import torch

    name, rule = request.param
    align = name == "ps_roi_align"
    more = (_SCALE, _HIGH, _WIDE, *((2,) if align else ()))
    if hasattr(torch.ops.torchvision, name):
        yield getattr(torch.ops.torchvision, name).default, rule, more
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    library.define(f"{name}({_ARGUMENTS}{', int sampling_ratio' if align else ''}) -> (Tensor, Tensor)")
    library.impl(name, rule, "CPU")
    library.impl(name, lambda x, rois, *_: (x.new_empty(s := _shape(x, rois, "ps" in name)), x.new_empty(s)), "Meta")
    yield getattr(torch.ops.torchvision, name).default, rule, more
    library._destroy()


def test_pools_of_regions(pool: tuple[Any, _Pool, tuple[Any, ...]]) -> None:
    import torch

    from edge_sdk.converters.sources.pytorch.export import exported

    op, rule, more = pool

    class Pool(torch.nn.Module):
        def forward(self, x: torch.Tensor, rois: torch.Tensor) -> torch.Tensor:
            made: torch.Tensor = op(x * 1.0, rois, *more)[0]
            return made

    x = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 12, 32, 30)).astype(np.float32))
    rois = torch.tensor(_ROIS)
    proto = exported(Pool().eval(), [x, rois], ["x", "rois"], ["y"], {"exporter": "dynamo", "opset": 20})
    feeds = {"x": x.numpy(), "rois": rois.numpy()}
    (found,) = run(lowered(proto, feeds), feeds)
    np.testing.assert_allclose(found, rule(x, rois)[0].numpy(), rtol=2e-5, atol=2e-6)
