"""Weights for models made by code: seeded, settled on data, or briefly trained."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.models.synthetic import labelled_images

Example = tuple[nn.Module, dict[str, Tensor]]
Builder = Callable[[], Example]
_BATCH, _BATCHES = 32, 150


def seeded(make: Callable[[], nn.Module], **shapes: tuple[int, ...]) -> Example:
    """PyTorch's own initial weights."""
    torch.manual_seed(0)
    model = make().eval()
    return model, {name: torch.randn(1, *shape) for name, shape in shapes.items()}


def settled(model: nn.Module, **shapes: tuple[int, ...]) -> Example:
    """Draws weights and lets batch norms see data, so that activations keep their scale in every layer."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = None
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
    model.train()
    with torch.no_grad():
        for _ in range(4):
            model(**{name: torch.randn(8, *shape) for name, shape in shapes.items()})
    return model.eval(), {name: torch.randn(1, *shape) for name, shape in shapes.items()}


def trained(make: Callable[[], nn.Module], *, side: int) -> Example:
    """Trains a classifier of square images for 150 steps on synthetic ones.

    For networks that random weights make so ill-conditioned that rounding to int8 drowns what they compute.
    """
    torch.manual_seed(0)
    model = make()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1
    images, classes = labelled_images((side, side, 3), count=_BATCH * _BATCHES, seed=0)
    pixels = torch.from_numpy(images).float().permute(0, 3, 1, 2).contiguous()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _BATCHES)
    model.train()
    for batch, answers in zip(pixels.split(_BATCH), torch.from_numpy(classes).split(_BATCH), strict=True):
        optimizer.zero_grad()
        functional.cross_entropy(model(batch), answers).backward()
        optimizer.step()
        schedule.step()
    return model.eval(), {"image": pixels[:1].clone()}
