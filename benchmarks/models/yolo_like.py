"""A detector in the manner of YOLOv8, which nobody trained: its weights are drawn and settled.

CSP blocks with SiLU, SPPF, two levels merged, boxes by distributions (DFL), and boxes in pixels beside scores in one
output.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.models.torch_weights import Example, settled

SIDE, CLASSES, BINS = 96, 8, 16
_STRIDES = (8, 16)


class Conv(nn.Sequential):
    """Convolution, batch norm, SiLU."""

    def __init__(self, come: int, go: int, kernel: int = 1, stride: int = 1) -> None:
        plain = nn.Conv2d(come, go, kernel, stride, kernel // 2, bias=False)
        super().__init__(plain, nn.BatchNorm2d(go), nn.SiLU())


class C2f(nn.Module):
    """Half of the channels through residual bottlenecks, all of them joined."""

    def __init__(self, come: int, go: int, depth: int) -> None:
        super().__init__()
        self.half = go // 2
        self.first, self.last = Conv(come, go), Conv(self.half * (2 + depth), go)
        self.blocks = nn.ModuleList(
            nn.Sequential(Conv(self.half, self.half, 3), Conv(self.half, self.half, 3)) for _ in range(depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Channels first."""
        parts = list(self.first(x).split((self.half, self.half), 1))
        for block in self.blocks:
            parts.append(parts[-1] + block(parts[-1]))
        return self.last(torch.cat(parts, 1))


class YoloLike(nn.Module):
    """Images ``[1, 3, 96, 96]`` to ``[1, 4 + classes, anchors]``."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(Conv(3, 16, 3, 2), Conv(16, 32, 3, 2), C2f(32, 32, 1), Conv(32, 64, 3, 2))
        self.shallow = C2f(64, 64, 2)
        self.deep = nn.Sequential(Conv(64, 128, 3, 2), C2f(128, 128, 1))
        self.before, self.after = Conv(128, 64), Conv(256, 128)
        self.up, self.down, self.merged = C2f(192, 64, 1), Conv(64, 64, 3, 2), C2f(192, 128, 1)
        self.boxes = nn.ModuleList(nn.Sequential(Conv(c, 64, 3), nn.Conv2d(64, 4 * BINS, 1)) for c in (64, 128))
        self.scores = nn.ModuleList(nn.Sequential(Conv(c, 64, 3), nn.Conv2d(64, CLASSES, 1)) for c in (64, 128))

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        shallow = self.shallow(self.stem(image))
        deep = self.before(self.deep(shallow))
        pooled = [deep]
        for _ in range(3):
            pooled.append(functional.max_pool2d(pooled[-1], 5, 1, 2))
        deep = self.after(torch.cat(pooled, 1))
        first = self.up(torch.cat((functional.interpolate(deep, scale_factor=2.0, mode="nearest"), shallow), 1))
        levels = (first, self.merged(torch.cat((self.down(first), deep), 1)))
        made = [self._level(*parts) for parts in zip(levels, self.boxes, self.scores, _STRIDES, strict=True)]
        return torch.cat(made, 2)

    def _level(self, x: Tensor, boxes: Any, scores: Any, stride: int) -> Tensor:
        side = SIDE // stride
        shares = boxes(x).view(len(x), 4, BINS, side * side).softmax(2)
        far = (shares * torch.arange(BINS, dtype=torch.float32).view(1, 1, BINS, 1)).sum(2)
        along = torch.arange(side, dtype=torch.float32) + 0.5
        middles = torch.stack((along.repeat(side), along.repeat_interleave(side))).unsqueeze(0)
        low, high = middles - far[:, :2], middles + far[:, 2:]
        found = torch.cat(((low + high) / 2, high - low), 1) * stride
        return torch.cat((found, scores(x).flatten(2).sigmoid()), 1)


def yolo_like() -> Example:
    """The detector and an example."""
    return settled(YoloLike(), image=(3, SIDE, SIDE))
