"""One function for each ONNX op, in one file for each family; an op is added in its family's table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edge_sdk.converters.lower.direct.ops import (
    activation,
    attention,
    control,
    convolution,
    convolution_transposed,
    deformable,
    determinant,
    einsum,
    elementwise,
    filling,
    gather,
    grid,
    grid_sample,
    integers,
    matmul,
    normalization,
    pooling,
    powers,
    recurrent,
    reduction,
    regions,
    resize,
    running,
    scatter,
    shape,
    signal,
    sorting,
    trigonometry,
)

OPS: Mapping[str, Callable[..., Any]] = {
    **activation.OPS,
    **attention.OPS,
    **control.OPS,
    **convolution.OPS,
    **convolution_transposed.OPS,
    **deformable.OPS,
    **determinant.OPS,
    **einsum.OPS,
    **elementwise.OPS,
    **filling.OPS,
    **gather.OPS,
    **grid.OPS,
    **grid_sample.OPS,
    **integers.OPS,
    **matmul.OPS,
    **normalization.OPS,
    **pooling.OPS,
    **powers.OPS,
    **recurrent.OPS,
    **reduction.OPS,
    **regions.OPS,
    **resize.OPS,
    **running.OPS,
    **scatter.OPS,
    **shape.OPS,
    **signal.OPS,
    **sorting.OPS,
    **trigonometry.OPS,
}
"""ONNX's name of an op to its form: ``(builder, node) -> value`` or several values."""
