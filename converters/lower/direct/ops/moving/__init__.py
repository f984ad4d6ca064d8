"""What moves, chooses, puts and orders elements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edge_sdk.converters.lower.direct.ops.moving import (
    filling,
    gather,
    running,
    scatter,
    selecting,
    shape,
    sizes,
    sorting,
)

OPS: Mapping[str, Callable[..., Any]] = {
    **filling.OPS,
    **gather.OPS,
    **running.OPS,
    **scatter.OPS,
    **selecting.OPS,
    **shape.OPS,
    **sizes.OPS,
    **sorting.OPS,
}
