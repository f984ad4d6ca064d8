"""Arrays as PNG, with what Python itself has: a page with pictures needs no image library."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

_GREY, _RGB = 0, 2


def png_bytes(pixels: npt.NDArray[np.uint8]) -> bytes:
    """A picture (W3C PNG, 8 bits, no filter); the same bytes for the same pixels and zlib.

    Args:
        pixels: shape (height, width, 1) or (height, width, 3).
    """
    height, width, channels = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, width * channels)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, _RGB if channels == 3 else _GREY, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def picture_of(values: npt.NDArray[Any], *, most: int) -> npt.NDArray[np.uint8] | None:
    """Values of an input as pixels, from their own least value to their own largest; None where they are no image.

    Args:
        values: one sample, shape (1, height, width, channels) or with channels second; 1 or 3 channels.
        most: pixels along the longer side, of which every n-th is taken.
    """
    if values.ndim != 4 or values.shape[0] != 1 or values.dtype.kind not in "fiu":
        return None
    image = values[0] if values.shape[3] in (1, 3) else np.moveaxis(values[0], 0, 2)
    if image.shape[2] not in (1, 3) or min(image.shape[:2]) < 2:
        return None
    step = -(-max(image.shape[:2]) // most)
    wide = image[::step, ::step].astype(np.float64)
    low, high = float(wide.min()), float(wide.max())
    scaled = (wide - low) / (high - low) if high > low else np.zeros_like(wide)
    return np.asarray(np.round(scaled * 255), np.uint8)
