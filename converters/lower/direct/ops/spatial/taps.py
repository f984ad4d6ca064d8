"""Samples of an image at places that depend on data: the elements around each place, weighted and added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.ops.windows import pad

# Whole numbers up to this one are exact in float32.
_EXACT = 1 << 24


@dataclass(frozen=True)
class Interpolation:
    """Which elements around a place count, and how much.

    Attributes:
        offsets: from the element at or before the place.
        weights: ``[taps, powers]``: coefficients of the weight as a polynomial of the place's fraction.
    """

    offsets: tuple[int, ...]
    weights: tuple[tuple[float, ...], ...]


LINEAR = Interpolation((0, 1), ((1.0, -1.0), (0.0, 1.0)))


def cubic(a: float) -> Interpolation:
    """Keys' cubic convolution with its parameter."""
    return Interpolation(
        (-1, 0, 1, 2),
        (
            (0.0, a, -2 * a, a),
            (1.0, 0.0, -(a + 3), a + 2),
            (0.0, -a, 2 * a + 3, -(a + 2)),
            (0.0, 0.0, a, -a),
        ),
    )


class Maths:
    """Element-wise ops on tensors of one rank, by their signs."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder

    def two(
        self, kind: str, a: Tensor, b: Tensor | float | npt.NDArray[np.float64], dtype: str | None = None
    ) -> Tensor:
        """An op on two broadcast tensors; numbers become constants in the first one's dtype."""
        other = b if isinstance(b, Tensor) else self.builder.constant(np.asarray(b, a.dtype))
        shape = np.broadcast_shapes(a.shape, other.shape)
        return self.builder.emit(kind, [a, other], shape, dtype)

    def one(self, kind: str, a: Tensor) -> Tensor:
        """An op on one tensor."""
        return self.builder.emit(kind, [a], a.shape)

    def clamped(self, a: Tensor, low: float, high: float) -> Tensor:
        """Between two numbers."""
        return self.two("MINIMUM", self.two("MAXIMUM", a, low), high)

    def reflected(self, a: Tensor, low: float, high: float) -> Tensor:
        """Folded back at both ends, as often as needed."""
        span = high - low
        if span == 0:
            return self.two("MUL", a, 0.0)
        distance = self.one("ABS", self.two("SUB", a, low))
        turned = self.two("SUB", self.two("FLOOR_MOD", distance, 2 * span), span)
        # span - |turned| + low
        return self.two("ADD", self.one("NEG", self.one("ABS", turned)), span + low)


@dataclass(frozen=True)
class Samples:
    """What is read of an image around each of ``P`` places.

    Attributes:
        index: ``[N, K, P]`` places of the ``K`` elements that each result is made of.
        weights: ``[N, K, P]``, or None where there is one element, which counts whole.
    """

    index: Tensor
    weights: Tensor | None


def taps_of(maths: Maths, places: Tensor, how: Interpolation) -> tuple[Tensor, Tensor]:
    """Elements around places of one axis, and their weights.

    Args:
        maths: of the graph.
        places: ``[N, 1, P]``, in elements.
        how: which count.

    Returns:
        Two of ``[N, taps, P]``; the first are whole numbers as float32, and may lie outside.
    """
    below = maths.one("FLOOR", places)
    fraction = maths.two("SUB", places, below)
    taps = maths.two("ADD", below, np.reshape(np.array(how.offsets, np.float64), (1, -1, 1)))
    powers = np.array(how.weights).T[:, None, :, None]
    weights = maths.two("MUL", fraction, powers[-1])
    for coefficients in powers[-2:0:-1]:
        weights = maths.two("MUL", maths.two("ADD", weights, coefficients), fraction)
    return taps, maths.two("ADD", weights, powers[0])


