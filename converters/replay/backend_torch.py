"""The primitives of :mod:`.ops` in PyTorch; images are channels-last, as in the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name

Pairs = Sequence[tuple[int, int]]


class TorchBackend:
    """Stateless; one for each device."""

    def __init__(self, device: Any = None) -> None:
        self._device = device

    relu = staticmethod(torch.relu)
    tanh = staticmethod(torch.tanh)
    sigmoid = staticmethod(torch.sigmoid)
    exp = staticmethod(torch.exp)
    log = staticmethod(torch.log)
    sqrt = staticmethod(torch.sqrt)
    rsqrt = staticmethod(torch.rsqrt)
    erf = staticmethod(torch.erf)
    sin = staticmethod(torch.sin)
    cos = staticmethod(torch.cos)
    floor = staticmethod(torch.floor)
    ceil = staticmethod(torch.ceil)
    round = staticmethod(torch.round)
    sign = staticmethod(torch.sign)
    argmax = staticmethod(torch.argmax)
    argmin = staticmethod(torch.argmin)
    cumsum = staticmethod(torch.cumsum)
    matmul = staticmethod(torch.matmul)

    def constant(self, values: Any) -> Any:
        return torch.from_numpy(np.array(values)).to(self._device)

    def number(self, value: Any) -> Any:
        return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value

    def shape(self, x: Any) -> tuple[int, ...]:
        return tuple(x.shape)

    def reshape(self, x: Any, shape: Sequence[int]) -> Any:
        return x.reshape(tuple(shape))

    def expand(self, x: Any, axis: int) -> Any:
        return x.unsqueeze(axis)

    def align(self, x: Any, rank: int) -> Any:
        """Extents of 1 after the sample axis, up to the rank."""
        missing = rank - x.dim()
        return x.reshape(x.shape[0], *([1] * missing), *x.shape[1:]) if missing else x

    def align_back(self, x: Any, like: Any) -> Any:
        return x.reshape(*x.shape, *([1] * (like.dim() - x.dim())))

    def same_samples(self, parts: Sequence[Any]) -> list[Any]:
        most = max(part.shape[0] for part in parts)
        return [part.expand(most, *part.shape[1:]) for part in parts]

    def transpose(self, x: Any, order: Sequence[int]) -> Any:
        return x.permute(tuple(order))

    def swap_last(self, x: Any) -> Any:
        return x.transpose(-1, -2)

    def concat(self, parts: Sequence[Any], axis: int) -> Any:
        return torch.cat(list(parts), axis)

    def split(self, x: Any, sizes: Sequence[int], axis: int) -> Any:
        return torch.split(x, list(sizes), axis)

    def take(self, x: Any, positions: Any, axis: int) -> Any:
        return torch.index_select(x, axis, torch.from_numpy(np.array(positions, np.int64)).to(x.device))

    def lookup(self, table: Any, indices: Any) -> Any:
        return F.embedding(indices.long(), table) if table.dim() == 2 else table[indices.long()]

    def first_sample(self, x: Any) -> Any:
        return x[0]

    def pad(self, x: Any, paddings: Pairs, value: float) -> Any:
        flat = [extent for pair in reversed(list(paddings)) for extent in pair]
        return F.pad(x, flat, value=value)

    def clip(self, x: Any, low: float, high: float) -> Any:
        return torch.clamp(x, low, high)

    def maximum(self, x: Any, y: Any) -> Any:
        return torch.clamp_min(x, y) if isinstance(y, float) else torch.maximum(x, y)

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        return torch.where(condition.bool(), x, y)

    def to_float(self, x: Any) -> Any:
        return x.float()

    def to_whole(self, x: Any, *, wide: bool) -> Any:
        return x.to(torch.int64 if wide else torch.int32)

    def prod(self, x: Any, axes: Sequence[int]) -> Any:
        for axis in sorted(axes, reverse=True):
            x = torch.prod(x, axis)
        return x

    def mean(self, x: Any, axes: Sequence[int]) -> Any:
        return x.mean(tuple(axes))

    def sum(self, x: Any, axes: Sequence[int]) -> Any:
        return x.sum(tuple(axes))

    def max(self, x: Any, axes: Sequence[int]) -> Any:
        return torch.amax(x, tuple(axes))

    def min(self, x: Any, axes: Sequence[int]) -> Any:
        return torch.amin(x, tuple(axes))

    def softmax(self, x: Any) -> Any:
        return torch.softmax(x, -1)

    def conv(self, x: Any, w: Any, *, strides: Any, paddings: Pairs, dilations: Any) -> Any:
        groups = x.shape[-1] // w.shape[-1]
        return _spatial(x, w.permute(0, 3, 1, 2), strides, paddings, dilations, groups)

    def depthwise(self, x: Any, w: Any, *, strides: Any, paddings: Pairs, dilations: Any) -> Any:
        return _spatial(x, w.permute(3, 0, 1, 2), strides, paddings, dilations, x.shape[-1])

    def transpose_conv(self, x: Any, w: Any, *, strides: Any, extents: Any, same: bool) -> Any:
        whole = F.conv_transpose2d(x.permute(0, 3, 1, 2), w.permute(3, 0, 1, 2), stride=tuple(strides))
        for axis, (wanted, kernel, stride, size) in enumerate(
            zip(extents, w.shape[1:3], strides, x.shape[1:3], strict=True), 2
        ):
            before = max((size - 1) * stride + kernel - wanted, 0) // 2 if same else 0
            missing = before + wanted - whole.shape[axis]
            if missing > 0:
                whole = F.pad(whole, [0, 0, 0, missing] if axis == 2 else [0, missing])
            whole = whole.narrow(axis, before, wanted)
        return whole.permute(0, 2, 3, 1)

    def max_pool(self, x: Any, size: Any, strides: Any, paddings: Pairs) -> Any:
        padded = (
            F.pad(x.permute(0, 3, 1, 2), _flat(paddings), value=-torch.inf) if _any(paddings) else x.permute(0, 3, 1, 2)
        )
        return F.max_pool2d(padded, tuple(size), tuple(strides)).permute(0, 2, 3, 1)

    def average_pool(self, x: Any, size: Any, strides: Any, paddings: Pairs) -> Any:
        x = x.permute(0, 3, 1, 2)
        if not _any(paddings):
            return F.avg_pool2d(x, tuple(size), tuple(strides)).permute(0, 2, 3, 1)
        sums = F.avg_pool2d(F.pad(x, _flat(paddings)), tuple(size), tuple(strides))
        ones = F.pad(torch.ones_like(x[:1, :1]), _flat(paddings))
        return (sums / F.avg_pool2d(ones, tuple(size), tuple(strides))).permute(0, 2, 3, 1)


def _any(paddings: Pairs) -> bool:
    return any(extent for pair in paddings for extent in pair)


def _flat(paddings: Pairs) -> list[int]:
    (top, bottom), (left, right) = paddings
    return [left, right, top, bottom]


def _spatial(x: Any, w: Any, strides: Any, paddings: Pairs, dilations: Any, groups: int) -> Any:
    x = x.permute(0, 3, 1, 2)
    (top, bottom), (left, right) = paddings
    if top != bottom or left != right:
        x, top, left = F.pad(x, _flat(paddings)), 0, 0
    return F.conv2d(x, w, None, tuple(strides), (top, left), tuple(dilations), groups).permute(0, 2, 3, 1)
