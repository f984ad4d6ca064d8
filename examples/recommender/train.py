"""A two-tower recommender with embeddings, Keras; ratings are made, for no real set comes with a package.

200 users and 300 items have six hidden tastes each; a rating is how well they agree, with noise. The model sees ids.
"""

from __future__ import annotations

import os

import keras
import numpy as np

LONG = bool(os.environ.get("EXAMPLE_LONG"))

keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
users, items, count = 200, 300, 24000
tastes = [rng.normal(size=(number, 6)) for number in (users, items)]
user, item = rng.integers(0, users, count), rng.integers(0, items, count)
rating = np.clip(3 + (tastes[0][user] * tastes[1][item]).sum(1) / 2 + rng.normal(size=count) * 0.3, 1, 5).astype(
    "float32"
)
test = np.arange(count) % 12 == 0

layers = keras.layers
inputs = [layers.Input((1,), dtype="int32", name=name) for name in ("user", "item")]
towers = [
    layers.Dense(24, activation="relu")(layers.Flatten()(layers.Embedding(number, 24)(one)))
    for number, one in zip((users, items), inputs, strict=True)
]
both = layers.Concatenate()([*towers, layers.Multiply()(towers)])
rated = layers.Dense(1, name="rating")(layers.Dense(32, activation="relu")(both))
model = keras.Model(inputs, rated)
model.compile(keras.optimizers.Adam(3e-3), "mse")
model.fit([user[~test], item[~test]], rating[~test], batch_size=256, epochs=60 if LONG else 25, verbose=0)

given = {"user": user[:, None].astype("int32"), "item": item[:, None].astype("int32")}
told = model.predict([given["user"][test], given["item"][test]], verbose=0)[:, 0]
np.savez("calibration.npz", **{name: values[~test][:400] for name, values in given.items()})
np.savez("test.npz", **{name: values[test] for name, values in given.items()})
np.save("test_ratings.npy", rating[test])
np.savez("source.npz", rating=told)
model.save("recommender.keras")
