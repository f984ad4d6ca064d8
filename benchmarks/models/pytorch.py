"""PyTorch models written for the coverage table: one per structure that a converter gets wrong.

Every builder takes no argument, seeds itself and returns ``(model, example_inputs)``: an ``nn.Module`` in
eval mode whose outputs vary with its inputs, and the keyword inputs of one forward call. Image inputs are
``(batch, channels, height, width)`` float32, sequences ``(batch, time, features)`` float32, ids int64.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.models.pytorch_sequences import (
    audio_conv1d,
    gru,
    lstm,
    lstm_bidirectional,
    recommender,
    transformer_encoder,
    vision_transformer,
)
from benchmarks.models.torch_weights import Builder, Example, settled, trained


def _conv_bn(
    inputs: int,
    outputs: int,
    kernel: int = 3,
    stride: int = 1,
    groups: int = 1,
    activation: type[nn.Module] | None = nn.ReLU,
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([activation()] if activation else []))


class InvertedResidual(nn.Module):
    """MobileNetV2 and V3 block: expand, depthwise, (squeeze-excite,) project, add where shapes allow."""

    def __init__(  # noqa: PLR0913 - the published block tables have these columns
        self,
        inputs: int,
        outputs: int,
        *,
        stride: int,
        expand: int,
        kernel: int = 3,
        activation: type[nn.Module] = nn.ReLU6,
        squeeze: bool = False,
    ) -> None:
        super().__init__()
        hidden = inputs * expand
        self.expand = _conv_bn(inputs, hidden, 1, activation=activation)
        self.depthwise = _conv_bn(hidden, hidden, kernel, stride, hidden, activation=activation)
        self.squeeze = SqueezeExcite(hidden) if squeeze else nn.Identity()
        self.project = _conv_bn(hidden, outputs, 1, activation=None)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.squeeze(self.depthwise(self.expand(x))))
        return x + y if self.residual else y


class SqueezeExcite(nn.Module):
    """Channel attention: global mean, two 1x1 convolutions, a sigmoid-like gate."""

    def __init__(self, channels: int, gate: type[nn.Module] = nn.Hardsigmoid) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, max(4, channels // 4), 1)
        self.expand = nn.Conv2d(max(4, channels // 4), channels, 1)
        self.gate = gate()

    def forward(self, x: Tensor) -> Tensor:
        scale = self.expand(functional.relu(self.reduce(x.mean((2, 3), keepdim=True))))
        return x * self.gate(scale)


class Classifier(nn.Module):
    """Feature extractor, global average pooling, linear head."""

    def __init__(self, features: nn.Module, channels: int, classes: int = 10) -> None:
        super().__init__()
        self.features = features
        self.head = nn.Linear(channels, classes)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.features(image).mean((2, 3)))


def mobilenet_v2() -> Example:
    """The published MobileNetV2 block table at width 1, ReLU6."""
    return trained(_mobilenet_v2, side=48)


def _mobilenet_v2() -> nn.Module:
    table = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2))
    blocks: list[nn.Module] = [_conv_bn(3, 32, stride=2, activation=nn.ReLU6)]
    channels = 32
    for expand, outputs, repeats, stride in (*table, (6, 320, 1, 1)):
        for index in range(repeats):
            blocks.append(InvertedResidual(channels, outputs, stride=stride if index == 0 else 1, expand=expand))
            channels = outputs
    blocks.append(_conv_bn(channels, 1280, 1, activation=nn.ReLU6))
    return Classifier(nn.Sequential(*blocks), 1280, 10)


def mobilenet_v3() -> Example:
    """MobileNetV3-like: hard-swish, 5x5 depthwise, squeeze-excite with a hard sigmoid."""
    features = nn.Sequential(
        _conv_bn(3, 16, stride=2, activation=nn.Hardswish),
        InvertedResidual(16, 16, stride=2, expand=1, activation=nn.ReLU, squeeze=True),
        InvertedResidual(16, 24, stride=2, expand=4, activation=nn.ReLU),
        InvertedResidual(24, 24, stride=1, expand=4, kernel=5, activation=nn.Hardswish, squeeze=True),
        InvertedResidual(24, 40, stride=2, expand=4, kernel=5, activation=nn.Hardswish, squeeze=True),
        _conv_bn(40, 96, 1, activation=nn.Hardswish),
    )
    return settled(Classifier(features, 96), image=(3, 96, 96))


class Bottleneck(nn.Module):
    """ResNet bottleneck with a projection shortcut where the shape changes."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.branch = nn.Sequential(
            _conv_bn(inputs, width, 1),
            _conv_bn(width, width, 3, stride),
            _conv_bn(width, outputs, 1, activation=None),
        )
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else _conv_bn(inputs, outputs, 1, stride, activation=None)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.branch(x) + self.shortcut(x))