def joined(maths: Maths, axes: Sequence[Samples], extents: Sequence[int]) -> Samples:
    """Elements of every axis with every other's: flat places, and the products of their weights.

    Args:
        maths: of the graph.
        axes: places along each axis as float32, none outside.
        extents: of the axes.
    """
    exact = int(np.prod(extents)) < _EXACT
    tapped = [one.index if exact else maths.builder.cast(one.index, "int32") for one in axes]
    index, weights = tapped[0], axes[0].weights
    for tap, one, extent in zip(tapped[1:], axes[1:], extents[1:], strict=True):
        index = _crossed(maths, "ADD", maths.two("MUL", index, float(extent)), tap)
        if weights is not None and one.weights is not None:
            weights = _crossed(maths, "MUL", weights, one.weights)
    return Samples(maths.builder.cast(index, "int32"), weights)


def _crossed(maths: Maths, kind: str, a: Tensor, b: Tensor) -> Tensor:
    """``[N, K, P]`` and ``[N, T, P]`` to ``[N, K * T, P]``."""
    batch, count, places = a.shape
    more = b.shape[1]
    if count == 1 or more == 1:
        return maths.two(kind, a, b)
    builder = maths.builder
    whole = maths.two(
        kind, builder.reshaped(a, (batch, count, 1, places)), builder.reshaped(b, (batch, 1, more, places))
    )
    return builder.reshaped(whole, (batch, count * more, places))


def read(builder: Builder, image: Tensor, samples: Samples) -> Tensor:
    """The samples of ``[N, elements, C]``: ``[N, P, C]``."""
    batch, count, places = samples.index.shape
    channels = image.shape[2]
    flat = builder.reshaped(samples.index, (batch, count * places))
    rows = builder.emit("GATHER", [image, flat], (batch, count * places, channels), image.dtype, axis=1, batch_dims=1)
    if samples.weights is None:
        return rows
    maths = Maths(builder)
    grouped = builder.reshaped(rows, (batch, count, places, channels))
    weighted = maths.two("MUL", grouped, builder.reshaped(samples.weights, (batch, count, places, 1)))
    axis = builder.constant([1], "int32")
    return builder.emit("SUM", [weighted, axis], (batch, places, channels), keep_dims=False)


def sampled(
    builder: Builder, image: Tensor, places: Sequence[Tensor], how: Interpolation | None, padding: str, *, corners: bool
) -> Tensor:
    """An image at any places.

    Args:
        builder: what makes ops.
        image: ``[N, *space, C]``.
        places: for each spatial axis ``[N, 1, P]``, in elements.
        how: None takes the nearest element.
        padding: what lies outside: ``zeros``, ``border`` or ``reflection``.
        corners: reflect at the outermost elements' centres, not at their edges.

    Returns:
        ``[N, P, C]``.
    """
    maths = Maths(builder)
    space = image.shape[1:-1]
    bordered = padding == "zeros"
    if bordered:
        ends = (0, *[1] * len(space), 0)
        image = pad(builder, image, ends, ends)
    axes = []
    for place, size in zip(places, space, strict=True):
        axes.append(_along(maths, place, size, how, padding, corners=corners))
    samples = joined(maths, axes, image.shape[1:-1])
    flat = builder.reshaped(image, (image.shape[0], int(np.prod(image.shape[1:-1])), image.shape[-1]))
    return read(builder, flat, samples)


def _along(
    maths: Maths, places: Tensor, size: int, how: Interpolation | None, padding: str, *, corners: bool
) -> Samples:
    """Elements of one axis; with zeros around it, its first element is at 1."""
    if how is None:
        if padding == "reflection":
            places = _folded(maths, places, size, corners=corners)
        taps, weights = maths.one("ROUND", places), None
    else:
        taps, weights = taps_of(maths, places, how)
        if padding == "reflection":
            taps = _folded(maths, taps, size, corners=corners)
    if padding == "zeros":
        return Samples(maths.two("ADD", maths.clamped(taps, -1, size), 1.0), weights)
    return Samples(maths.clamped(taps, 0, size - 1), weights)


def _folded(maths: Maths, places: Tensor, size: int, *, corners: bool) -> Tensor:
    low, high = (0.0, size - 1.0) if corners else (-0.5, size - 0.5)
    return maths.clamped(maths.reflected(places, low, high), 0, size - 1)
