"""Small residual networks for images of 16x16, and two sets of such images: scikit-learn's digits, and a harder one."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.models.synthetic import CLASSES, images

Array = npt.NDArray[Any]
_SIDE, _WIDTHS = 16, (24, 48, 96)
_EPOCHS, _BATCH, _RATE = 8, 64, 3e-3
_VARIANTS, _NOISE, _TRAIN, _TEST = 3, 1.0, 1500, 1000


@dataclass(frozen=True)
class Images:
    """Training and test images ``(count, 16, 16, 1)`` and classes ``(count,)``."""

    name: str
    train: tuple[Array, Array]
    test: tuple[Array, Array]

    def channels_first(self) -> Images:
        """For PyTorch."""
        moved = [(np.ascontiguousarray(x.transpose(0, 3, 1, 2)), y) for x, y in (self.train, self.test)]
        return Images(self.name, moved[0], moved[1])

    def with_wrong_labels(self, share: float, seed: int) -> Images:
        """The same with a share of the training labels drawn at random; the test labels are right."""
        generator = np.random.default_rng(seed)
        labels = self.train[1].copy()
        wrong = generator.random(len(labels)) < share
        labels[wrong] = generator.integers(0, CLASSES, int(wrong.sum()))
        return Images(f"{self.name}, {share:.0%} of the labels wrong", (self.train[0], labels), self.test)


def digits(seed: int) -> Images:
    """scikit-learn's 1,797 digits, each pixel doubled; 1,257 to train on, split by the seed."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(seed).permutation(len(data.images))
    pixels = np.kron(data.images[order] / 16, np.ones((1, 2, 2))).astype(np.float32)[..., None]
    labels = data.target[order].astype(np.int64)
    return Images("digits", (pixels[:1257], labels[:1257]), (pixels[1257:], labels[1257:]))


def synthetic(seed: int) -> Images:
    """Ten classes of three prototypes each, at contrasts from 0.5 to 1.5, in noise as strong as they are."""
    return Images("synthetic", _drawn(_TRAIN, seed), _drawn(_TEST, seed + 100))


def _drawn(count: int, seed: int) -> tuple[Array, Array]:
    generator, shape = np.random.default_rng(seed), (_SIDE, _SIDE, 1)
    labels = generator.integers(0, CLASSES, count)
    prototypes = images(shape, CLASSES * _VARIANTS, 7)[labels * _VARIANTS + generator.integers(0, _VARIANTS, count)]
    contrast = generator.uniform(0.5, 1.5, (count, 1, 1, 1))
    noise = _NOISE * generator.standard_normal((count, *shape))
    return (contrast * prototypes + noise).astype(np.float32), labels.astype(np.int64)


SETS = {"digits": digits, "synthetic": synthetic}


def trained(framework: str, data: Images, *, seed: int, narrow: int = 1, epochs: int = _EPOCHS) -> Any:
    """A network trained on the set: a Keras model, or a module with example inputs.

    Args:
        framework: ``keras``, ``tf_keras`` or ``torch``.
        data: channels last; see :meth:`Images.channels_first` for PyTorch.
        seed: of weights and order.
        narrow: all widths are divided by it.
        epochs: 0 leaves it untrained.
    """
    widths = [width // narrow for width in _WIDTHS]
    if framework == "torch":
        return _torch(data, widths, seed, epochs)
    return _keras(importlib.import_module(framework), data, widths, seed, epochs)


def _keras(keras: Any, data: Images, widths: list[int], seed: int, epochs: int) -> Any:
    layers = keras.layers
    keras.utils.set_random_seed(seed)

    def block(x: Any, filters: int, strides: int = 1) -> Any:
        x = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))

    image = layers.Input((_SIDE, _SIDE, 1), name="image")
    x = block(image, widths[0])
    for width in widths[1:]:
        x = block(x, width, 2)
        x = layers.Add()([x, block(x, width)])
    model = keras.Model(image, layers.Dense(CLASSES, name="scores")(layers.GlobalAveragePooling2D()(x)))
    steps = epochs * -(-len(data.train[0]) // _BATCH)
    if epochs:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        rate = keras.optimizers.schedules.CosineDecay(_RATE, steps)
        model.compile(keras.optimizers.Adam(rate), loss)
        model.fit(*data.train, epochs=epochs, batch_size=_BATCH, verbose=0)
    return model


def _torch(data: Images, widths: list[int], seed: int, epochs: int) -> Any:
    import torch
    from torch import nn

    def block(entering: int, width: int, stride: int = 1) -> Any:
        conv = nn.Conv2d(entering, width, 3, stride, 1, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU())

    class Residual(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.block = block(width, width)

        def forward(self, x: Any) -> Any:
            return x + self.block(x)

    torch.manual_seed(seed)
    parts = [block(1, widths[0])]
    for before, width in pairwise(widths):
        parts += [block(before, width, 2), Residual(width)]
    model = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], CLASSES))
    images_in, labels = (torch.from_numpy(array) for array in data.train)
    optimizer = torch.optim.Adam(model.parameters(), _RATE)
    steps = max(1, epochs * (len(labels) // _BATCH))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(labels))[: len(labels) // _BATCH * _BATCH].split(_BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images_in[rows]), labels[rows]).backward()
            optimizer.step()
            schedule.step()
    return model, images_in[:1]
