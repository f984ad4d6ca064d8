"""Root mean square error of ratings, and how often of two items the better one is preferred."""

from __future__ import annotations

import sys

import numpy as np

truth = np.load("test_ratings.npy")
for path in sys.argv[1:]:
    (told,) = (values.reshape(-1) for values in np.load(path).values())
    error = np.sqrt(np.mean((told - truth) ** 2))
    better = np.sign(np.subtract.outer(truth, truth)) * np.sign(np.subtract.outer(told, told))
    print(f"{path}: RMSE {error:.3f}, of two items the better one {np.mean(better[truth[:, None] != truth] > 0):.1%}")
