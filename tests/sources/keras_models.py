"""Keras models for the tests, written by a worker; every function takes the generation: ``keras`` or ``tf_keras``."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np


def save(name: str, path: str, generation: str = "keras") -> None:
    """Builds a model by name and saves it: ``.keras``, ``.h5``, or a SavedModel folder for no suffix."""
    keras = importlib.import_module(generation)
    keras.utils.set_random_seed(0)
    model = globals()[name](keras)
    _spread(model)
    if Path(path).suffix:
        model.save(path)
    elif generation == "keras":
        model.export(path, verbose=False)
    else:
        model.export(path)


def cnn(keras: Any) -> Any:
    """Convolution, batch norm, depthwise, residual, softmax; one image input."""
    layers = keras.layers
    image = layers.Input((16, 16, 3), name="image")
    x = layers.Conv2D(8, 3, padding="same", name="stem")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(6.0)(x)
    y = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.Add()([x, y])
    x = layers.MaxPooling2D()(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(6, activation="softmax", name="scores")(x))


def multi(keras: Any) -> Any:
    """Three inputs and two outputs, all in an order that is not alphabetical; one input is integer, one unused."""
    layers = keras.layers
    zeta = layers.Input((12, 12, 3), name="zeta")
    alpha = layers.Input((4,), name="alpha", dtype="int32")
    beta = layers.Input((5,), name="beta")
    ids = layers.Flatten()(layers.Embedding(30, 6)(alpha))
    picture = layers.Flatten()(layers.Conv2D(4, 3, strides=2)(zeta))
    joined = layers.Concatenate()([picture, ids, beta])
    return keras.Model([zeta, alpha, beta], [layers.Dense(7, name="zz")(joined), layers.Dense(2, name="aa")(joined)])


def twins(keras: Any) -> Any:
    """Two inputs and two outputs of equal shape: swapped names would still run."""
    layers = keras.layers
    right = layers.Input((6,), name="right")
    left = layers.Input((6,), name="left")
    return keras.Model([right, left], [layers.Dense(6, name="second")(right), layers.Dense(6, name="first")(left)])


def named(keras: Any) -> Any:
    """Inputs and outputs as dicts."""
    layers = keras.layers
    q, p = layers.Input((6,), name="q"), layers.Input((6,), name="p")
    out = layers.Dense(4)(layers.Subtract()([q, p]))
    return keras.Model({"q": q, "p": p}, {"score": out, "bare": layers.Dense(3)(q)})


def letters(keras: Any) -> Any:
    """Ids of any number of letters."""
    layers = keras.layers
    ids = keras.Input((None,), name="ids")
    x = layers.Embedding(20, 8)(ids)
    x = layers.Bidirectional(layers.LSTM(6, return_sequences=True))(x)
    return keras.Model(ids, layers.Dense(3, name="marks")(x))


def lstm(keras: Any) -> Any:
    """A recurrent network; the sequence is short, for it is unrolled too."""
    layers = keras.layers
    sequence = layers.Input((8, 5), name="sequence")
    x = layers.LSTM(12, return_sequences=True)(sequence)
    return keras.Model(sequence, layers.Dense(4, name="last")(layers.Bidirectional(layers.GRU(6))(x)))


def former_gru(keras: Any) -> Any:
    """Its reset gate stands where it did until Keras 2.1."""
    layers = keras.layers
    sequence = layers.Input((4, 5), name="sequence")
    x = layers.Bidirectional(layers.GRU(3, reset_after=False))(sequence)
    return keras.Model(sequence, layers.Dense(4, name="last")(x))


def open_sequence(keras: Any) -> Any:
    """A dimension besides the batch is open."""
    layers = keras.layers
    sequence = layers.Input((None, 5), name="sequence")
    return keras.Model(sequence, layers.Conv1D(4, 3, padding="same", name="smooth")(sequence))


def lambda_layer(keras: Any) -> Any:
    """A layer whose code is in the file."""
    layers = keras.layers
    x = layers.Input((6,), name="x")
    return keras.Model(x, layers.Lambda(lambda t: t * 2.0, name="doubled")(layers.Dense(3)(x)))


def words(keras: Any) -> Any:
    """Takes text."""
    text = keras.Input((1,), dtype="string", name="text")
    ids = keras.layers.StringLookup(vocabulary=["on", "off"])(text)
    return keras.Model(text, keras.layers.Dense(2)(keras.layers.Flatten()(keras.layers.Embedding(3, 4)(ids))))


def two_erfs(keras: Any) -> Any:
    """An op that TFLite has no builtin for."""
    from keras import ops

    x = keras.layers.Input((6,), name="x")
    return keras.Model(x, [ops.erf(keras.layers.Dense(3)(x)), ops.erf(keras.layers.Dense(5)(x))])


def sine(keras: Any) -> Any:
    """An op without an integer kernel between two that have one."""
    from keras import ops

    x = keras.layers.Input((6,), name="x")
    return keras.Model(x, keras.layers.Dense(4, name="out")(ops.sin(keras.layers.Dense(8)(x))))


def untrained(keras: Any) -> Any:
    """An output that hardly depends on the input."""
    layers = keras.layers
    x = layers.Input((6,), name="x")
    tiny = layers.Dense(4, kernel_initializer=keras.initializers.RandomNormal(stddev=1e-7), bias_initializer="ones")
    return keras.Model(x, tiny(x))


def norms(keras: Any) -> Any:
    """Layer, group and root-mean-square norms."""
    layers = keras.layers
    sequence = layers.Input((12, 16), name="sequence")
    x = layers.LayerNormalization()(layers.Dense(16)(sequence))
    x = layers.GroupNormalization(4)(layers.Dense(16, activation="relu")(x))
    x = layers.RMSNormalization()(layers.Dense(16)(x))
    return keras.Model(sequence, layers.Dense(4, name="last")(x))


def _spread(model: Any) -> None:
    """Biases and norms' statistics that are not zeros and ones."""
    generator = np.random.default_rng(1)
    for layer in model.layers:
        if type(layer).__name__.endswith("Normalization"):
            shapes = [weight.shape for weight in layer.get_weights()]
            layer.set_weights([generator.uniform(0.5, 1.5, shape).astype(np.float32) for shape in shapes])
