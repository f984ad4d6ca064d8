"""Which tensors have one scale because TFLite's integer kernels want it so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

MOVING = frozenset(
    {
        "BATCH_TO_SPACE_ND", "BROADCAST_TO", "CONCATENATION", "DEPTH_TO_SPACE", "EXPAND_DIMS", "GATHER", "GATHER_ND",
        "MAXIMUM", "MAX_POOL_2D", "MINIMUM", "MIRROR_PAD", "PACK", "PAD", "PADV2", "REDUCE_MAX", "REDUCE_MIN",
        "RESHAPE", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "SELECT", "SELECT_V2", "SLICE", "SPACE_TO_BATCH_ND",
        "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "TILE", "TRANSPOSE", "UNPACK",
    }
)  # fmt: skip
"""Ops whose results are values of their operands: on the same grid nothing is rounded."""


AVERAGING = frozenset({"AVERAGE_POOL_2D", "RESIZE_BILINEAR"})
"""Ops that keep their operand's scale too, but round: halves away from zero, in integers."""


FIXED: Mapping[str, tuple[float, int]] = MappingProxyType(
    {
        "LOGISTIC": (1 / 256, -128),
        "SOFTMAX": (1 / 256, -128),
        "TANH": (1 / 128, 0),
        "LOG_SOFTMAX": (16 / 256, 127),
        "L2_NORMALIZATION": (1 / 128, 0),
    }
)
"""Ops whose result has the scale and zero point that TFLite's quantization specification gives it in int8."""


class Ties:
    """Sets of tensors that share a scale."""

    def __init__(self, items: Iterable[int]) -> None:
        self._root = {item: item for item in items}

    def __contains__(self, item: int) -> bool:
        return item in self._root

    def join(self, one: int, other: int) -> None:
        """Makes two sets one."""
        self._root[self._find(one)] = self._find(other)

    def members(self) -> list[tuple[int, ...]]:
        """All sets."""
        found: dict[int, list[int]] = {}
        for item in self._root:
            found.setdefault(self._find(item), []).append(item)
        return [tuple(part) for part in found.values()]

    def _find(self, item: int) -> int:
        while self._root[item] != item:
            item = self._root[item]
        return item
