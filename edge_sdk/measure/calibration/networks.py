"""Small networks that are timed beside the kernels: what ops cost among others, and how far a sum of kernels is off.

Each is a stack of one published kind of block, of widths drawn from a seed. A kernel alone finds its weights and values
in the nearest cache; in a network it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from edge_sdk.measure.calibration.kernels import Kernel
from edge_sdk.measure.calibration.layers import Layers, Mode, layers

_MODES: tuple[Mode, ...] = ("float32", "int8", "hybrid")
_SIDES = ((64, 16), (128, 24), (160, 40))
"""Side of the image and width of the first layer: of a small, a middling and a larger network."""


def networks() -> Iterator[Kernel]:
    """All of them; those of one kind of block are a group."""
    for mode in _MODES:
        for size, (side, width) in enumerate(_SIDES):
            for kind, make in BLOCKS.items():
                yield _network(mode, kind, make, side, width, seed=size)
    side, width = _SIDES[1]
    yield from (_network("float16", kind, make, side, width, seed=1) for kind, make in BLOCKS.items())


def _network(
    mode: Mode, kind: str, make: Callable[[Layers, int, int], int], side: int, width: int, *, seed: int
) -> Kernel:
    def build() -> bytes:
        made = layers(mode, seed)
        last = make(made, made.entry(1, side, side, 3), width)
        made.finish(made.dense(made.mean(last, (1, 2), keep=False), 1000))
        return made.content()

    return Kernel(f"{mode} network {kind} {side} {width}", f"network {kind}", build)


def _channels(made: Layers, near: float) -> int:
    """A multiple of 8, a quarter up or down."""
    return max(8, round(near * float(np.exp(made.draw.uniform(-0.25, 0.25))) / 8) * 8)


def _inverted(made: Layers, x: int, width: int) -> int:
    """MobileNetV2's."""
    x = made.conv(x, width, 3, 2, "RELU6")
    for stage, (repeats, stride) in enumerate(((1, 2), (3, 2), (3, 2), (2, 2))):
        channels = _channels(made, width * 1.6**stage)
        for place in range(repeats):
            inner = made.depthwise(made.conv(x, 6 * made.made.shape(x)[-1], act="RELU6"), 3, 1 if place else stride)
            inner = made.conv(inner, channels, act="NONE")
            x = made.binary("ADD", inner, x) if place else inner
    return x


def _squeezed(made: Layers, x: int, width: int) -> int:
    """MobileNetV3's and EfficientNet's: 5 x 5 windows, squeeze and excitation, hard swish."""
    x = made.unary("HARD_SWISH", made.conv(x, width, 3, 2, "NONE"))
    for stage, (repeats, stride) in enumerate(((1, 2), (2, 2), (2, 2), (2, 2))):
        channels = _channels(made, width * 1.6**stage)
        for place in range(repeats):
            wide = made.unary("HARD_SWISH", made.conv(x, 4 * made.made.shape(x)[-1], act="NONE"))
            wide = made.unary("HARD_SWISH", made.depthwise(wide, 5, 1 if place else stride, "NONE"))
            inner = made.conv(_excited(made, wide), channels, act="NONE")
            x = made.binary("ADD", inner, x) if place else inner
    return x


