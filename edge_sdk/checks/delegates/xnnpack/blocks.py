"""What the C library takes for a block (glibc on a 64-bit machine)."""

from __future__ import annotations

_MAPPED = 128 << 10
_PAGE = 4096
_LEAST = 32
# ``std::unordered_map`` of libstdc++ has so many buckets, the first that are no fewer than its elements.
_BUCKETS = (13, 29, 59, 127, 257, 541, 1109, 2357, 5087, 10273)
_POINTER = 8
# Mean of 971 blocks aligned to 64 bytes: 32 more where what lies before it is too small to be a block.
_ALIGNED = 8


def heap_block(size: int) -> int:
    """Whole pages from 128 KiB on, else 16 bytes more or less."""
    if size >= _MAPPED:
        return -(-(size + 16) // _PAGE) * _PAGE
    return max(_LEAST, -(-(size + 8) // 16) * 16) if size else 0


def aligned_block(size: int, alignment: int) -> int:
    """Likewise, at a multiple of ``alignment``."""
    return heap_block(size) + (_ALIGNED if alignment > 16 and size else 0)


def grown_block(size: int, count: int) -> int:
    """``std::vector`` to which ``count`` elements were added one by one."""
    return heap_block(size * (1 << max(0, count - 1).bit_length())) if count else 0


def bucket_block(elements: int) -> int:
    """The table of a ``std::unordered_map``, without its elements."""
    return heap_block(_POINTER * next((one for one in _BUCKETS if one >= elements), 2 * elements))
