"""Windows that slide over space: what convolutions and pools have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.value import Value, channels_last


@dataclass(frozen=True)
class Window:
    """A window over the spatial axes, in their order.

    Attributes:
        kernel: extents.
        strides: steps.
        dilations: distance of the kernel's elements.
        begins: padding before each axis.
        ends: padding after it.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begins: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def reach(self) -> tuple[int, ...]:
        """Extents of the window with its gaps."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    def part(self, axes: slice) -> Window:
        """The window over some of the axes."""
        return Window(self.kernel[axes], self.strides[axes], self.dilations[axes], self.begins[axes], self.ends[axes])

    def under_height(self) -> Window:
        """With one more axis before the others, of extent 1."""
        return Window((1, *self.kernel), (1, *self.strides), (1, *self.dilations), (0, *self.begins), (0, *self.ends))

    @property
    def is_dilated(self) -> bool:
        """Whether its elements have gaps."""
        return any(d != 1 for d, k in zip(self.dilations, self.kernel, strict=True) if k > 1)

    @property
    def is_padded(self) -> bool:
        """Whether it reaches beyond the image."""
        return any(self.begins) or any(self.ends)

    def extents(self, image: Sequence[int]) -> tuple[int, ...]:
        """How often the window fits, per axis."""
        rows = zip(image, self.reach, self.strides, self.begins, self.ends, strict=True)
        return tuple((size + begin + end - reach) // stride + 1 for size, reach, stride, begin, end in rows)

    def same_pads(self, image: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What TFLite's SAME would pad before and after each axis."""
        needed = [
            max((-(-size // stride) - 1) * stride + reach - size, 0)
            for size, stride, reach in zip(image, self.strides, self.reach, strict=True)
        ]
        return tuple(n // 2 for n in needed), tuple(n - n // 2 for n in needed)

    def is_same(self, image: Sequence[int]) -> bool:
        """Whether SAME says just this padding, on an engine that computes it right.

        XNNPACK of ai-edge-litert 2.1.0 errs on SAME where a stride is beyond the kernel.
        """
        if any(stride > reach for stride, reach in zip(self.strides, self.reach, strict=True)):
            return False
        return self.same_pads(image) == (self.begins, self.ends)


def window_of(node: Node, image: Sequence[int], kernel: Sequence[int]) -> Window:
    """The window that a node's attributes describe.

    Args:
        node: with ``strides``, ``dilations``, ``pads`` and ``auto_pad``.
        image: extents of the spatial axes.
        kernel: extents of the kernel.
    """
    count = len(kernel)
    strides = _filled(node, "strides", count)
    dilations = _filled(node, "dilations", count)
    window = Window(tuple(kernel), strides, dilations, (0,) * count, (0,) * count)
    auto = node.attribute("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        begins, ends = _same_pads(window, image, node)
        return Window(tuple(kernel), strides, dilations, begins, ends)
    pads = [0] * 2 * count if auto == "VALID" else [int(p) for p in node.attribute("pads", [0] * 2 * count)]
    if len(pads) != 2 * count:
        raise NoFormError(f"{len(pads)} pads for {count} spatial axes")
    return Window(tuple(kernel), strides, dilations, tuple(pads[:count]), tuple(pads[count:]))


def _same_pads(window: Window, image: Sequence[int], node: Node) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """ONNX's SAME: unlike TFLite's it cuts the image where a stride is beyond the kernel.

    What is cut follows ONNX Runtime, whose convolutions cut one element less than its pools.
    """
    rows = zip(image, window.strides, window.reach, strict=True)
    needed = [(-(-size // stride) - 1) * stride + reach - size for size, stride, reach in rows]
    needed = [n + 1 if n < 0 and node.op == "Conv" else n for n in needed]
    later = node.attribute("auto_pad") == "SAME_UPPER"
    begins = tuple(int(n / 2) if later else int((n + 1) / 2) for n in needed)
    # What is left over behind the last window needs no cutting.
    return begins, tuple(max(n - b, 0) for n, b in zip(needed, begins, strict=True))


def _filled(node: Node, name: str, count: int) -> tuple[int, ...]:
    given = [int(v) for v in node.attribute(name, [])]
    if given and len(given) != count:
        raise NoFormError(f"{len(given)} {name} for {count} spatial axes")
    return tuple(given or [1] * count)


def image_tensor(builder: Builder, value: Value) -> Tensor:
    """The value with its channels last."""
    return builder.arranged(value, channels_last(value.rank))


def image_value(tensor: Tensor) -> Value:
    """A result with its channels last."""
    return Value(tensor, channels_last(len(tensor.shape)), spatial=True)


def padded(builder: Builder, image: Tensor, window: Window, number: float | None = None) -> Tensor:
    """The channels-last image with the window's padding written out; negative pads cut."""
    begins, ends = (0, *window.begins, 0), (0, *window.ends, 0)
    image = cropped(builder, image, [max(-b, 0) for b in begins], [max(-e, 0) for e in ends])
    return pad(builder, image, [max(b, 0) for b in begins], [max(e, 0) for e in ends], number)


def pad(builder: Builder, tensor: Tensor, begins: Sequence[int], ends: Sequence[int], number: Any = None) -> Tensor:
    """A tensor with borders of zeros, or of a number."""
    if not any(begins) and not any(ends):
        return tensor
    rows = builder.constant(np.array([begins, ends], np.int32).T)
    shape = [size + b + e for size, b, e in zip(tensor.shape, begins, ends, strict=True)]
    if number is None or number == 0:
        return builder.emit("PAD", [tensor, rows], shape)
    return builder.emit("PADV2", [tensor, rows, builder.constant(np.asarray(number, tensor.dtype))], shape)


def cropped(builder: Builder, tensor: Tensor, begins: Sequence[int], ends: Sequence[int]) -> Tensor:
    """A tensor without its borders."""
    if not any(begins) and not any(ends):
        return tensor
    shape = [size - b - e for size, b, e in zip(tensor.shape, begins, ends, strict=True)]
    return builder.emit("SLICE", [tensor, builder.constant(begins, "int32"), builder.constant(shape, "int32")], shape)


def in_planes(
    builder: Builder, image: Tensor, window: Window, plane: Callable[[Builder, Tensor, Window, slice], Tensor]
) -> Tensor:
    """What can be said axis by axis, said by ops on images: two axes at a time, the last ones first.

    Args:
        builder: what makes ops.
        image: ``[N, *space, C]``, any number of spatial axes.
        window: over all of them.
        plane: makes an image ``[N, H, W, C]`` of one; gets the window over its axes, and which they are.
    """
    count = len(window.kernel)
    axes = slice(max(count - 2, 0), count)
    part = window.part(axes)
    lead, space, channels = image.shape[: axes.start + 1], image.shape[axes.start + 1 : -1], image.shape[-1]
    if count == 1:
        part, space = part.under_height(), (1, *space)
    made = plane(builder, builder.reshaped(image, (int(np.prod(lead)), *space, channels)), part, axes)
    extents = made.shape[1:3] if count > 1 else made.shape[2:3]
    if count <= 2:
        return builder.reshaped(made, (*lead, *extents, channels))
    # The axes that are done are channels to the others.
    rest = builder.reshaped(made, (*lead, int(np.prod(extents)) * channels))
    outer = in_planes(builder, rest, window.part(slice(0, count - 2)), plane)
    return builder.reshaped(outer, (*outer.shape[:-1], *extents, channels))
