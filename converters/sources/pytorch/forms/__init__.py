"""ONNX forms of ATen ops for which PyTorch's exporter has none: one function for each, with ATen's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edge_sdk.converters.sources.pytorch.forms import (
    counting,
    distances,
    experts,
    pools,
    ranking,
    regions,
    running,
    sampling,
)

_FORMS: dict[str, Callable[..., Any]] = {
    "_adaptive_avg_pool3d.default": pools.adaptive_mean_3d,
    "_cdist_forward.default": distances.between,
    "_grouped_mm.default": experts.grouped,
    "_pdist_forward.default": distances.within,
    "_trilinear.default": experts.trilinear,
    "adaptive_max_pool2d.default": pools.adaptive_max,
    "adaptive_max_pool3d.default": pools.adaptive_max,
    "cummax.default": running.running_most,
    "cummin.default": running.running_least,
    "cumprod.default": running.running_product,
    "grid_sampler_3d.default": sampling.grid_sampled_3d,
    "histc.default": counting.histogram,
    "kthvalue.default": ranking.ranked,
    "median.default": ranking.middle_of_all,
    "median.dim": ranking.middle,
    "searchsorted.Tensor": counting.searched,
}
_OF_TORCHVISION: dict[str, Callable[..., Any]] = {
    "ps_roi_align": regions.aligned_own,
    "ps_roi_pool": regions.means_own,
    "roi_pool": regions.maxima,
}


def translations() -> dict[Any, Callable[..., Any]]:
    """What ``torch.onnx.export`` takes as ``custom_translation_table``."""
    import torch

    forms = {_overload(torch.ops.aten, name): form for name, form in _FORMS.items()}
    # Transformers' own op for the same, registered as its first mixture of experts is loaded.
    if hasattr(torch.ops.transformers, "grouped_mm_fallback"):
        forms[torch.ops.transformers.grouped_mm_fallback.default] = experts.grouped
    # Registered as torchvision is loaded, by whoever made the module.
    known = torch.ops.torchvision
    forms |= {getattr(known, name).default: form for name, form in _OF_TORCHVISION.items() if hasattr(known, name)}
    return forms


def _overload(ops: Any, name: str) -> Any:
    packet, overload = name.split(".")
    return getattr(getattr(ops, packet), overload)
