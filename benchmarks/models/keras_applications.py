"""One architecture of each family in Keras Applications, as small as it comes, briefly trained on synthetic images.

``python -m benchmarks.models.keras_applications FAMILY FILE`` trains one and saves it.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.models.synthetic import CLASSES, labelled_images

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
"""Family to the class and the smallest input side it takes."""

# Families that take raw pixels and rescale inside.
_RAW_PIXELS = frozenset({"convnext", "efficientnet", "efficientnet_v2", "mobilenet_v3"})
# Without batch norm a large step diverges.
_LEARNING_RATES = {"vgg": 1e-4, "convnext": 3e-4}
_BATCH, _BATCHES, _EPOCHS = 32, 60, 4


def trained(family: str) -> Any:
    """The family's smallest model, trained for 240 steps.

    Args:
        family: key of :data:`MODELS`.
    """
    import keras

    keras.utils.set_random_seed(0)
    model = untrained(family)
    for layer in _all_layers(model):
        _make_trainable_in_minutes(layer)
    images, classes = labelled_pixels(family, MODELS[family][1], count=_BATCH * _BATCHES, seed=0)
    rate = keras.optimizers.schedules.CosineDecay(_LEARNING_RATES.get(family, 1e-3), _BATCHES * _EPOCHS)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy")
    model.fit(images, classes, batch_size=_BATCH, epochs=_EPOCHS, verbose=0)
    return model


def untrained(family: str, side: int | None = None) -> Any:
    """The architecture with Keras's own initial weights, for square images of that side."""
    import keras

    name, smallest = MODELS[family]
    shape = (side or smallest, side or smallest, 3)
    return getattr(keras.applications, name)(weights=None, input_shape=shape, classes=CLASSES)


def labelled_pixels(
    family: str, side: int, *, count: int, seed: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Images ``(count, side, side, 3)`` in the range that the family takes, and their classes."""
    images, classes = labelled_images((side, side, 3), count=count, seed=seed)
    if family in _RAW_PIXELS:
        images = np.clip(images * 50 + 127, 0, 255)
    return images.astype(np.float32), classes


def _make_trainable_in_minutes(layer: Any) -> None:
    """Settings that pretraining over many days can do without."""
    import keras

    if isinstance(layer, keras.layers.BatchNormalization):
        # The moving averages settle within 240 steps rather than within thousands.
        layer.momentum = 0.9
    elif type(layer).__name__ == "LayerScale":
        # 1e-6 leaves every block without effect for the first epochs.
        layer.gamma.assign(np.full(layer.gamma.shape, 0.3, np.float32))
    elif type(layer).__name__ == "Conv2D" and layer.activation is keras.activations.relu:
        # He's rule, where no batch norm keeps the scale from layer to layer.
        layer.kernel.assign(keras.initializers.HeNormal(seed=0)(layer.kernel.shape))


def _all_layers(model: Any) -> Any:
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from _all_layers(layer)


def main(family: str, path: str) -> None:
    """Trains, saves, and prints the share of right answers on images not trained on."""
    begin = time.perf_counter()
    model = trained(family)
    model.save(path)
    images, classes = labelled_pixels(family, MODELS[family][1], count=256, seed=5)
    right = float(np.mean(np.argmax(model.predict(images, verbose=0), 1) == classes))
    print(f"{family}: {right:.3f} right, trained and saved in {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
