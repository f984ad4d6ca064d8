"""One architecture of each family in Keras Applications, as small as it comes, with weights that let outputs vary.

``weights=None`` gives a network whose outputs hardly depend on its input, on which any comparison proves nothing.
Here kernels are drawn by He's rule from a seed, batch norms see data, branches that are added to a shortcut are
scaled down as training does, and the head is scaled so that classes differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_sdk.data import seeded_samples
from edge_sdk.signature import TensorSpec

# Families that take raw pixels and rescale inside.
RAW_PIXELS = frozenset({"convnext", "efficientnet", "efficientnet_v2", "mobilenet_v3"})
# Family to the class and the smallest input side it takes (its default where there is no other choice).
MODELS: dict[str, tuple[str, int]] = {
    "convnext": ("ConvNeXtTiny", 32),
    "densenet": ("DenseNet121", 32),
    "efficientnet": ("EfficientNetB0", 32),
    "efficientnet_v2": ("EfficientNetV2B0", 32),
    "inception_resnet_v2": ("InceptionResNetV2", 75),
    "inception_v3": ("InceptionV3", 75),
    "mobilenet": ("MobileNet", 32),
    "mobilenet_v2": ("MobileNetV2", 32),
    "mobilenet_v3": ("MobileNetV3Small", 32),
    "nasnet": ("NASNetMobile", 32),
    "resnet": ("ResNet50", 32),
    "resnet_v2": ("ResNet50V2", 32),
    "vgg": ("VGG16", 32),
    "xception": ("Xception", 71),
}

_CLASSES = 20


def build(family: str, *, side: int | None = None) -> Any:
    """The family's smallest model, settled.

    Args:
        family: key of :data:`MODELS`.
        side: input height and width; default: the smallest.
    """
    import keras

    name, smallest = MODELS[family]
    keras.utils.set_random_seed(0)
    keras.backend.clear_session()
    shape = (side or smallest, side or smallest, 3)
    model = getattr(keras.applications, name)(weights=None, input_shape=shape, classes=_CLASSES)
    settle(model, images(family, shape, count=16, seed=0))
    return model


def images(family: str, shape: tuple[int, ...], *, count: int, seed: int) -> np.ndarray[Any, Any]:
    """``(count, height, width, 3)`` float32 images with a natural spectrum, in the range that the family takes."""
    spec = TensorSpec("image", (count, *shape), "float32", "NHWC")
    pixels = next(seeded_samples([spec], count=1, seed=seed))["image"]
    return np.clip(pixels * 50 + 127, 0, 255).astype(np.float32) if family in RAW_PIXELS else pixels


def settle(model: Any, examples: np.ndarray[Any, Any], *, seed: int = 0) -> None:
    """Draws weights in place; see the module's own words."""
    import keras

    generator = np.random.default_rng(seed)
    layers = list(_all_layers(model))
    for layer in layers:
        for weight in layer.weights:
            if weight.name in ("kernel", "depthwise_kernel", "pointwise_kernel"):
                weight.assign(_he(generator, weight.shape, weight.name))
            elif weight.name == "gamma" and type(layer).__name__ == "LayerScale":
                weight.assign(np.full(weight.shape, 0.3, np.float32))
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    _soften_branches(model)
    model(examples, training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum
    _spread_classes(model, examples)


def _he(generator: np.random.Generator, shape: tuple[int, ...], name: str) -> np.ndarray[Any, Any]:
    fan_in = np.prod(shape[:2]) if name == "depthwise_kernel" else np.prod(shape[:-1])
    drawn: np.ndarray[Any, Any] = generator.standard_normal(shape) * np.sqrt(2.0 / fan_in)
    return drawn.astype(np.float32)


def _soften_branches(model: Any) -> None:
    """Batch norms right before an Add get a gain of 0.4, so that depth does not amplify rounding errors."""
    import keras

    for layer in _all_layers(model):
        if not isinstance(layer, keras.layers.Add):
            continue
        for tensor in layer.input:
            producer = tensor._keras_history.operation
            if isinstance(producer, keras.layers.BatchNormalization) and producer.gamma is not None:
                producer.gamma.assign(producer.gamma * 0.4)


def _spread_classes(model: Any, images: np.ndarray[Any, Any]) -> None:
    """Scales the head so that logits have a standard deviation of 2 between images, around zero."""
    import keras

    head = model.layers[-1]
    if isinstance(head, keras.layers.Dense):
        before = keras.Model(model.inputs, head.input)(images, training=False)
        kernel, bias = head.get_weights()
        logits = np.asarray(before) @ kernel
        gain = 2.0 / max(float(logits.std(axis=0).mean()), 1e-6)
        head.set_weights([kernel * gain, bias - gain * logits.mean(axis=0)])


def _all_layers(model: Any) -> Any:
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from _all_layers(layer)
