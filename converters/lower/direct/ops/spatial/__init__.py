"""What looks at neighbours in space: convolutions, pools, samples, boxes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edge_sdk.converters.lower.direct.ops.spatial import (
    borders,
    boxes,
    convolution,
    convolution_transposed,
    deformable,
    grid_sample,
    local_response,
    pooling,
    regions,
    resize,
)

OPS: Mapping[str, Callable[..., Any]] = {
    **borders.OPS,
    **boxes.OPS,
    **convolution.OPS,
    **convolution_transposed.OPS,
    **deformable.OPS,
    **grid_sample.OPS,
    **local_response.OPS,
    **pooling.OPS,
    **regions.OPS,
    **resize.OPS,
}
