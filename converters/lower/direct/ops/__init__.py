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
    elementwise,
    grid,
    grid_sample,
    indexing,
    matmul,
    normalization,
    pooling,
    powers,
    recurrent,
    reduction,
    regions,
    resize,
    shape,
    signal,
)

OPS: Mapping[str, Callable[..., Any]] = {
    **activation.OPS,
    **attention.OPS,
    **control.OPS,
    **convolution.OPS,
    **convolution_transposed.OPS,
    **deformable.OPS,
    **elementwise.OPS,
    **grid_sample.OPS,
    **grid.OPS,
    **indexing.OPS,
    **matmul.OPS,
    **normalization.OPS,
    **pooling.OPS,
    **powers.OPS,
    **recurrent.OPS,
    **reduction.OPS,
    **regions.OPS,
    **resize.OPS,
    **shape.OPS,
    **signal.OPS,
}
"""ONNX's name of an op to its form: ``(builder, node) -> value`` or several values."""
