"""Test accuracy from what ``edge-sdk run -o`` wrote."""

from __future__ import annotations

import sys

import numpy as np

labels = np.load("test_labels.npy")
for path in sys.argv[1:]:
    (scores,) = np.load(path).values()
    print(f"{path}: test accuracy {(scores.reshape(len(labels), -1).argmax(1) == labels).mean():.1%} of {len(labels)}")