def resnet() -> Example:
    """ResNet with bottlenecks, a 7x7 stem and a padded max pool."""
    features = nn.Sequential(
        _conv_bn(3, 32, 7, 2),
        nn.MaxPool2d(3, 2, 1),
        Bottleneck(32, 16, 1),
        Bottleneck(64, 16, 1),
        Bottleneck(64, 32, 2),
        Bottleneck(128, 32, 1),
        Bottleneck(128, 64, 2),
    )
    return settled(Classifier(features, 256), image=(3, 96, 96))


def efficientnet() -> Example:
    """EfficientNet-like: SiLU, squeeze-excite with a plain sigmoid, dropout that must vanish."""

    def block(inputs: int, outputs: int, stride: int, expand: int, kernel: int) -> InvertedResidual:
        made = InvertedResidual(inputs, outputs, stride=stride, expand=expand, kernel=kernel, activation=nn.SiLU)
        made.squeeze = SqueezeExcite(inputs * expand, nn.Sigmoid)
        return made

    features = nn.Sequential(
        _conv_bn(3, 16, stride=2, activation=nn.SiLU),
        block(16, 16, 1, 1, 3),
        block(16, 24, 2, 4, 3),
        block(24, 24, 1, 4, 3),
        block(24, 40, 2, 4, 5),
        _conv_bn(40, 96, 1, activation=nn.SiLU),
        nn.Dropout(0.2),
    )
    return settled(Classifier(features, 96), image=(3, 96, 96))


