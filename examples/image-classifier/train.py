"""A small Keras classifier of folders of photos; it scales the pixels itself."""

from __future__ import annotations

import os
from pathlib import Path

import keras

LONG = bool(os.environ.get("EXAMPLE_LONG"))

keras.utils.set_random_seed(0)
names = Path("labels.txt").read_text().split()
sets = [
    keras.utils.image_dataset_from_directory(
        kind, class_names=names, image_size=(32, 32), batch_size=32, seed=0, verbose=False
    )
    for kind in ("train", "test")
]
layers = keras.layers
model = keras.Sequential(
    [
        layers.Input((32, 32, 3), name="photo"),
        layers.Rescaling(1 / 255),
        layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
        layers.DepthwiseConv2D(3, padding="same", activation="relu"),
        layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(10, activation="softmax", name="scores"),
    ]
)
model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(sets[0], epochs=30 if LONG else 16, verbose=0)
print(f"source: test accuracy {model.evaluate(sets[1], verbose=0)[1]:.1%}")
model.save("digits.keras")
