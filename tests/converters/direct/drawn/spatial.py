"""Steps of windows over one to three axes, and of images that grow and shrink."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.converters.direct.drawn.chain import EXTENTS, Chain, Step, UnfitError


def _window(chain: Chain, axes: int) -> dict[str, Any]:
    """Strides, dilations and borders; each left out now and then, as exporters do."""
    given: dict[str, Any] = {}
    if chain.maybe():
        given["strides"] = [chain.number(1, 2) for _ in range(axes)]
    if not chain.number(0, 2):
        given["dilations"] = [chain.number(1, 2) for _ in range(axes)]
    form = chain.number(0, 5)
    if form == 0:
        given["auto_pad"] = chain.choose("SAME_UPPER", "SAME_LOWER", "VALID")
        given.pop("dilations", None)
    elif form > 1:
        given["pads"] = [chain.number(0, 1) for _ in range(axes)] * 2 if form < 5 else [
            chain.number(0, 1) for _ in range(2 * axes)
        ]  # fmt: skip
    return given


def _fits(image: tuple[int, ...], kernel: list[int], given: dict[str, Any]) -> bool:
    """At least one window is whole."""
    axes = len(image)
    if given.get("auto_pad", "VALID") != "VALID":
        return True
    pads, dilations = given.get("pads", [0] * 2 * axes), given.get("dilations", [1] * axes)
    sizes = zip(image, pads[:axes], pads[axes:], strict=True)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    return all(size + a + b >= r for (size, a, b), r in zip(sizes, reach, strict=True))


def _groups(chain: Chain, channels: int) -> int:
    return int(chain.choose(1, 1, *(n for n in range(2, channels + 1) if channels % n == 0)))


def _convolved(chain: Chain) -> None:
    """Whole, in groups, or each channel with several kernels."""
    axes = chain.choose(1, 2, 2, 2, 3)
    name = chain.image(axes + 2)
    _, channels, *image = chain.value(name).shape
    groups = _groups(chain, channels)
    out = groups * chain.number(1, 3)
    kernel = [chain.choose(1, 2, 3) for _ in range(axes)]
    given = _window(chain, axes)
    if not _fits(tuple(image), kernel, given):
        raise UnfitError
    inputs = [name, chain.floats(out, channels // groups, *kernel), *([chain.floats(out)] if chain.maybe() else [])]
    chain.add("Conv", inputs, exact=True, group=groups, kernel_shape=kernel, **given)


def _transposed(chain: Chain) -> None:
    axes = chain.choose(1, 2, 2, 3)
    name = chain.image(axes + 2)
    channels = chain.value(name).shape[1]
    groups = _groups(chain, channels)
    kernel = [chain.choose(1, 2, 3) for _ in range(axes)]
    given = _window(chain, axes)
    given.pop("auto_pad", None)
    if chain.maybe():
        # Less than a stride: ONNX lets it be less than a dilation too, where ONNX Runtime leaves memory as it was.
        given["output_padding"] = [chain.number(0, one - 1) for one in given.get("strides", [1] * axes)]
    weight = chain.floats(channels, chain.number(1, 3), *kernel)
    inputs = [name, weight, *([chain.floats(chain.value(weight).shape[1] * groups)] if chain.maybe() else [])]
    chain.add("ConvTranspose", inputs, exact=True, group=groups, kernel_shape=kernel, **given)


def _pooled(chain: Chain) -> None:
    """Borders smaller than the kernel; a last window that is not whole; borders that count."""
    op = chain.choose("MaxPool", "MaxPool", "AveragePool", "AveragePool", "LpPool")
    axes = chain.choose(1, 2, 2, 2, 3)
    name = chain.image(axes + 2)
    image = chain.value(name).shape[2:]
    kernel = [chain.choose(1, 2, 3) for _ in range(axes)]
    given = _window(chain, axes)
    since = {"MaxPool": 10, "AveragePool": 19, "LpPool": 18}[op]
    if chain.opset < since:
        given.pop("dilations", None)
    if op == "LpPool":
        chain.since(18)
        given["p"] = chain.choose(1, 2)
    if op == "AveragePool" and chain.maybe():
        given["count_include_pad"] = 1
    if chain.opset >= (18 if op == "LpPool" else 10) and "auto_pad" not in given and chain.maybe():
        given["ceil_mode"] = 1
    if op == "AveragePool" and ("ceil_mode" in given or chain.opset >= 19):
        # ONNX Runtime 1.23 counts what lies behind the border too, and since op set 19 forgets the border behind.
        given.pop("count_include_pad", None)
    pads = given.get("pads", [0] * 2 * axes)
    if not _fits(image, kernel, given) or any(p >= k for p, k in zip(pads, kernel * 2, strict=True)):
        raise UnfitError
    chain.add(op, [name], exact=op == "MaxPool", kernel_shape=kernel, **given)


def _pooled_whole(chain: Chain) -> None:
    name = chain.pick(least=3)
    op = chain.choose("GlobalAveragePool", "GlobalMaxPool")
    chain.add(op, [name], exact=op == "GlobalMaxPool")


_COORDINATES = ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")


def _resized(chain: Chain) -> None:
    """All modes and ways to count, by scales or by sizes."""
    chain.since(11)
    name = chain.image(chain.choose(3, 4, 4, 4, 5))
    shape = chain.value(name).shape
    mode = chain.choose("nearest", "nearest", "linear", "linear", "cubic")
    if mode == "cubic" and len(shape) != 4:
        raise UnfitError
    given: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": chain.choose(*_COORDINATES)}
    if mode == "nearest":
        given["nearest_mode"] = chain.choose("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    elif mode == "cubic":
        given["cubic_coeff_a"] = chain.choose(-0.75, -0.5)
        given["exclude_outside"] = int(chain.maybe())
    if chain.opset >= 18 and mode != "nearest" and chain.maybe():
        given["antialias"] = 1
    empty = chain.known(np.zeros(0, np.float32)) if chain.opset < 13 else ""
    if chain.maybe():
        # Powers of two: scales whose sizes no rounding decides.
        scales = [1.0, 1.0, *(chain.choose(1.0, 2.0, 3.0, *([0.5] if size % 2 == 0 else [])) for size in shape[2:])]
        inputs = [name, empty, chain.known(np.array(scales, np.float32))]
    else:
        sizes = [*shape[:2], *(chain.number(1, 6) for _ in shape[2:])]
        inputs = [name, empty, empty, chain.numbers(*sizes)]
    chain.add("Resize", inputs, **given, exact=mode == "nearest")


def _grown(chain: Chain) -> None:
    """What older exporters wrote."""
    if chain.opset not in (9, 10):
        raise UnfitError
    name = chain.image()
    scales = np.array([1, 1, chain.number(1, 3), chain.number(1, 3)], np.float32)
    op = "Upsample" if chain.opset == 9 else "Resize"
    chain.add(op, [name, chain.known(scales)], exact=True, mode="nearest")


def _sampled(chain: Chain) -> None:
    chain.since(20)
    name = chain.image()
    batch = chain.value(name).shape[0]
    rng = np.random.default_rng(chain.number(0, 99))
    # Odd sixty-fourths: no place lies half-way between two cells, and float16 has them all.
    grid = (rng.integers(-38, 38, (batch, chain.draw(EXTENTS), chain.draw(EXTENTS), 2)) * 2 + 1) / 64
    given = {"mode": chain.choose("linear", "nearest"), "padding_mode": chain.choose("zeros", "border", "reflection"),
             "align_corners": int(chain.maybe())}  # fmt: skip
    chain.add("GridSample", [name, chain.known(grid.astype(np.float32), also_fed=True)], **given)


STEPS: tuple[Step, ...] = (
    _convolved, _convolved, _convolved, _convolved, _transposed, _pooled, _pooled, _pooled_whole, _resized, _resized,
    _grown, _sampled,
)  # fmt: skip