class ShuffleUnit(nn.Module):
    """ShuffleNetV2 unit: split, transform one half, concatenate, shuffle channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.branch = nn.Sequential(
            _conv_bn(half, half, 1),
            _conv_bn(half, half, 3, groups=half, activation=None),
            _conv_bn(half, half, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, dim=1)
        joined = torch.cat((left, self.branch(right)), dim=1)
        batch, channels, height, width = joined.shape
        grouped = joined.view(batch, 2, channels // 2, height, width).transpose(1, 2)
        return grouped.reshape(batch, channels, height, width)


def shufflenet() -> Example:
    """ShuffleNetV2-like: channel shuffle through a rank-5 transpose."""
    features = nn.Sequential(
        _conv_bn(3, 24, stride=2),
        nn.MaxPool2d(2),
        ShuffleUnit(24),
        ShuffleUnit(24),
        _conv_bn(24, 48, stride=2),
        ShuffleUnit(48),
    )
    return settled(Classifier(features, 48), image=(3, 64, 64))


class UNet(nn.Module):
    """Two levels down, one up by transposed convolution, one up by bilinear resize, skip concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.bottom = _conv_bn(3, 16), _conv_bn(16, 32), _conv_bn(32, 48)
        self.up = nn.ConvTranspose2d(48, 32, 2, 2)
        self.merge2, self.merge1 = _conv_bn(64, 32), _conv_bn(48, 16)
        self.head = nn.Conv2d(16, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        first = self.down1(image)
        second = self.down2(functional.max_pool2d(first, 2))
        bottom = self.bottom(functional.max_pool2d(second, 2))
        y = self.merge2(torch.cat((self.up(bottom), second), 1))
        y = functional.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.head(self.merge1(torch.cat((y, first), 1)))


def unet() -> Example:
    """Segmentation: an image output whose layout moves."""
    return settled(UNet(), image=(3, 64, 64))


class Detector(nn.Module):
    """Two feature levels, boxes and scores concatenated over anchors, returned by name."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.classes = classes
        self.stem = nn.Sequential(_conv_bn(3, 16, stride=2), _conv_bn(16, 32, stride=2))
        self.deep = _conv_bn(32, 48, stride=2)
        self.boxes = nn.ModuleList([nn.Conv2d(32, 4, 1), nn.Conv2d(48, 4, 1)])
        self.scores = nn.ModuleList([nn.Conv2d(32, classes, 1), nn.Conv2d(48, classes, 1)])

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        levels = (shallow := self.stem(image), self.deep(shallow))
        boxes = [head(x).flatten(2).transpose(1, 2) for head, x in zip(self.boxes, levels, strict=True)]
        scores = [head(x).flatten(2).transpose(1, 2) for head, x in zip(self.scores, levels, strict=True)]
        return {
            "scores": torch.sigmoid(torch.cat(scores, 1)),
            "boxes": torch.cat(boxes, 1),
            "features": levels[1],
        }


def detector() -> Example:
    """Detection head: three named outputs, not in alphabetical order."""
    return settled(Detector(), image=(3, 64, 64))


class TwoTowerImage(nn.Module):
    """Image and table into one head: names whose alphabetical order differs from the call's."""

    def __init__(self) -> None:
        super().__init__()
        self.vision = nn.Sequential(_conv_bn(3, 16, stride=2), _conv_bn(16, 24, stride=2))
        self.table = nn.Linear(12, 24)
        self.head = nn.Linear(48, 7)

    def forward(self, picture: Tensor, attributes: Tensor) -> Tensor:
        joined = torch.cat((self.vision(picture).mean((2, 3)), functional.relu(self.table(attributes))), 1)
        return self.head(joined)


def image_and_table() -> Example:
    """Two inputs of different rank."""
    return settled(TwoTowerImage(), picture=(3, 48, 48), attributes=(12,))


class Upscaler(nn.Module):
    """Super-resolution: pixel shuffle, PReLU, instance-like normalisation by hand, reflect padding."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 24, 3)
        self.act = nn.PReLU(24)
        self.second = nn.Conv2d(24, 12, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        x = functional.pad(image, (1, 1, 1, 1), mode="reflect")
        return functional.pixel_shuffle(self.second(self.act(self.first(x))), 2)


def super_resolution() -> Example:
    """Image to image with PixelShuffle, PReLU and reflect padding."""
    return settled(Upscaler(), image=(3, 32, 32))


def dynamic_batch() -> Example:
    """Exported with an open batch, by torch.export's own means."""
    model, examples = shufflenet()
    batch = {"image": {0: torch.export.Dim("batch", min=1, max=64)}}
    two = {"image": torch.cat((examples["image"], examples["image"]))}
    return torch.export.export(model, (), two, dynamic_shapes=batch, strict=False), {}


MODELS: dict[str, Builder] = {
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3": mobilenet_v3,
    "resnet": resnet,
    "efficientnet": efficientnet,
    "shufflenet": shufflenet,
    "unet": unet,
    "detector": detector,
    "audio_conv1d": audio_conv1d,
    "lstm": lstm,
    "lstm_bidirectional": lstm_bidirectional,
    "gru": gru,
    "transformer_encoder": transformer_encoder,
    "vision_transformer": vision_transformer,
    "recommender": recommender,
    "image_and_table": image_and_table,
    "super_resolution": super_resolution,
    "dynamic_batch": dynamic_batch,
}
