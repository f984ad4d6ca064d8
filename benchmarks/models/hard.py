"""Small depthwise networks made hard for int8: channels of one tensor differ in range by a large factor.

The network is trained, then the channels between two layers are scaled by random factors and scaled back in the next
layer's weights. ReLU lets positive factors through, so the float model computes what it did; one int8 scale for all
channels no longer fits them. It is what unlucky BatchNorm factors do to depthwise networks (Nagel et al. 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Data = tuple[Array, Array, Array, Array]
WIDTHS = (16, 32)
SPREAD = 200.0
"""Channels are scaled by factors between 1 and this, evenly on a logarithmic axis."""


def digits(seed: int) -> Data:
    """scikit-learn's 8x8 digits: 1,257 to train on, 540 to test."""
    from sklearn.datasets import load_digits

    raw = load_digits()
    order = np.random.default_rng(seed).permutation(len(raw.images))
    images, labels = (raw.images / 16).astype(np.float32)[order, ..., None], raw.target.astype(np.int64)[order]
    return images[:1257], labels[:1257], images[1257:], labels[1257:]


def blobs(seed: int) -> Data:
    """Ten random patterns of 12x12, shifted, of any contrast, under noise: 2,000 to train on, 1,000 to test."""
    generator = np.random.default_rng(1000 + seed)
    coarse = generator.normal(size=(10, 5, 5))
    patterns = np.stack([np.kron(pattern, np.ones((3, 3))) for pattern in coarse])
    labels = generator.integers(0, 10, 3000)
    images = np.empty((3000, 12, 12), np.float32)
    for place, label in enumerate(labels):
        top, left = generator.integers(0, 4, 2)
        part = patterns[label][top : top + 12, left : left + 12]
        images[place] = generator.uniform(0.5, 1.5) * part + generator.normal(scale=1.0, size=(12, 12))
    return images[:2000, ..., None], labels[:2000], images[2000:, ..., None], labels[2000:]


DATA: dict[str, Callable[[int], Data]] = {"digits": digits, "blobs": blobs}


def factors(count: int, seed: int) -> Array:
    """One for each channel."""
    found: Array = np.exp(np.random.default_rng(seed).uniform(0, np.log(SPREAD), count)).astype(np.float32)
    return found


def batches(count: int, size: int, epochs: int, seed: int) -> Iterator[Array]:
    """Rows of whole batches, epoch after epoch."""
    generator = np.random.default_rng(seed)
    for _ in range(epochs):
        order = generator.permutation(count)
        yield from (order[i : i + size] for i in range(0, count - size + 1, size))


def torch_model(data: Data, seed: int, *, epochs: int) -> Any:
    """Trained and scaled, in eval mode; takes NCHW."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    layers: list[Any] = []
    width = 1
    for wider in WIDTHS:
        pointwise = nn.Conv2d(width, wider, 3 if width == 1 else 1, padding=1 if width == 1 else 0, bias=False)
        depthwise = nn.Conv2d(wider, wider, 3, padding=1, stride=1, groups=wider, bias=False)
        for convolution in (pointwise, depthwise):
            layers += [convolution, nn.BatchNorm2d(wider), nn.ReLU()]
        width = wider
    layers += [nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    model = nn.Sequential(*layers, nn.AvgPool2d(data[0].shape[1]), nn.Flatten(), nn.Linear(width, 10))
    images, labels = torch.from_numpy(data[0].transpose(0, 3, 1, 2).copy()), torch.from_numpy(data[1])
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for rows in batches(len(images), 64, epochs, seed):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[rows]), labels[rows]).backward()
        optimizer.step()
    _scale_torch(model.eval(), seed)
    return model


def _scale_torch(model: Any, seed: int) -> None:
    import torch

    norms = [part for part in model if isinstance(part, torch.nn.BatchNorm2d)]
    weighted = [part for part in model if isinstance(part, torch.nn.Conv2d)][1:]
    with torch.no_grad():
        for place, (norm, following) in enumerate(zip(norms, weighted, strict=False)):
            factor = torch.from_numpy(factors(norm.num_features, 100 * seed + place))
            norm.weight *= factor
            norm.bias *= factor
            following.weight /= factor.reshape(-1, 1, 1, 1) if following.groups > 1 else factor.reshape(1, -1, 1, 1)


def keras_model(keras: Any, data: Data, seed: int, *, epochs: int) -> Any:
    """The same in Keras 3 or tf_keras; takes NHWC."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    image = layers.Input(data[0].shape[1:], name="image")
    x: Any = image
    for place, wider in enumerate(WIDTHS):
        x = layers.Conv2D(wider, 3 if place == 0 else 1, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Conv2D(WIDTHS[-1], 1, use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Dense(10, name="scores")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, x)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    model.fit(data[0], data[1], batch_size=64, epochs=epochs, verbose=0)
    _scale_keras(model, seed)
    return model


def _scale_keras(model: Any, seed: int) -> None:
    norms = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    weighted = [layer for layer in model.layers if type(layer).__name__ in ("Conv2D", "DepthwiseConv2D")][1:]
    for place, (norm, following) in enumerate(zip(norms, weighted, strict=False)):
        gamma, beta, *rest = norm.get_weights()
        factor = factors(len(gamma), 100 * seed + place)
        norm.set_weights([gamma * factor, beta * factor, *rest])
        (kernel,) = following.get_weights()
        following.set_weights([kernel / factor.reshape(1, 1, -1, 1)])
