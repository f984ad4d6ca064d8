"""Fourier transforms, as products with known matrices: pairs of real numbers lie side by side along the last axis."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.windows import cropped, pad
from edge_sdk.converters.lower.direct.value import Value, identity

# 256 MiB of float32: a longer transform would need one by steps.
_LARGEST_MATRIX = 1 << 26


def _dft(builder: Builder, node: Node) -> Value:
    """One FULLY_CONNECTED over an axis and the pairs behind it."""
    x = node.input()
    axis = _axis(node, x.rank)
    size = x.shape[axis]
    length = int(np.ravel(node.constant(1, "the length of the transform"))[0]) if node.given(1) else size
    matrix = _matrix(node, size, length, x.shape[-1])
    order = (*(a for a in range(x.rank - 1) if a != axis), axis, x.rank - 1)
    tensor = builder.arranged(x, order)
    rows = builder.reshaped(tensor, (tensor.size // matrix.shape[1], matrix.shape[1]))
    shape = (rows.shape[0], matrix.shape[0])
    made = builder.emit(
        "FULLY_CONNECTED", [rows, builder.constant(matrix, "float32"), None], shape, keep_num_dims=False
    )
    return Value(builder.reshaped(made, (*tensor.shape[:-2], matrix.shape[0] // 2, 2)), order)


def _axis(node: Node, rank: int) -> int:
    if node.opset < 20:
        return int(node.attribute("axis", 1)) % rank
    return int(np.ravel(node.constant(2, "the axis"))[0]) % rank if node.given(2) else rank - 2


def _matrix(node: Node, size: int, length: int, parts: int) -> npt.NDArray[np.float64]:
    """``[bins * 2, size * parts]``; what lies beyond the length is cut off, what is missing is zero."""
    inverse, onesided = bool(node.attribute("inverse", 0)), bool(node.attribute("onesided", 0))
    bins = length // 2 + 1 if onesided else length
    if bins * 2 * size * parts > _LARGEST_MATRIX:
        raise NoFormError(
            f"a Fourier transform over {size} elements: its matrix would have over {_LARGEST_MATRIX} weights"
        )
    waves = _waves(bins, length, 1 if inverse else -1)
    used = np.zeros((bins, size), np.complex128)
    used[:, : min(size, length)] = waves[:, : min(size, length)] / (length if inverse else 1)
    return as_pairs(used, parts)


def _waves(bins: int, length: int, sign: int) -> npt.NDArray[np.complex128]:
    """``[bins, length]`` of ``exp(sign * 2 pi i k n / length)``, with the angle reduced before it is rounded."""
    turns = np.outer(np.arange(bins), np.arange(length)) % length
    return np.asarray(np.exp(sign * 2j * np.pi * turns / length))


def as_pairs(matrix: npt.NDArray[np.complex128], parts: int) -> npt.NDArray[np.float64]:
    """A complex matrix ``[rows, columns]`` as a real one ``[rows * 2, columns * parts]`` on pairs side by side."""
    rows, columns = matrix.shape
    made = np.zeros((rows, 2, columns, parts))
    made[:, 0, :, 0], made[:, 1, :, 0] = matrix.real, matrix.imag
    if parts == 2:
        made[:, 0, :, 1], made[:, 1, :, 1] = -matrix.imag, matrix.real
    return made.reshape(rows * 2, columns * parts)


def _stft(builder: Builder, node: Node) -> Value:
    """One CONV_2D along the signal whose kernels are waves under the window."""
    x = node.input()
    step = int(np.ravel(node.constant(1, "the step between frames"))[0])
    length = _frame_length(node, x.shape[1])
    parts = x.shape[2] if x.rank == 3 else 1
    bins = length // 2 + 1 if node.attribute("onesided", 1) else length
    frames = 1 + (x.shape[1] - length) // step
    signal = builder.reshaped(builder.arranged(x), (x.shape[0], x.shape[1], parts))
    waves = _waves(bins, length, -1)
    if node.given(2) and not node.input(2).is_constant:
        made = _under_window(builder, node, signal, as_pairs(waves, parts), (frames, step, length))
    else:
        window = node.input(2).data if node.given(2) else np.ones(length)
        kernel = as_pairs(waves[:, : window.size] * window, parts)
        made = _framed(builder, signal, kernel, frames, step)
    whole = (x.shape[0], frames, bins, 2)
    return Value(builder.reshaped(made, whole), identity(4))


def _frame_length(node: Node, size: int) -> int:
    if node.given(3):
        return int(np.ravel(node.constant(3, "the length of a frame"))[0])
    return node.input(2).shape[0] if node.given(2) else size


def _framed(builder: Builder, signal: Tensor, kernel: npt.NDArray[np.float64], frames: int, step: int) -> Tensor:
    """``[N, 1, frames, rows]``: a kernel at every step of the signal ``[N, L, parts]``.

    As many elements as divide the step and the kernel are channels: the convolution has few long taps, not many of one
    element, which is what matrix kernels are fast at.
    """
    batch, size, parts = signal.shape
    length = kernel.shape[1] // parts
    block = math.gcd(step, length)
    part = cropped(builder, signal, (0, 0, 0), (0, size % block, 0))
    image = builder.reshaped(part, (batch, 1, size // block, block * parts))
    weights = builder.constant(kernel.reshape(kernel.shape[0], 1, length // block, block * parts), "float32")
    bias = builder.constant(np.zeros(kernel.shape[0], np.float32))
    return builder.emit(
        "CONV_2D",
        [image, weights, bias],
        (batch, 1, frames, kernel.shape[0]),
        padding="VALID",
        stride_h=1,
        stride_w=step // block,
        dilation_h_factor=1,
        dilation_w_factor=1,
    )


def _under_window(
    builder: Builder, node: Node, signal: Tensor, matrix: npt.NDArray[np.float64], shape: tuple[int, int, int]
) -> Tensor:
    """With a window that depends on data: frames by GATHER, times the window, times the waves."""
    frames, step, length = shape
    batch, _, parts = signal.shape
    places = np.arange(frames)[:, None] * step + np.arange(length)
    index = builder.constant(places, "int32")
    rows = builder.emit("GATHER", [signal, index], (batch, frames, length, parts), signal.dtype, axis=1, batch_dims=0)
    window = builder.reshaped(builder.arranged(node.input(2)), (1, 1, node.input(2).shape[0], 1))
    window = pad(builder, window, (0, 0, 0, 0), (0, 0, length - window.shape[2], 0))
    weighed = builder.emit("MUL", [rows, window], rows.shape)
    flat = builder.reshaped(weighed, (batch * frames, length * parts))
    return builder.emit(
        "FULLY_CONNECTED",
        [flat, builder.constant(matrix, "float32"), None],
        (batch * frames, matrix.shape[0]),
        keep_num_dims=False,
    )


def _known(what: str) -> Callable[[Builder, Node], Value]:
    """An op whose inputs decide the shape of its result: where they are known it is folded, and never comes here."""

    def form(builder: Builder, node: Node) -> Any:
        for place in range(len(node.inputs)):
            node.constant(place, what)
        raise NoFormError(f"{what} could not be computed beforehand")

    return form


OPS: dict[str, Callable[[Builder, Node], Value]] = {
    "BlackmanWindow": _known("the extents of the window"),
    "DFT": _dft,
    "HammingWindow": _known("the extents of the window"),
    "HannWindow": _known("the extents of the window"),
    "MelWeightMatrix": _known("the numbers of bins and frequencies"),
    "STFT": _stft,
}
