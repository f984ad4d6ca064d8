"""GridSample and AffineGrid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Tensor
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.spatial.taps import LINEAR, Interpolation, Maths, cubic, sampled
from edge_sdk.converters.lower.direct.ops.windows import image_tensor, image_value
from edge_sdk.converters.lower.direct.value import Value

_MODES: dict[str, Interpolation | None] = {
    "bicubic": cubic(-0.75),
    "bilinear": LINEAR,
    "cubic": cubic(-0.75),
    "linear": LINEAR,
    "nearest": None,
}


def _grid_sample(builder: Builder, node: Node) -> Value:
    x, grid = node.input(0), node.input(1)
    mode = str(node.attribute("mode", "linear"))
    if mode not in _MODES:
        raise NoFormError(f"the mode `{mode}`")
    corners = bool(node.attribute("align_corners", 0))
    image = image_tensor(builder, x)
    places = _in_elements(builder, grid, image.shape[1:-1], corners=corners)
    padding = str(node.attribute("padding_mode", "zeros"))
    made = sampled(builder, image, places, _MODES[mode], padding, corners=corners)
    return image_value(builder.reshaped(made, (x.shape[0], *grid.shape[1:-1], x.shape[1])))


def _in_elements(builder: Builder, grid: Value, space: tuple[int, ...], *, corners: bool) -> list[Tensor]:
    """``[N, *places, axes]`` from -1 to 1, the last spatial axis first, as ``[N, 1, P]`` for each axis in order.

    The steps are PyTorch's, so that ties of nearest fall as they do there.
    """
    maths = Maths(builder)
    rank = len(space)
    tensor = builder.arranged(grid, (0, rank + 1, *range(1, rank + 1)))
    count = int(np.prod(grid.shape[1:-1]))
    rows = builder.reshaped(tensor, (grid.shape[0], rank, count))
    sizes = np.array(space[::-1], np.float64)[None, :, None]
    places = maths.two("MUL", maths.two("ADD", rows, 1.0), (sizes - 1 if corners else sizes) / 2)
    if not corners:
        places = maths.two("SUB", places, 0.5)
    shape = ((grid.shape[0], 1, count), places.dtype)
    parts = builder.emit_many("SPLIT", [builder.constant(1, "int32"), places], [shape] * rank, num_splits=rank)
    return list(parts[::-1])


def _affine_grid(builder: Builder, node: Node) -> Value:
    """``theta @ [x, y, 1]`` for every element of the image, from -1 to 1."""
    theta = node.input(0)
    space = [int(n) for n in node.constant(1, "the extents")][2:]
    base = _base_grid(space, corners=bool(node.attribute("align_corners", 0)))
    left = builder.constant(base[None], "float32")
    batch, axes = theta.shape[0], len(space)
    tensor = builder.arranged(theta)
    shape = (batch, base.shape[0], axes)
    made = builder.emit("BATCH_MATMUL", [left, tensor], shape, tensor.dtype, adj_x=False, adj_y=True)
    whole = (batch, *space, axes)
    return Value(builder.reshaped(made, whole), tuple(range(len(whole))))


def _base_grid(space: list[int], *, corners: bool) -> npt.NDArray[np.float64]:
    """``[P, axes + 1]``: the last axis' coordinate first, a 1 behind all."""
    axes = []
    for size in space:
        centres = (2 * np.arange(size) + 1) / size - 1
        axes.append(np.linspace(-1, 1, size) if corners and size > 1 else centres * (not corners))
    grid = np.meshgrid(*axes, indexing="ij")
    return np.stack([*(g.reshape(-1) for g in grid[::-1]), np.ones(grid[0].size)], 1)


OPS = {"AffineGrid": _affine_grid, "GridSample": _grid_sample}
