"""What is computed of one element at a time, and of all along an axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edge_sdk.converters.lower.direct.ops.arithmetic import (
    activation,
    elementwise,
    integers,
    powers,
    reduction,
    trigonometry,
)

OPS: Mapping[str, Callable[..., Any]] = {
    **activation.OPS,
    **elementwise.OPS,
    **integers.OPS,
    **powers.OPS,
    **reduction.OPS,
    **trigonometry.OPS,
}
