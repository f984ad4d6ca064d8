"""A small Transformer encoder with a padding mask; PyTorch."""

from __future__ import annotations

import os

import numpy as np
import torch
from torch import nn

LONG = bool(os.environ.get("EXAMPLE_LONG"))


class Block(nn.Module):
    """Self-attention and a feed-forward layer, normed before."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """The same shape; positions that are ``hidden`` are not looked at."""
        batch, length, width = x.shape
        parts = self.qkv(self.norms[0](x)).reshape(batch, length, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        weights = (
            (q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5).masked_fill(hidden, float("-inf")).softmax(-1)
        )
        x = x + self.out((weights @ v).transpose(1, 2).reshape(batch, length, width))
        return x + self.feed(self.norms[1](x))


class Classifier(nn.Module):
    """Tokens (batch, 24), 0 for padding, to four logits."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(1000, width), nn.Parameter(torch.randn(24, width) * 0.02)
        self.blocks = nn.ModuleList([Block(width, 4) for _ in range(2)])
        self.drop, self.head = nn.Dropout(0.3), nn.Linear(width, 4)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Mean over what is no padding."""
        there = (tokens != 0).unsqueeze(-1).float()
        hidden = (tokens == 0)[:, None, None, :]
        x = self.drop(self.words(tokens) + self.places)
        for block in self.blocks:
            x = block(x, hidden)
        return self.head((x * there).sum(1) / there.sum(1))


torch.manual_seed(0)
stored = np.load("train.npz")
x, y = torch.from_numpy(stored["tokens"]), torch.from_numpy(stored["targets"])
model = Classifier()
optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.05)
for _ in range(25 if LONG else 8):
    for picks in torch.randperm(len(y)).split(32):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[picks]), y[picks]).backward()
        optimizer.step()
model.eval()
test, labels = torch.from_numpy(np.load("test.npz")["tokens"]), np.load("test_labels.npy")
with torch.no_grad():
    print(f"source: test accuracy {(model(test).argmax(1).numpy() == labels).mean():.1%}")
torch.export.save(torch.export.export(model, (x[:1],)), "classifier.pt2")
