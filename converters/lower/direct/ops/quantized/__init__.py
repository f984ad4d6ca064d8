"""Integers that stand for reals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edge_sdk.converters.lower.direct.ops.quantized import (
    grid,
    quantization,
)

OPS: Mapping[str, Callable[..., Any]] = {
    **grid.OPS,
    **quantization.OPS,
}
