"""Wide windows taken apart: which rows and columns of one make a narrow one, and what that reads and pads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

MOST_TAPS = 25
"""Of a depthwise kernel of XNNPACK's: ``src/configs/dwconv-config.c``."""


@dataclass(frozen=True)
class Steps:
    """Rows, or columns, of a window: ``count`` of them from ``first``, ``step`` apart."""

    first: int
    count: int
    step: int = 1

    @property
    def places(self) -> range:
        """Which they are."""
        return range(self.first, self.first + self.count * self.step, self.step)

    @property
    def reach(self) -> int:
        """From the first to the last."""
        return (self.count - 1) * self.step


@dataclass(frozen=True)
class Part:
    """A narrow window inside a wide one."""

    rows: Steps
    columns: Steps


def about_middle(size: int, most: int) -> tuple[Steps, ...] | None:
    """Rows of a window, each once, in the fewest groups of at most ``most`` that lie evenly about its middle.

    None where there are no such groups, of one row each for one.
    """
    return _groups(frozenset(range(size)), size, most)


@cache
def _groups(left: frozenset[int], size: int, most: int) -> tuple[Steps, ...] | None:
    if not left:
        return ()
    first = min(left)
    reach = size - 1 - 2 * first
    whole = [Steps(first, 1)] if reach == 0 else []
    whole += [Steps(first, count, reach // (count - 1)) for count in range(2, most + 1) if reach % (count - 1) == 0]
    found = []
    for taken in whole:
        rest = None
        if taken.step and left.issuperset(taken.places):
            rest = _groups(left.difference(taken.places), size, most)
        if rest is not None:
            found.append((taken, *rest))
    return min(found, key=len, default=None)


def in_blocks(size: int, most: int) -> tuple[Steps, ...]:
    """Rows of a window in the fewest groups of neighbours, as even as they can be."""
    count = -(-size // most)
    ends = [size * place // count for place in range(count + 1)]
    return tuple(Steps(begin, end - begin) for begin, end in pairwise(ends))


@cache
def parts_of_window(height: int, width: int, *, sliced: bool) -> tuple[Part, ...]:
    """Narrow windows that are a wide one together: the fewest, and of those the fewest taps that kernels compute.

    Args:
        height: rows of the wide one.
        width: its columns.
        sliced: whether parts may be blocks that read a slice; else they lie about the middle.
    """
    groups = in_blocks if sliced else about_middle
    found = []
    for most in range(1, min(width, MOST_TAPS) + 1):
        pairs = [(columns, groups(height, MOST_TAPS // columns.count)) for columns in groups(width, most) or ()]
        if pairs and all(rows is not None for _, rows in pairs):
            found.append(tuple(Part(one, columns) for columns, rows in pairs for one in rows or ()))
    return min(found, key=lambda parts: (len(parts), sum(_computed(one) for one in parts)))


def _computed(part: Part) -> int:
    """Taps of the kernel that computes a part."""
    return 9 if part.rows.count * part.columns.count <= 9 else MOST_TAPS


@dataclass(frozen=True)
class Side:
    """Rows, or columns, of an op: of its operand, its window and its result."""

    data: int
    window: int
    result: int
    stride: int
    dilation: int
    same: bool

    @property
    def border(self) -> tuple[int, int]:
        """What is padded before and after."""
        return self._around(self.window) if self.same else (0, 0)

    def _around(self, window: int) -> tuple[int, int]:
        total = max((self.result - 1) * self.stride + (window - 1) * self.dilation + 1 - self.data, 0)
        return total // 2, total - total // 2

    def stays(self, steps: Steps) -> bool:
        """Whether SAME puts a part where it is in the whole window."""
        return self._around(steps.reach + 1)[0] + steps.first * self.dilation == self.border[0]

    def reached(self, steps: Steps) -> int:
        """How many rows of the operand a part reads, from its first to its last."""
        return (self.result - 1) * self.stride + steps.reach * self.dilation + 1
