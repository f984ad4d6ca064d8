"""A residual PyTorch CNN on scikit-learn's digits; leaves ``digits.pt2`` and the data in PyTorch's own layout, NCHW."""

from __future__ import annotations

import os

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

LONG = bool(os.environ.get("EXAMPLE_LONG"))


class Block(nn.Module):
    """Depthwise and pointwise, around which the input goes on."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.Hardswish(),
            nn.Conv2d(channels, channels, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The same shape."""
        return x + self.inner(x)


torch.manual_seed(0)
digits = load_digits()
images = torch.from_numpy(digits.images[:, None].astype(np.float32) / 16)
labels = torch.from_numpy(digits.target)
test = torch.arange(len(labels)) % 5 == 0

model = nn.Sequential(
    nn.Conv2d(1, 32, 3, padding=1), nn.ReLU6(), Block(32), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), Block(64),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
)  # fmt: skip
optimizer = torch.optim.Adam(model.parameters(), 3e-3)
train = torch.nonzero(~test)[:, 0]
for _ in range(30 if LONG else 8):
    for picks in train[torch.randperm(len(train))].split(32):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[picks]), labels[picks]).backward()
        optimizer.step()

model.eval()
with torch.no_grad():
    print(f"source: test accuracy {(model(images[test]).argmax(1) == labels[test]).float().mean():.1%}")
torch.export.save(torch.export.export(model, (images[:1],)), "digits.pt2")
np.savez("calibration.npz", input=images[~test][:200].numpy())
np.savez("test_nhwc.npz", input=images[test].permute(0, 2, 3, 1).numpy())
np.save("test_labels.npy", labels[test].numpy())
