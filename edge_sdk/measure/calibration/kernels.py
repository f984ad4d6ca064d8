"""The kernels that are timed: one op each, in shapes that published networks use, small and large.

Shapes are those of MobileNet, ResNet, EfficientNet, DenseNet, Inception, Xception, ConvNeXt, U-Net and vision
transformers at inputs of 64 to 224 pixels, thinned out so that neighbours lie about an octave apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Final

from edge_sdk.checks.timing.streams import GROUP
from edge_sdk.measure.calibration.layers import Layers, Mode, layers

# Side, channels in and out.
_POINTWISE: Final = (
    (112, 32, 16), (112, 16, 96), (56, 24, 144), (56, 144, 24), (56, 64, 256), (56, 256, 64), (40, 12, 40),
    (28, 192, 32), (28, 32, 192), (28, 512, 128), (14, 64, 384), (14, 576, 96), (14, 256, 1024), (14, 1024, 256),
    (19, 728, 728), (7, 160, 960), (7, 960, 160), (7, 512, 2048), (7, 320, 1280), (4, 256, 512), (2, 1024, 256),
    (1, 240, 10), (1, 16, 64), (1, 960, 240), (3, 1536, 256), (28, 256, 256), (48, 64, 1), (16, 88, 2), (8, 96, 6),
)  # fmt: skip
# Likewise, window and stride.
_CONVOLUTIONS: Final = (
    (224, 3, 32, 3, 2), (160, 3, 16, 3, 2), (96, 3, 32, 3, 2), (128, 3, 64, 7, 2), (224, 3, 64, 7, 2),
    (96, 3, 16, 3, 1), (160, 3, 64, 3, 1), (128, 3, 96, 4, 4), (224, 3, 192, 16, 16), (56, 64, 64, 3, 1),
    (28, 128, 128, 3, 1), (14, 256, 256, 3, 1), (7, 512, 512, 3, 1), (28, 128, 32, 3, 1), (7, 128, 32, 3, 1),
    (56, 128, 128, 3, 2), (64, 16, 16, 3, 1), (112, 24, 24, 3, 1), (17, 160, 192, (1, 7), 1), (17, 128, 160, (7, 1), 1),
    (12, 48, 64, 5, 1), (4, 512, 512, 3, 1), (2, 512, 512, 3, 1), (14, 96, 384, 3, 2), (28, 16, 64, 3, 1),
    (28, 256, 512, 1, 2), (14, 192, 384, 2, 2),
)  # fmt: skip
# Side, channels, window and stride.
_DEPTHWISE: Final = (
    (112, 32, 3, 1), (112, 96, 3, 2), (56, 144, 3, 1), (28, 192, 3, 2), (28, 256, 3, 1), (14, 384, 3, 1),
    (14, 576, 3, 2), (7, 960, 3, 1), (28, 72, 5, 2), (14, 480, 5, 1), (7, 960, 5, 1), (14, 120, 5, 1), (19, 728, 3, 1),
    (4, 512, 3, 1), (64, 16, 3, 1), (56, 96, 7, 1), (28, 192, 7, 1), (14, 384, 7, 1), (4, 768, 7, 1), (2, 960, 3, 1),
    (96, 32, 5, 1), (48, 64, 5, 1), (64, 24, 5, 1),
)  # fmt: skip
# Rows, channels in and out.
_DENSE: Final = (
    (1, 64, 10), (1, 1024, 1000), (1, 2048, 1000), (1, 960, 240), (49, 192, 192), (196, 192, 576), (196, 192, 768),
    (196, 768, 192), (64, 128, 512), (3136, 96, 384), (784, 768, 192), (16, 1536, 384),
)  # fmt: skip
_HYBRID_DEPTHWISE: Final = _DEPTHWISE[::2]
# Side, channels in and out, window, stride, groups.
_GROUPED: Final = ((28, 128, 128, 3, 1, 32), (14, 256, 256, 3, 1, 32), (14, 160, 160, 3, 2, 10), (28, 64, 128, 1, 1, 4))
# As many groups as channels, which frameworks write for depthwise windows: XNNPACK takes them in dynamic range too.
_CHANNELWISE: Final = ((28, 96, 7), (14, 192, 7), (7, 384, 7), (28, 96, 3), (14, 256, 3), (14, 192, 5), (7, 480, 5))
_IMAGES: Final = ((56, 64), (4, 96), (14, 256), (7, 960), (112, 96), (1, 480), (28, 96), (56, 24), (14, 80))
_PICTURES: Final = (96, 224)
_OF_EACH: Final = 4
_FEW: Final = 3
_ROWS: Final = ((1, 1000), (196, 192), (16, 96), (588, 196))
_TRANSPOSED: Final = ((16, 128, 64), (8, 256, 128), (32, 48, 24), (16, 32, 16), (4, 128, 64))
# MiB of weights that one run reads once: from what any cache holds to what none does.
_STREAMS: Final = (1, 2, 4, 8, 16, 32, 64, 128)
_STREAMED: Final = 512
# Constants, the file, the engine's copy of it, and packed weights.
_COPIES: Final = 4
Make = Callable[[Layers, int], int]
"""From an empty file and its input to a result."""


@dataclass(frozen=True)
class Kernel:
    """One file to time.

    Attributes:
        id: unique, and what is in it.
        group: the kind of thing; of networks the kind of block, which is held out as a whole when errors are estimated.
        build: makes the file.
        plain: whether it is timed in the engine's own kernels, without XNNPACK: what XNNPACK leaves outside runs there.
        needs_bytes: of memory, where that is much: it is left out where there is less.
    """

    id: str
    group: str
    build: Callable[[], bytes]
    plain: bool = False
    needs_bytes: int = 0


def kernels() -> Iterator[Kernel]:
    """All single kernels, the dearest kinds first."""
    yield from _products()
    yield from _images()
    yield from _sequences()
    yield from _borders()
    yield from _outside()
    yield from _streams()


def _streams() -> Iterator[Kernel]:
    """Rows of layers on a single row of values: a run is as long as its weights take to come."""
    for size in _STREAMS:
        needs = _COPIES * (size << 20)
        yield Kernel(f"float32 stream {size} MiB", GROUP, partial(_stream, size), needs_bytes=needs)


def _stream(size: int) -> bytes:
    made = layers("float32")
    x = made.entry(1, _STREAMED)
    for _ in range((size << 20) // (4 * _STREAMED * _STREAMED)):
        x = made.dense(x, _STREAMED)
    made.finish(x)
    return made.content()


def _products() -> Iterator[Kernel]:
    modes: tuple[Mode, ...] = ("float32", "int8", "hybrid")
    for mode in modes:
        for side, few, many in _POINTWISE:
            yield _kernel(mode, "pointwise", (side, side, few), _conv(many), many)
        for side, few, many, size, stride in _CONVOLUTIONS:
            yield _kernel(mode, "conv", (side, side, few), _conv(many, size, stride), many, size, stride)
        for side, channels, size, stride in _DEPTHWISE if mode != "hybrid" else _HYBRID_DEPTHWISE:
            yield _kernel(mode, "depthwise", (side, side, channels), _depthwise(size, stride), size, stride)
        for side, few, many, size, stride, groups in _GROUPED:
            make = _conv(many, size, stride, groups)
            yield _kernel(mode, "grouped", (side, side, few), make, many, size, stride, groups)
        for side, channels, size in _CHANNELWISE if mode == "hybrid" else ():
            make = _conv(channels, size, groups=channels)
            yield _kernel(mode, "channelwise", (side, side, channels), make, size)
        for side, few, many in _TRANSPOSED:
            yield _kernel(mode, "TRANSPOSE_CONV", (side, side, few), _transposed(many), many)
        for rows, few, many in _DENSE:
            yield _kernel(mode, "dense", (rows, few), _dense(many), many, batch=False)
    for rows, few, many in _DENSE[1:9:2]:
        yield _kernel("hybrid4", "dense", (rows, few), _dense(many), many, batch=False)


def _conv(many: int, size: int | tuple[int, int] = 1, stride: int = 1, groups: int = 1) -> Make:
    return lambda to, x: to.conv(x, many, size, stride, groups=groups)


def _depthwise(size: int, stride: int) -> Make:
    return lambda to, x: to.depthwise(x, size, stride)


def _transposed(many: int) -> Make:
    return lambda to, x: to.transposed(x, many, 2, 2)


def _dense(many: int) -> Make:
    return lambda to, x: to.dense(x, many)


def _weighted(inner: int) -> Make:
    return lambda to, x: to.matmul(x, to.entry(*to.made.shape(x)[:-1], inner))


def _images() -> Iterator[Kernel]:
    makers: dict[str, Make] = {
        "ADD": lambda to, x: to.binary("ADD", x, to.entry(*to.made.shape(x))),
        "MUL": lambda to, x: to.binary("MUL", x, to.entry(*to.made.shape(x))),
        "MUL channel": lambda to, x: to.binary("MUL", x, to.entry(1, 1, 1, to.made.shape(x)[-1])),
        "ADD channel": lambda to, x: to.scaled("ADD", x),
        "ADD one": lambda to, x: to.shifted("ADD", x),
        "SUB one": lambda to, x: to.shifted("SUB", x),
        "MUL one": lambda to, x: to.shifted("MUL", x),
        "SUB channel": lambda to, x: to.scaled("SUB", x),
        "LOGISTIC": lambda to, x: to.unary("LOGISTIC", x),
        "HARD_SWISH": lambda to, x: to.unary("HARD_SWISH", x),
        "TANH": lambda to, x: to.unary("TANH", x),
        "RELU": lambda to, x: to.unary("RELU", x),
        "LEAKY_RELU": lambda to, x: to.unary("LEAKY_RELU", x, alpha=0.1),
        "GELU": lambda to, x: to.unary("GELU", x),
        "MEAN": lambda to, x: to.mean(x, (1, 2)),
        "AVERAGE_POOL_2D": lambda to, x: to.pool("AVERAGE_POOL_2D", x, 2, 2),
        "MAX_POOL_2D": lambda to, x: to.pool("MAX_POOL_2D", x, 3, 2),
        "CONCATENATION": lambda to, x: to.concat([x, to.entry(*to.made.shape(x))]),
        "PAD": lambda to, x: to.pad(x, 1, 1),
        "RESIZE_BILINEAR": lambda to, x: to.resize("RESIZE_BILINEAR", x, 2),
        "RESIZE_NEAREST_NEIGHBOR": lambda to, x: to.resize("RESIZE_NEAREST_NEIGHBOR", x, 2),
        "STRIDED_SLICE": lambda to, x: to.cut(x, to.made.shape(x)[-1] // 2),
        "RELU6": lambda to, x: to.unary("RELU6", x),
        "RELU_0_TO_1": lambda to, x: to.unary("RELU_0_TO_1", x),
        "MINIMUM": lambda to, x: to.binary("MINIMUM", x, to.entry(*to.made.shape(x))),
        "PRELU": lambda to, x: to.prelu(x),
        "DEPTH_TO_SPACE": lambda to, x: to.spread(x, 2),
        "average whole": lambda to, x: to.pool("AVERAGE_POOL_2D", x, to.made.shape(x)[1], to.made.shape(x)[1]),
        "average 3": lambda to, x: to.pool("AVERAGE_POOL_2D", x, 3, 1),
        "RESHAPE": lambda to, x: to.reshape(x, 1, prod(to.made.shape(x))),
    }
    modes: tuple[Mode, ...] = ("float32", "int8")
    for mode in modes:
        for name, make in makers.items():
            for side, channels in _IMAGES[:_OF_EACH]:
                yield _kernel(mode, name, (side, side, channels), make)
    # An image's own few channels, as what normalizes it has them: each pixel is a row to begin.
    for name in ("ADD channel", "SUB channel", "MUL channel", "ADD one"):
        for side in _PICTURES:
            for mode in modes:
                yield _kernel(mode, name, (side, side, 3), makers[name])
    for name in ("ADD", "MUL channel", "HARD_SWISH", "LOGISTIC", "MUL"):
        for side, channels in _IMAGES[_OF_EACH:]:
            for mode in modes:
                yield _kernel(mode, name, (side, side, channels), makers[name])


def _sequences(*, every: bool = False) -> Iterator[Kernel]:
    """``every``: also in integers what XNNPACK takes in float only."""
    makers: dict[str, Make] = {
        "SOFTMAX": lambda to, x: to.softmax(x),
        "MEAN last": lambda to, x: to.mean(x, (2,)),
        "SUM last": lambda to, x: to.mean(x, (2,), "SUM"),
        "SQUARED_DIFFERENCE": lambda to, x: to.binary("SQUARED_DIFFERENCE", x, to.entry(*to.made.shape(x)[:-1], 1)),
        "SQUARED_DIFFERENCE one": lambda to, x: to.shifted("SQUARED_DIFFERENCE", x),
        "MAXIMUM one": lambda to, x: to.shifted("MAXIMUM", x),
        "REDUCE_MAX last": lambda to, x: to.mean(x, (2,), "REDUCE_MAX"),
        "REDUCE_MIN last": lambda to, x: to.mean(x, (2,), "REDUCE_MIN"),
        "SIN": lambda to, x: to.unary("SIN", x),
        "RSQRT": lambda to, x: to.unary("RSQRT", x),
        "TRANSPOSE": lambda to, x: to.transpose(x, 0, 2, 1),
        "DIV": lambda to, x: to.binary("DIV", x, to.entry(*to.made.shape(x))),
        "EXP": lambda to, x: to.unary("EXP", x),
        "NEG": lambda to, x: to.unary("NEG", x),
        "SQRT": lambda to, x: to.unary("SQRT", x),
        "SUB": lambda to, x: to.binary("SUB", x, to.entry(*to.made.shape(x)[:-1], 1)),
        "MUL row": lambda to, x: to.binary("MUL", x, to.entry(*to.made.shape(x)[:-1], 1)),
    }
    squares = ("SQUARED_DIFFERENCE", "SQUARED_DIFFERENCE one")
    float_only = {*squares, "SIN", "RSQRT", "EXP", "NEG", "SQRT", "DIV", "SUM last"}
    modes: tuple[Mode, ...] = ("float32", "int8")
    for mode in modes:
        for name, make in makers.items():
            if mode == "int8" and name in float_only and (not every or name not in (*squares, "RSQRT")):
                continue
            for rows, columns in _ROWS[:3]:
                of = "positive" if name == "RSQRT" and mode == "int8" else ""
                yield _kernel(mode, name, (1, rows, columns), make, batch=False, of=of)
        for rows, inner in ((196, 64), (49, 32), (64, 64), (196, 32)):
            yield _kernel(
                mode, "products", (6, rows, inner),
                lambda to, x: to.matmul(x, to.entry(*to.made.shape(x)), transposed=True), batch=False,
            )  # fmt: skip
            yield _kernel(mode, "weighted", (6, rows, rows), _weighted(inner), inner, batch=False)


def _borders() -> Iterator[Kernel]:
    for side, channels in _IMAGES[:_OF_EACH]:
        yield _kernel("int8", "rescaled", (side, side, channels), lambda to, x: to.rescaled(x), of="other")
        yield _kernel(
            "int8", "QUANTIZE", (side, side, channels), lambda to, x: to.converted(x, "QUANTIZE"), of="float32"
        )
        yield _kernel(
            "float32", "DEQUANTIZE", (side, side, channels), lambda to, x: to.converted(x, "DEQUANTIZE"), of="int8"
        )


def _outside() -> Iterator[Kernel]:
    """What XNNPACK may leave outside for scales, sizes or numbers of operands that it does not take."""
    kept = {
        "ADD", "MUL", "MUL channel", "ADD channel", "SUB", "SUB channel", "LOGISTIC", "MEAN", "AVERAGE_POOL_2D",
        "MAX_POOL_2D", "CONCATENATION", "PAD", "STRIDED_SLICE", "RESHAPE", "SOFTMAX", "TRANSPOSE", "TANH", "LEAKY_RELU",
        "RESIZE_BILINEAR", "SQUARED_DIFFERENCE", "SQUARED_DIFFERENCE one",
        "ADD one", "MUL one", "SUB one", "RSQRT", "MEAN last", "pointwise", "conv", "depthwise", "dense",
        "products", "weighted",
    }  # fmt: skip
    seen: Counter[tuple[str, str]] = Counter()
    for one in (*_products(), *_images(), *_sequences(every=True)):
        mode = one.id.partition(" ")[0]
        if mode in ("float32", "int8") and one.group in kept and seen[mode, one.group] < _FEW:
            seen[mode, one.group] += 1
            yield replace(one, id=f"plain {one.id}", plain=True)


def _kernel(
    mode: Mode,
    name: str,
    shape: tuple[int, ...],
    make: Make,
    *words: object,
    batch: bool = True,
    of: str = "",
) -> Kernel:
    """One kernel; ``batch`` puts an axis of 1 before the shape, ``of`` is the input's type if it is another."""

    def build() -> bytes:
        made = layers(mode)
        whole = (1, *shape) if batch else shape
        made.finish(make(made, made.raw(of, *whole) if of else made.entry(*whole)))
        return made.content()

    told = "x".join(map(str, shape)) + "".join(f"-{word}" for word in words).replace(" ", "")
    return Kernel(f"{mode} {name} {told}", name, build)
