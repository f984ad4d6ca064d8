"""PyTorch networks whose int8 files are timed, with initial weights from a seed; called in a worker."""

from __future__ import annotations

from typing import Any

SIDE = 224


def mobilenet_v3_small() -> tuple[Any, tuple[Any, ...]]:
    """The one of torchvision."""
    return _of_torchvision("mobilenet_v3_small")


def mobilenet_v3_large() -> tuple[Any, tuple[Any, ...]]:
    """The one of torchvision."""
    return _of_torchvision("mobilenet_v3_large")


def efficientnet_lite0() -> tuple[Any, tuple[Any, ...]]:
    """The one of timm."""
    return _of_timm("tf_efficientnet_lite0")


def vit() -> tuple[Any, tuple[Any, ...]]:
    """The ViT of timm of 12 blocks of 192 channels on patches of 16x16."""
    return _of_timm("vit_tiny_patch16_224")


def _of_torchvision(name: str) -> tuple[Any, tuple[Any, ...]]:
    import torch
    import torchvision

    torch.manual_seed(0)
    return _settled(getattr(torchvision.models, name)(weights=None))


def _of_timm(name: str) -> tuple[Any, tuple[Any, ...]]:
    import timm
    import torch

    torch.manual_seed(0)
    return _settled(timm.create_model(name, pretrained=False))


def _settled(model: Any) -> tuple[Any, tuple[Any, ...]]:
    """With batch norms' statistics from data: initial ones let a deep network's values vanish or overflow."""
    import torch

    example = torch.randn(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        model.train()(example)
    return model.eval(), (example[:1],)
