"""Products of matrices, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edge_sdk.converters.lower.direct.ops.products import (
    attention,
    determinant,
    einsum,
    matmul,
    normalization,
    signal,
)

OPS: Mapping[str, Callable[..., Any]] = {
    **attention.OPS,
    **determinant.OPS,
    **einsum.OPS,
    **matmul.OPS,
    **normalization.OPS,
    **signal.OPS,
}
