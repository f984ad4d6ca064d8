"""How the engines order tensors that the arena planner's comparison calls equal.

TFLite collects a step's tensors in a ``std::unordered_set<int>`` and sorts them with ``std::sort``, which may leave
equals in any order. That order decides offsets, so it is *predicted* for GNU's libstdc++, with which the released Linux
engines are linked. With another library the arena may come out slightly larger or smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any

_FIRST_BUCKETS = 13
_SMALL = 16


def hashed(values: Iterable[int]) -> list[int]:
    """Distinct values as a hash set hands them out after they went in one by one."""
    order: list[int] = []
    buckets = _FIRST_BUCKETS
    for value in dict.fromkeys(values):
        if len(order) == buckets:
            buckets = _prime(2 * buckets)
            order = _filled(order, buckets)
        _insert(order, value, buckets)
    return order


def _filled(values: Iterable[int], buckets: int) -> list[int]:
    order: list[int] = []
    for value in values:
        _insert(order, value, buckets)
    return order


def _insert(order: list[int], value: int, buckets: int) -> None:
    """In front of those of its bucket, else in front of all."""
    bucket = value % buckets
    order.insert(next((place for place, other in enumerate(order) if other % buckets == bucket), 0), value)


def _prime(least: int) -> int:
    """The next size of the table; the library's list is thinner, but the same up to 541 tensors of one step."""
    return next(n for n in count(least) if all(n % divisor for divisor in range(2, int(n**0.5) + 1)))


def sort_like_introsort(values: Sequence[int], key: Callable[[int], Any]) -> list[int]:
    """Sorted by ``key``; equals as quicksort down to 16 values and one insertion sort leave them."""
    items = [(key(value), value) for value in values]
    parts = [(0, len(items))]
    while parts:
        first, last = parts.pop()
        if last - first > _SMALL:
            cut = _partition(items, first, last)
            parts += [(first, cut), (cut, last)]
    return [value for _, value in sorted(items, key=lambda item: item[0])]


def _partition(items: list[tuple[Any, int]], first: int, last: int) -> int:
    """Splits around the median of the second, the middle and the last value, which goes to the front."""
    middle = first + (last - first) // 2
    median = _median(items, first + 1, middle, last - 1)
    items[first], items[median] = items[median], items[first]
    pivot, low, high = items[first][0], first + 1, last
    while True:
        while items[low][0] < pivot:
            low += 1
        high -= 1
        while pivot < items[high][0]:
            high -= 1
        if low >= high:
            return low
        items[low], items[high] = items[high], items[low]
        low += 1


def _median(items: list[tuple[Any, int]], one: int, two: int, three: int) -> int:
    """The place of the median; among equals the one that the library's comparisons end at."""
    a, b, c = items[one][0], items[two][0], items[three][0]
    if a < b:
        return two if b < c else three if a < c else one
    return one if a < c else three if b < c else two