def _excited(made: Layers, x: int) -> int:
    channels = made.made.shape(x)[-1]
    small = made.conv(made.mean(x, (1, 2)), max(8, channels // 16 * 4))
    return made.binary("MUL", x, made.unary("LOGISTIC", made.conv(small, channels, act="NONE")))


def _residual(made: Layers, x: int, width: int) -> int:
    """ResNet's bottleneck."""
    x = made.pool("MAX_POOL_2D", made.conv(x, 2 * width, 7, 2), 3, 2)
    for stage in range(3):
        channels = _channels(made, 2 * width * 2**stage)
        x = _shortcut(made, x, 4 * channels, 2 if stage else 1)
        for _ in range(2):
            inner = made.conv(made.conv(x, channels), channels, 3)
            x = made.binary("ADD", made.conv(inner, 4 * channels, act="NONE"), x, "RELU")
    return x


def _shortcut(made: Layers, x: int, channels: int, stride: int) -> int:
    inner = made.conv(made.conv(x, channels // 4), channels // 4, 3, stride)
    other = made.conv(x, channels, 1, stride, "NONE")
    return made.binary("ADD", made.conv(inner, channels, act="NONE"), other, "RELU")


def _plain(made: Layers, x: int, width: int) -> int:
    """VGG's."""
    for stage in range(4):
        channels = _channels(made, 2 * width * 2**stage if stage < 3 else 8 * width)
        x = made.conv(made.conv(x, channels, 3), channels, 3)
        x = made.pool("MAX_POOL_2D", x, 2, 2)
    return x


def _dense(made: Layers, x: int, width: int) -> int:
    """DenseNet's: what is concatenated grows by 32 at a time, scaled and shifted each time."""
    x = made.pool("MAX_POOL_2D", made.conv(x, 2 * width, 3, 2), 3, 2)
    for stage in range(3):
        for _ in range(4):
            inner = made.conv(_normed(made, x), 128)
            x = made.concat([x, made.conv(inner, 32, 3, act="NONE")])
        if stage < 2:
            x = made.pool("AVERAGE_POOL_2D", made.conv(_normed(made, x), _channels(made, 64), act="NONE"), 2, 2)
    return x


def _normed(made: Layers, x: int) -> int:
    return made.scaled("ADD", made.scaled("MUL", x), "RELU")


def _separable(made: Layers, x: int, width: int) -> int:
    """Xception's and MobileNet's."""
    x = made.conv(x, width, 3, 2)
    for stage in range(4):
        channels = _channels(made, width * 2 ** (stage + 1))
        x = made.conv(made.depthwise(x, 3, 2 if stage else 1, "RELU"), channels)
        for _ in range(2):
            inner = made.conv(made.depthwise(x, 3, 1, "NONE"), channels)
            x = made.binary("ADD", made.conv(made.depthwise(inner, 3, 1, "NONE"), channels, act="NONE"), x, "RELU")
    return x


def _branches(made: Layers, x: int, width: int) -> int:
    """Inception's."""
    x = made.pool("MAX_POOL_2D", made.conv(made.conv(x, width, 3, 2), 2 * width, 3), 3, 2)
    for stage in range(3):
        channels = _channels(made, 2 * width * 1.5**stage)
        for _ in range(2):
            narrow, long = made.conv(x, channels), made.conv(x, channels // 8 * 4)
            long = made.conv(made.conv(long, channels, (1, 7)), channels, (7, 1))
            pooled = made.conv(made.pool("AVERAGE_POOL_2D", x, 3, 1), channels // 8 * 4)
            x = made.concat([narrow, made.conv(made.conv(x, channels // 8 * 4), channels, 3), long, pooled])
        x = made.pool("MAX_POOL_2D", x, 3, 2) if stage < 2 else x
    return x


def _hourglass(made: Layers, x: int, width: int) -> int:
    """U-Net's."""
    width, kept = width // 2 // 8 * 8 or 8, []
    for level in range(3):
        x = made.conv(made.conv(x, width << level, 3), width << level, 3)
        kept.append(x)
        x = made.pool("MAX_POOL_2D", x, 2, 2)
    x = made.conv(x, width << 3, 3)
    for level in reversed(range(3)):
        wide = made.transposed(x, width << level, 2, 2) if level % 2 else made.resize("RESIZE_BILINEAR", x, 2)
        x = made.conv(made.concat([wide, kept[level]]), width << level, 3)
    return x


def _attention(made: Layers, x: int, width: int) -> int:
    """A vision transformer's."""
    width, heads = 64 * (width // 8), width // 8
    x = made.conv(x, width, 16, 16, "NONE", "VALID")
    _, side, _, _ = made.made.shape(x)
    x = made.reshape(x, 1, side * side, width)
    for _ in range(3):
        x = made.binary("ADD", x, _attended(made, x, heads))
        x = made.binary("ADD", x, made.dense(made.unary("GELU", made.dense(_centred(made, x), 4 * width)), width))
    return made.reshape(x, 1, side, side, width)


def _attended(made: Layers, x: int, heads: int) -> int:
    _, rows, width = made.made.shape(x)
    y = _centred(made, x)
    parts = []
    for _ in range(3):
        split = made.reshape(made.dense(y, width), 1, rows, heads, width // heads)
        parts.append(made.transpose(split, 0, 2, 1, 3))
    weights = made.softmax(made.matmul(parts[0], parts[1], transposed=True))
    if made.mode == "int8":
        weights = made.rescaled(weights)
    together = made.transpose(made.matmul(weights, parts[2]), 0, 2, 1, 3)
    return made.dense(made.reshape(together, 1, rows, width), width)


def _centred(made: Layers, x: int) -> int:
    """A layer norm, as converters write it."""
    mean = made.mean(x, (2,))
    centred = made.binary("SUB", x, mean)
    if made.mode == "int8":
        return made.scaled("ADD", made.scaled("MUL", centred))
    spread = made.mean(made.binary("SQUARED_DIFFERENCE", x, mean), (2,))
    return made.scaled("ADD", made.scaled("MUL", made.binary("MUL", centred, made.unary("RSQRT", spread))))


def _modern(made: Layers, x: int, width: int) -> int:
    """ConvNeXt's: 7 x 7 windows, layer norms, wide products in between."""
    width = 2 * width
    x = made.conv(x, width, 4, 4, "NONE", "VALID")
    for stage in range(3):
        if stage:
            width = 2 * width
            x = made.conv(x, width, 2, 2, "NONE", "VALID")
        for _ in range(2):
            y = made.depthwise(x, 7, 1, "NONE")
            y = made.dense(made.unary("GELU", made.dense(y, 4 * width)), width)
            x = made.binary("ADD", x, made.scaled("MUL", y))
    return x


BLOCKS: dict[str, Callable[[Layers, int, int], int]] = {
    "inverted": _inverted,
    "squeezed": _squeezed,
    "residual": _residual,
    "plain": _plain,
    "dense": _dense,
    "separable": _separable,
    "branches": _branches,
    "hourglass": _hourglass,
    "attention": _attention,
    "modern": _modern,
}
