"""The five models, with seeded weights, as a program, as ONNX, and with what to calibrate on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.models import pytorch, pytorch_sequences
from benchmarks.models.torch_weights import settled

SAMPLES = 32


def _mobilenet() -> nn.Module:
    module: nn.Module = settled(pytorch._mobilenet_v2(), image=(3, 224, 224))[0]
    return module


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "MobileNetV2 224x224": (_mobilenet, (3, 224, 224)),
    "ResNet 224x224": (lambda: pytorch.resnet()[0], (3, 224, 224)),
    "Transformer encoder": (lambda: pytorch_sequences.transformer_encoder()[0], (32, 20)),
    "LSTM": (lambda: pytorch_sequences.lstm()[0], (24, 20)),
    "U-Net 128x128": (lambda: pytorch.unet()[0], (3, 128, 128)),
}
"""Name to what makes the module, and the shape of a sample."""


def write(name: str, folder: Path) -> None:
    """``program.pt2``, ``model.onnx`` and ``calibration.npz``."""
    make, shape = MODELS[name]
    torch.manual_seed(0)
    module = make().eval()
    generator = np.random.default_rng(0)
    values = generator.standard_normal((SAMPLES, *shape)).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    example = (torch.from_numpy(values[:1]),)
    torch.export.save(torch.export.export(module, example), folder / "program.pt2")
    torch.onnx.export(module, example, str(folder / "model.onnx"), input_names=["x"], dynamo=False, opset_version=17)
    np.savez(folder / "calibration.npz", x=values)
