"""Data of a conversion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from edge_sdk.data.images import ImageOptions
from edge_sdk.data.opening import Data


class DataOptions(TypedDict, total=False):
    """What is run on: to observe ranges, and to compare."""

    calibration: Data | None
    """Data to observe ranges on, for recipes with quantized activations; see ``edge_sdk.data.open_data``."""
    calibration_samples: int | None
    """Use at most so many of them, chosen by ``seed``."""
    data: Data | None
    """What to compare on; default: the calibration data, else seeded data shaped by the signature."""
    samples: int | None
    """How many samples of it; 32. Of seeded data, where float32 alone is asked for, as many as 32 GMACs pay for and at
    least 4: a mistake of a float file shows in the first."""
    seed: int
    """Of all random choices; 0."""
    images: ImageOptions
    """How pixels of a folder of images become values."""
    boxes: Mapping[str, str]
    """Output name to the form of the boxes in its rows, ``corners`` or ``centres``, or to ``none``: their IoU with the
    source's is told. Boxes beside scores are found by themselves where their values tell."""
    classes: Mapping[str, str]
    """Output name to the axis (a number as text) along which it has scores of classes, or to ``none``, for outputs of
    more than two dimensions: agreement of each step or pixel, and of what steps read as. Found where values tell."""
