"""What goes step by step: loops, branches, sequences, recurrent layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edge_sdk.converters.lower.direct.ops.steps import (
    control,
    recurrent,
    sequences,
)

OPS: Mapping[str, Callable[..., Any]] = {
    **control.OPS,
    **recurrent.OPS,
    **sequences.OPS,
}
