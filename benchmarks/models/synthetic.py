"""A data set made from a seed: noisy images of a few prototypes, for training a network in under a minute.

A network with random weights hardly depends on its input and is ill-conditioned in depth, so neither parity nor
quantization error of it says anything. Brief training on anything learnable cures both.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_sdk.data import seeded_samples
from edge_sdk.signature import TensorSpec

CLASSES = 10
_PROTOTYPES_SEED = 99


def labelled_images(
    shape: tuple[int, int, int], *, count: int, seed: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Images ``(count, height, width, channels)`` of about zero mean and unit deviation, and classes ``(count,)``.

    An image is the prototype of its class at a contrast of its own, plus an image of nothing in particular; all have
    the spectrum of natural images.
    """
    generator = np.random.default_rng(seed)
    classes = generator.integers(0, CLASSES, count)
    contrast = generator.uniform(0.6, 1.4, (count, 1, 1, 1)).astype(np.float32)
    prototypes = images(shape, CLASSES, _PROTOTYPES_SEED)
    return 0.7 * contrast * prototypes[classes] + 0.5 * images(shape, count, seed + 1000), classes


def images(shape: tuple[int, int, int], count: int, seed: int) -> npt.NDArray[np.float32]:
    """Images of nothing in particular, ``(count, height, width, channels)``, with the spectrum of natural ones."""
    spec = TensorSpec("image", (count, *shape), "float32", "NHWC")
    drawn: npt.NDArray[np.float32] = next(seeded_samples([spec], count=1, seed=seed))["image"]
    return drawn
