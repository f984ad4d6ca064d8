"""tf_keras models as tensorflow-model-optimization leaves them, built from a seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def _cnn(keras: Any) -> Any:
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 12, 3), name="image")
    x = keras.layers.Conv2D(8, 3, padding="same", use_bias=False)(image)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.DepthwiseConv2D(3, strides=2, padding="same")(x)
    x = keras.layers.ReLU(6.0)(x)
    x = keras.layers.Add()([x, keras.layers.Conv2D(8, 1)(x)])
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(4, name="score")(x))


def quantized() -> Any:
    """``quantize_model``, its ranges trained for a step."""
    import tensorflow_model_optimization as tfmot
    import tf_keras as keras

    model = tfmot.quantization.keras.quantize_model(_cnn(keras))
    model.compile("adam", "mse")
    generator = np.random.default_rng(0)
    model.fit(generator.normal(size=(32, 12, 12, 3)), generator.normal(size=(32, 4)), verbose=0)
    return model


def pruned() -> Any:
    """``prune_low_magnitude``, still wrapped; every other weight of the kernels is zero."""
    import tensorflow_model_optimization as tfmot
    import tf_keras as keras

    schedule = tfmot.sparsity.keras.ConstantSparsity(0.5, 0)
    model = tfmot.sparsity.keras.prune_low_magnitude(_cnn(keras), pruning_schedule=schedule)
    for layer in tfmot.sparsity.keras.strip_pruning(model).layers:
        layer.set_weights([_halved(weight) for weight in layer.get_weights()])
    return model


def _halved(weight: Any) -> Any:
    if weight.ndim > 1:
        weight.reshape(-1)[::2] = 0
    return weight


def clustered() -> Any:
    """``cluster_weights``, still wrapped."""
    import tensorflow_model_optimization as tfmot
    import tf_keras as keras

    start = tfmot.clustering.keras.CentroidInitialization.LINEAR
    plain = keras.Sequential([keras.layers.Input((6,), name="x"), keras.layers.Dense(8, name="y")])
    return tfmot.clustering.keras.cluster_weights(plain, number_of_clusters=4, cluster_centroids_init=start)


def save(path: str, form: str) -> str:
    """The quantized model as a ``.keras``, ``.h5`` or SavedModel."""
    import tensorflow as tf

    model = quantized()
    if form == "saved_model":
        tf.saved_model.save(model, path)
    else:
        model.save(path)
    return str(Path(path))
