"""mAP at an overlap of 0.5, from what ``edge-sdk run -o`` wrote."""

from __future__ import annotations

import sys

import numpy as np
from scenes import average_precision

stored = np.load("truth.npz")
truth = np.split(stored["objects"], np.cumsum(stored["counts"])[:-1])
for path in sys.argv[1:]:
    parts = [values.reshape(len(truth), 64, -1) for values in np.load(path).values()]
    whole = np.concatenate(sorted(parts, key=lambda part: part.shape[-1]), -1)
    print(f"{path}: mAP at 0.5 {average_precision(whole[..., :4], whole[..., 4:], truth):.3f}")
