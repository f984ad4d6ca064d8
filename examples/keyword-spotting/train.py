"""A GRU that names the word; PyTorch."""

from __future__ import annotations

import os

import numpy as np
import torch
from torch import nn

LONG = bool(os.environ.get("EXAMPLE_LONG"))


class Spotter(nn.Module):
    """Features (batch, 49, 16) to six logits."""

    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Conv1d(16, 32, 5, stride=2, padding=2)
        self.gru = nn.GRU(32, 48, batch_first=True)
        self.head = nn.Linear(48, 6)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """What was said, after the last frame."""
        heard, _ = self.gru(self.front(features.transpose(1, 2)).relu().transpose(1, 2))
        return self.head(heard[:, -1])


torch.manual_seed(0)
stored = np.load("train.npz")
x, y = torch.from_numpy(stored["features"]), torch.from_numpy(stored["targets"])
model = Spotter()
optimizer = torch.optim.Adam(model.parameters(), 4e-3)
for _ in range(80 if LONG else 30):
    for picks in torch.randperm(len(y)).split(32):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[picks]), y[picks]).backward()
        optimizer.step()
model.eval()
test, labels = torch.from_numpy(np.load("test.npz")["features"]), np.load("test_labels.npy")
with torch.no_grad():
    print(f"source: test accuracy {(model(test).argmax(1).numpy() == labels).mean():.1%}")
torch.export.save(torch.export.export(model, (x[:1],)), "spotter.pt2")
