"""Samples of a volume."""

from __future__ import annotations

from typing import Any

from edge_sdk.converters.sources.pytorch.forms.constants import opset

_MODES, _BORDERS = ("linear", "nearest", "cubic"), ("zeros", "border", "reflection")


def grid_sampled_3d(input: Any, grid: Any, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Any:
    """``torch.nn.functional.grid_sample`` of ``[N, C, D, H, W]`` at ``[N, D', H', W', 3]``."""
    op = opset()
    return op.GridSample(
        input,
        grid,
        mode=_MODES[interpolation_mode],
        padding_mode=_BORDERS[padding_mode],
        align_corners=int(align_corners),
    )
