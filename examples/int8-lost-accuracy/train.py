"""A network on scikit-learn's breast cancer set: 569 real cases, features 0.001 to 4,254, which it scales itself."""

from __future__ import annotations

import keras
import numpy as np
from sklearn.datasets import load_breast_cancer

keras.utils.set_random_seed(0)
found = load_breast_cancer()
x, y = found.data.astype("float32"), found.target
test = np.arange(len(y)) % 3 == 0
scale = keras.layers.Normalization()
scale.adapt(x[~test])
layers = keras.layers
tail = [
    layers.Dense(32, activation="relu"),
    layers.Dense(16, activation="relu"),
    layers.Dense(2, activation="softmax", name="scores"),
]
inner = keras.Sequential([layers.Input((30,), name="scaled"), *tail])
inputs = layers.Input((30,), name="features")
model = keras.Model(inputs, inner(scale(inputs)))
model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x[~test], y[~test], epochs=30, verbose=0)
model.save("whole.keras")
inner.save("inner.keras")
scaled = np.asarray(scale(x), "float32")
for kind, mask in (("calibration", ~test), ("test", test)):
    np.savez(f"{kind}.npz", features=x[mask])
    np.savez(f"{kind}_scaled.npz", scaled=scaled[mask])
np.save("test_labels.npy", y[test])
print(f"source: test accuracy {model.evaluate(x[test], y[test], verbose=0)[1]:.1%}")
