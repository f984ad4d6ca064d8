"""Random samples shaped by a signature, the same for the same seed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.signature import Arrays, TensorSpec

# float32 holds every whole number up to 2**24.
_LARGE = 3 * 2**23


def seeded_samples(
    specs: Sequence[TensorSpec],
    *,
    count: int,
    seed: int,
    index_bounds: Mapping[str, int] | None = None,
    free: Collection[str] = (),
) -> Iterator[Arrays]:
    """Yields ``count`` samples.

    Images (specs with a layout) have the spectrum of natural ones, with brightness and contrast of their own: white
    noise of any seed looks the same to a network that pools. Other floats are standard normal, 8-bit integers span
    their type, booleans are fair, and wider integers lie in ``[0, bound)``, its ends and round numbers often: the bound
    is the table an input indexes, where that is known, else 2. Those that index nothing are small, negative, round, and
    so large that float32 does not hold them.

    Args:
        specs: the inputs, with static shapes.
        count: how many samples.
        seed: of numpy's default generator.
        index_bounds: input name to the number of rows of the table that it indexes.
        free: names of integer inputs that may hold any number.
    """
    generator = np.random.default_rng(seed)
    bounds = index_bounds or {}
    for _ in range(count):
        yield {
            spec.name: _draw(generator, spec, bounds.get(spec.name, 0 if spec.name in free else 2)) for spec in specs
        }


def _draw(generator: np.random.Generator, spec: TensorSpec, bound: int) -> npt.NDArray[Any]:
    dtype, shape = np.dtype(spec.dtype), spec.static_shape
    if dtype == np.bool_:
        return generator.random(shape) < 0.5
    if np.issubdtype(dtype, np.integer):
        if dtype.itemsize == 1:
            return generator.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, shape, dtype=dtype)
        return (_indices(generator, shape, bound) if bound else _integers(generator, shape)).astype(dtype)
    # Nothing has no spectrum.
    if spec.layout and len(shape) == 4 and min(shape) > 0:
        return _images(generator, shape, spec.layout).astype(dtype)
    return generator.standard_normal(shape).astype(dtype)


def _indices(generator: np.random.Generator, shape: tuple[int, ...], bound: int) -> npt.NDArray[np.int64]:
    """Rows of a table: three in four anywhere, the others at its ends and at multiples of ten."""
    anywhere = generator.integers(0, bound, shape)
    special = np.array(sorted({0, bound - 1, *range(0, min(bound, 1000), 10), *range(0, bound, max(10, bound // 100))}))
    return np.where(generator.random(shape) < 0.25, generator.choice(special, shape), anywhere)


def _integers(generator: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Small, negative, round and large numbers in equal parts."""
    kinds = (
        generator.integers(0, 12, shape),
        -generator.integers(1, 1000, shape),
        generator.integers(-100, 101, shape) * 10 ** generator.integers(1, 5, shape),
        generator.integers(-_LARGE, _LARGE + 1, shape),
    )
    made: npt.NDArray[np.int64] = np.choose(generator.integers(0, len(kinds), shape), kinds)
    return made


def _images(generator: np.random.Generator, shape: tuple[int, ...], layout: str) -> npt.NDArray[np.float64]:
    """Images with amplitudes falling as 1/f (Field, J. Opt. Soc. Am. A 4(12), 1987), mean near 0, deviation near 1."""
    batch, *extents = shape
    height, width = extents[1:] if layout == "NCHW" else extents[:2]
    channels = extents[0] if layout == "NCHW" else extents[2]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    fall = 1.0 / np.maximum(frequency, 1.0 / max(height, width))
    white = np.fft.rfft2(generator.standard_normal((batch, channels, height, width)))
    pink = np.fft.irfft2(white * fall, s=(height, width))
    pink -= pink.mean((2, 3), keepdims=True)
    pink /= np.maximum(pink.std((2, 3), keepdims=True), 1e-9)
    contrast = generator.uniform(0.5, 1.5, (batch, 1, 1, 1))
    brightness = generator.normal(0.0, 0.5, (batch, channels, 1, 1))
    images: npt.NDArray[np.float64] = pink * contrast + brightness
    return images if layout == "NCHW" else images.transpose(0, 2, 3, 1)
