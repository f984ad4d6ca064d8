"""A small one-shot detector in the manner of YOLO, on scenes of real handwritten digits; says its quality in float.

Scenes are made: one to three of scikit-learn's digits, enlarged, on a noisy canvas of 64x64. The head gives for each of
8x8 cells a box (centre, width, height, in pixels) and ten scores. Two exports of the same weights:

``joined.pt2``  one output, 64 x 14: boxes and scores side by side, as exporters of YOLO like to have it
``split.pt2``   two outputs: boxes 64 x 4, scores 64 x 10
"""

from __future__ import annotations

import os

import numpy as np
import torch
from scenes import scene, targets
from sklearn.datasets import load_digits
from torch import nn

LONG = bool(os.environ.get("EXAMPLE_LONG"))
SIZE, GRID = 64, 8


class Detector(nn.Module):
    """Images (batch, 1, 64, 64) to boxes (batch, 64, 4) in pixels and scores (batch, 64, 10)."""

    def __init__(self) -> None:
        super().__init__()
        parts, channels = [], 1
        for width in (16, 32, 64):
            parts += [nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.SiLU()]
            channels = width
        parts += [nn.Conv2d(channels, 64, 3, padding=1), nn.BatchNorm2d(64), nn.SiLU()]
        self.body = nn.Sequential(*parts)
        self.boxes, self.scores = nn.Conv2d(64, 4, 1), nn.Conv2d(64, 10, 1)
        cells = torch.arange(GRID * GRID)
        self.register_buffer("corner", torch.stack((cells % GRID, cells // GRID), 1) * (SIZE / GRID))

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Boxes as centre, width and height in pixels; scores from 0 to 1."""
        features = self.body(image)
        raw = self.boxes(features).flatten(2).transpose(1, 2).sigmoid()
        centre = self.corner + (raw[..., :2] * 2 - 0.5) * (SIZE / GRID)
        return torch.cat((centre, raw[..., 2:] * SIZE), -1), self.scores(features).flatten(2).transpose(1, 2).sigmoid()


class Joined(nn.Module):
    """The same in one output."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Boxes and scores side by side."""
        return torch.cat(self.detector(image), -1)


def main() -> None:
    """Trains, and writes data and exports."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    digits = load_digits()
    pool = np.arange(len(digits.target)) % 5 != 0
    model = Detector()
    optimizer = torch.optim.Adam(model.parameters(), 4e-3)
    steps = 2000 if LONG else 350
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=steps)
    for _ in range(steps):
        made = [scene(rng, digits, pool) for _ in range(24)]
        images = torch.from_numpy(np.stack([image for image, _ in made]))
        wanted = [targets(objects) for _, objects in made]
        box, score, there = (torch.from_numpy(np.stack(part)) for part in zip(*wanted, strict=True))
        boxes, scores = model(images)
        loss = nn.functional.binary_cross_entropy(scores, score) * 20
        loss = (
            loss + (nn.functional.smooth_l1_loss(boxes, box, reduction="none").mean(-1) * there).sum() / there.sum() / 4
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()

    model.eval()
    made = [scene(rng, digits, pool) for _ in range(100)]
    np.savez("calibration.npz", image=np.stack([image for image, _ in made]))
    made = [scene(rng, digits, ~pool) for _ in range(200)]
    images = np.stack([image for image, _ in made])
    # Files take NHWC.
    np.savez("test.npz", image=images.transpose(0, 2, 3, 1))
    counts = [len(objects) for _, objects in made]
    np.savez("truth.npz", counts=counts, objects=np.concatenate([objects for _, objects in made]))
    with torch.no_grad():
        boxes, scores = model(torch.from_numpy(images))
    np.savez("source.npz", boxes=boxes.numpy(), scores=scores.numpy())
    for name, module in (("split", model), ("joined", Joined(model).eval())):
        torch.export.save(torch.export.export(module, (torch.from_numpy(images[:1]),)), f"{name}.pt2")


main()
