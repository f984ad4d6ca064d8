"""PyTorch modules of the corpus, from a seed and without pretrained weights, with inputs to call them with."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import torch

Built = tuple[torch.nn.Module, tuple[torch.Tensor, ...]]
_SEED = 1
_SETTLING = 3
_NOISE = 0.1


def built(family: str, name: str, settings: Mapping[str, Any]) -> Built:
    """A module in eval mode and example inputs, positional.

    Args:
        family: of the catalogue.
        name: in the family.
        settings: the catalogue's.
    """
    torch.manual_seed(_SEED)
    module, inputs = _BUILDERS[family](name, settings)
    stir(module)
    settle(module, inputs)
    if family == "ultralytics":
        module.model.fuse()  # as its own exporter does
    return module.eval().requires_grad_(requires_grad=False), inputs


def stir(module: torch.nn.Module) -> None:
    """Noise on parameters that are all one number: layer scales of 1e-6 and heads of zeros would hide mistakes."""
    with torch.no_grad():
        for values in module.parameters():
            if values.numel() > 1 and values.is_floating_point() and bool((values == values.flatten()[0]).all()):
                values.add_(torch.randn_like(values) * (_NOISE if values.ndim < 2 else _NOISE / 4))


def settle(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
    """Statistics of batch norms that fit the weights: random ones with mean 0 and variance 1 blow activations up."""
    norms = [m for m in module.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    module.eval()
    for norm in norms:
        norm.train()
        norm.momentum = None
    with torch.no_grad():
        for _ in range(_SETTLING):
            noise = tuple(torch.randn(2, *t.shape[1:]) if t.is_floating_point() else t for t in inputs)
            # One row is too few for norms behind a global pool; some networks take one row only.
            with contextlib.suppress(Exception):
                module(*noise)
    module.eval()


class Picked(torch.nn.Module):
    """Tensors of what a model returns, flat: outputs of Transformers and torchvision are objects and dicts."""

    def __init__(self, model: torch.nn.Module, names: tuple[str, ...] = (), **fixed: Any) -> None:
        super().__init__()
        self.model, self.names, self.fixed = model, names, fixed

    def forward(self, *inputs: torch.Tensor) -> Any:
        named = dict(zip(self.names, inputs, strict=True)) if self.names else {}
        result = self.model(**named, **self.fixed) if self.names else self.model(*inputs, **self.fixed)
        return tuple(_tensors(result))


def _tensors(result: Any) -> list[torch.Tensor]:
    if isinstance(result, torch.Tensor):
        return [result]
    if isinstance(result, Mapping) or hasattr(result, "keys"):
        return [t for key in result for t in _tensors(result[key])]
    if isinstance(result, (list, tuple)):
        return [t for item in result for t in _tensors(item)]
    return []


def _image(size: int, *more: int) -> torch.Tensor:
    return torch.randn(1, 3, *more, size, size)


def _torchvision(name: str, settings: Mapping[str, Any]) -> Built:
    from torchvision import models

    size, part = settings.get("size", 96), settings.get("part")
    if name == "vit_b_16":
        return models.VisionTransformer(size, 16, settings["layers"], 4, 192, 384), (_image(size),)
    if part is None:
        module = models.get_model(name, weights=None, **_initialized(name))
        return module, (_image(size),)
    return _PARTS[part](name, settings, size)


def _initialized(name: str) -> dict[str, Any]:
    return {"init_weights": True, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}


def _features(name: str, _: Mapping[str, Any], size: int) -> Built:
    from torchvision import models

    return models.get_model(name, weights=None).features, (_image(size),)


def _segmentation(name: str, _: Mapping[str, Any], size: int) -> Built:
    from torchvision import models

    return Picked(models.get_model(name, weights=None, weights_backbone=None)), (_image(size),)


class _Detector(torch.nn.Module):
    """Backbone and head: what comes before the choice of boxes, which depends on data."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.backbone, self.head = model.backbone, model.head

    def forward(self, image: torch.Tensor) -> Any:
        features = self.backbone(image)
        features = [features] if isinstance(features, torch.Tensor) else list(features.values())
        return tuple(_tensors(self.head(features)))


def _detection(name: str, _: Mapping[str, Any], size: int) -> Built:
    from torchvision import models

    return _Detector(models.get_model(name, weights=None, weights_backbone=None)), (_image(size),)


def _backbone(name: str, _: Mapping[str, Any], size: int) -> Built:
    from torchvision import models

    return Picked(models.get_model(name, weights=None, weights_backbone=None).backbone), (_image(size),)


def _video(name: str, settings: Mapping[str, Any], size: int) -> Built:
    from torchvision import models

    return models.get_model(name, weights=None), (_image(size, settings.get("frames", 8)),)


def _flow(name: str, _: Mapping[str, Any], size: int) -> Built:
    from torchvision import models

    return Picked(models.get_model(name, weights=None), num_flow_updates=2), (_image(size), _image(size))


_PARTS = {
    "features": _features,
    "segmentation": _segmentation,
    "detection": _detection,
    "backbone": _backbone,
    "video": _video,
    "flow": _flow,
}


def _timm(name: str, settings: Mapping[str, Any]) -> Built:
    import timm

    more = {key: value for key, value in settings.items() if key != "size"}
    module = timm.create_model(name, pretrained=False, exportable=False, **more)
    size = settings.get("size") or module.default_cfg["input_size"][-1]
    return module, (_image(size),)


def _transformers(_: str, settings: Mapping[str, Any]) -> Built:
    import transformers

    config = getattr(transformers, settings["config"])(**settings["arguments"])
    if hasattr(config, "use_cache"):
        config.use_cache = False
    model = getattr(transformers, settings["model"])(config)
    model = model.get_encoder() if settings.get("part") == "encoder" else model
    names, inputs = _INPUTS[settings["input"]](settings)
    fixed = {"use_cache": False} if hasattr(config, "use_cache") and settings["input"].startswith("text") else {}
    return Picked(model, names, **(fixed if settings.get("part") is None else {})), inputs


def _tokens(count: int = 16) -> torch.Tensor:
    return torch.randint(3, 99, (1, count))


_INPUTS: dict[str, Any] = {
    "text": lambda s: (("input_ids",), (_tokens(),)),
    "text to text": lambda s: (("input_ids", "decoder_input_ids"), (_tokens(), _tokens(8))),
    "image": lambda s: (("pixel_values",), (_image(s["size"]),)),
    "wave": lambda s: (("input_values",), (torch.randn(1, 4000),)),
    "mel": lambda s: (("input_features",), (torch.randn(1, 16, 100),)),
    "spectrogram": lambda s: (("input_values",), (torch.randn(1, 32, 16),)),
}


def _ultralytics(name: str, settings: Mapping[str, Any]) -> Built:
    from ultralytics import RTDETR, YOLO

    model = RTDETR(f"{name}.yaml").model if name.startswith("rtdetr") else YOLO(f"{name}.yaml").model
    for module in model.modules():
        if hasattr(module, "export"):
            module.export, module.format, module.dynamic = True, "onnx", False
    return Picked(model), (torch.rand(1, 3, settings["size"], settings["size"]),)


_BUILDERS = {"torchvision": _torchvision, "timm": _timm, "transformers": _transformers, "ultralytics": _ultralytics}
