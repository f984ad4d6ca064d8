"""PyTorch models that choose rows by data: masks, nonzero, torchvision's nms; a file has padded rows."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

_CHOOSE = frozenset({"aten.nonzero.default", "aten.masked_select.default", "torchvision.nms.default"})


@contextlib.contextmanager
def watched() -> Iterator[list[str]]:
    """Collects the names of ops that are run and whose results have as many rows as the data says."""
    from torch.utils._python_dispatch import TorchDispatchMode

    found: list[str] = []

    class Watch(TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if str(func) in _CHOOSE or (str(func) == "aten.index.Tensor" and _has_mask(args[1])):
                found.append(str(func))
            return func(*args, **(kwargs or {}))

    with Watch():
        yield found


def _has_mask(indices: Any) -> bool:
    import torch

    return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in indices)


@contextlib.contextmanager
def as_one_graph() -> Iterator[None]:
    """Torchvision's ``batched_nms`` in the form that has no branch.

    It chooses between two ways by how many boxes there are, which one graph cannot: both keep the same boxes. The one
    that stays moves the boxes of each class apart from all others.
    """
    boxes = sys.modules.get("torchvision.ops.boxes")
    original = getattr(boxes, "batched_nms", None)
    if original is None:
        yield
        return
    holders = [module for module in list(sys.modules.values()) if _holds(module, original)]
    for module in holders:
        module.batched_nms = _batched_nms  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for module in holders:
            module.batched_nms = original  # type: ignore[attr-defined]


def _holds(module: Any, function: Any) -> bool:
    return getattr(module, "__dict__", {}).get("batched_nms") is function


def _batched_nms(boxes: Any, scores: Any, idxs: Any, iou_threshold: float) -> Any:
    import torch

    offsets = idxs.to(boxes) * (boxes.max() + 1)
    return torch.ops.torchvision.nms(boxes + offsets[:, None], scores, iou_threshold)
