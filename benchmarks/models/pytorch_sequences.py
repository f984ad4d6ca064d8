"""PyTorch models over time, sequences and tables; see :mod:`benchmarks.models.pytorch`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.models.torch_weights import Example, seeded, settled, trained


class AudioNet(nn.Module):
    """1-D convolutions over a waveform's features, strided and dilated."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(40, 64, 5, 2, 2, bias=False),
            nn.BatchNorm1d(64),
            nn.ReLU(),
            nn.Conv1d(64, 64, 3, padding=2, dilation=2),
            nn.GELU(),
            nn.MaxPool1d(2),
            nn.Conv1d(64, 96, 3, padding=1),
            nn.ReLU(),
        )
        self.head = nn.Linear(96, 12)

    def forward(self, features: Tensor) -> Tensor:
        return self.head(self.features(features).mean(2))


def audio_conv1d() -> Example:
    """Keyword-spotting-like 1-D network: input (batch, channels, time)."""
    return settled(AudioNet(), features=(40, 100))


class Recurrent(nn.Module):
    """A recurrent stack over (batch, time, features) with a linear head on the last step."""

    def __init__(self, kind: type[nn.LSTM | nn.GRU], *, layers: int, bidirectional: bool) -> None:
        super().__init__()
        self.cell = kind(20, 32, layers, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(64 if bidirectional else 32, 8)

    def forward(self, sequence: Tensor) -> Tensor:
        return self.head(self.cell(sequence)[0][:, -1])


def lstm() -> Example:
    """Two LSTM layers."""
    return seeded(lambda: Recurrent(nn.LSTM, layers=2, bidirectional=False), sequence=(24, 20))


def lstm_bidirectional() -> Example:
    """One bidirectional LSTM layer."""
    return seeded(lambda: Recurrent(nn.LSTM, layers=1, bidirectional=True), sequence=(24, 20))


def gru() -> Example:
    """Two GRU layers."""
    return seeded(lambda: Recurrent(nn.GRU, layers=2, bidirectional=False), sequence=(24, 20))


class SequenceEncoder(nn.Module):
    """Transformer encoder over a feature sequence, mean pooled."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(20, 48)
        layer = nn.TransformerEncoderLayer(48, 4, 96, batch_first=True, norm_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(48, 8)

    def forward(self, sequence: Tensor) -> Tensor:
        return self.head(self.encoder(self.project(sequence)).mean(1))


def transformer_encoder() -> Example:
    """nn.TransformerEncoder: layer norm, multi-head attention, GELU."""
    return seeded(SequenceEncoder, sequence=(32, 20))


class VisionTransformer(nn.Module):
    """Patches by convolution, a class token, learned positions, encoder, head on the token."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 48, 8, 8)
        self.token = nn.Parameter(torch.randn(1, 1, 48))
        self.positions = nn.Parameter(torch.randn(1, 17, 48) * 0.5)
        layer = nn.TransformerEncoderLayer(48, 4, 96, batch_first=True, norm_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(48), nn.Linear(48, 10)

    def forward(self, image: Tensor) -> Tensor:
        tokens = self.patches(image).flatten(2).transpose(1, 2)
        tokens = torch.cat((self.token.expand(tokens.shape[0], -1, -1), tokens), 1) + self.positions
        return self.head(self.norm(self.encoder(tokens))[:, 0])


def vision_transformer() -> Example:
    """ViT-like: an image input that becomes a sequence."""
    return trained(VisionTransformer, side=32)


class Recommender(nn.Module):
    """Two id inputs through embeddings, one dense input, a small tower; returns score and embedding."""

    def __init__(self, users: int = 200, items: int = 500) -> None:
        super().__init__()
        self.users, self.items = nn.Embedding(users, 16), nn.Embedding(items, 16)
        self.dense = nn.Linear(6, 16)
        self.tower = nn.Sequential(nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, user_id: Tensor, item_id: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        user = self.users(user_id)
        joined = torch.cat((user, self.items(item_id), self.dense(context)), 1)
        return self.tower(joined), user


def recommender() -> Example:
    """Several inputs of several types: int64 ids and a dense row."""
    torch.manual_seed(0)
    inputs = {
        "user_id": torch.randint(0, 200, (1,)),
        "item_id": torch.randint(0, 500, (1,)),
        "context": torch.randn(1, 6),
    }
    return Recommender().eval(), inputs
