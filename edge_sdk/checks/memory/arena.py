"""TFLite's arena planner recomputed: where each tensor is placed.

Everything is *predicted* by the rules of ``tflite/arena_planner.cc`` and ``tflite/simple_memory_arena.cc`` of LiteRT
v2.1.0 (the same up to v2.2.0); nothing is run. Tensors are placed greedily: those that live throughout first, then by
falling size, each in the smallest gap between the tensors that are alive at the same time.
"""

from __future__ import annotations

from bisect import insort_right
from collections.abc import Iterable
from dataclasses import dataclass

from edge_sdk.checks.memory.lifetimes import Buffer, Lives, Work, lives
from edge_sdk.checks.memory.scratch import Home
from edge_sdk.checks.memory.ties import hashed, sort_like_introsort

ALIGNMENT_BYTES = 64
"""``kDefaultArenaAlignment`` of ``tflite/arena_planner.h``."""

_NEVER = 1 << 62


@dataclass(frozen=True)
class Slot:
    """A buffer in its place.

    Attributes:
        buffer: which.
        offset_bytes: from the arena's start.
        first: the step that allocates it.
        last: the last step that needs it, None if it is kept to the end.
        shares: the buffer whose memory it takes over, None for one with memory of its own.
    """

    buffer: Buffer
    offset_bytes: int
    first: int
    last: int | None
    shares: int | None = None

    @property
    def end_bytes(self) -> int:
        """Offset of the first byte behind it."""
        return self.offset_bytes + self.buffer.size_bytes

    def lives_at(self, step: int) -> bool:
        """Whether its memory is taken while this step runs."""
        return self.first <= step and (self.last is None or step <= self.last)


def place(work: Work) -> tuple[Slot, ...]:
    """A place for each buffer at home in one of the two arenas, in the order in which the planner finds it.

    A buffer that takes over another one's memory follows at the end.
    """
    life = lives(work)
    slots: dict[int, Slot] = {}
    for first, last in _phases(work):
        born = [index for step in range(first, last + 1) for index in hashed(life.born[step])]
        fresh = [index for index in born if index not in slots and _is_sorted(work.buffers[index])]
        _place_phase(work, life, sort_like_introsort(fresh, lambda index: _rank(work, life, index)), slots, first)
    return (*slots.values(), *_sharing(work, life, slots))


# Steps; longer lives are few.
_SHORT = 64


def _phases(work: Work) -> list[tuple[int, int]]:
    """Rows of steps that are planned together."""
    ends = [place for place, step in enumerate(work.steps) if step.cuts and place + 1 < len(work.steps)]
    starts = [0, *(end + 1 for end in ends)]
    return list(zip(starts, [*ends, max(len(work.steps) - 1, 0)], strict=True))


def _is_sorted(buffer: Buffer) -> bool:
    """The planner leaves empty buffers of the arena out, not those of the persistent one."""
    return buffer.home == "persistent" or (buffer.home == "arena" and buffer.size_bytes > 0)


def _rank(work: Work, life: Lives, index: int) -> tuple[int, int, int]:
    """``ArenaPlanner::CreateTensorAllocationVector``."""
    if life.throughout(index):
        return 0, index, 0
    return 1, -work.buffers[index].size_bytes, life.first[index]


def _place_phase(work: Work, life: Lives, order: Iterable[int], slots: dict[int, Slot], first: int) -> None:
    """``ArenaPlanner::CalculateAllocations``; adds to ``slots``."""
    placed: dict[Home, _Placed] = {"arena": _Placed(), "persistent": _Placed()}
    for slot in slots.values():
        if slot.last is None or slot.last >= first:
            placed[slot.buffer.home].add(slot)
    for index in order:
        buffer = work.buffers[index]
        if not buffer.size_bytes or _is_shared(work, life, index):
            continue
        last = None if buffer.home == "persistent" else life.last.get(index)
        near = placed[buffer.home].near(life.first[index], last)
        offset = _offset(buffer.size_bytes, life.first[index], last, near)
        slots[index] = Slot(buffer, offset, life.first[index], last)
        placed[buffer.home].add(slots[index])


class _Placed:
    """What has its place, by offset: all of it, and those of short life by the steps in which they are alive.

    The planner looks at everything each time; most of it lives at another time, and graphs of 40,000 ops took minutes.
    """

    def __init__(self) -> None:
        self._all: list[Slot] = []
        self._long: list[Slot] = []
        self._alive: dict[int, list[Slot]] = {}

    def add(self, slot: Slot) -> None:
        insort_right(self._all, slot, key=_offset_of)
        if not _is_short(slot.first, slot.last):
            self._long.append(slot)
            return
        for step in _steps(slot.first, slot.last):
            self._alive.setdefault(step, []).append(slot)

    def near(self, first: int, last: int | None) -> list[Slot]:
        """Those that may be alive at the same time, by offset; of two that begin at one either may come first."""
        if not _is_short(first, last):
            return self._all
        found = {id(slot): slot for step in _steps(first, last) for slot in self._alive.get(step, ())}
        return sorted((*found.values(), *self._long), key=_offset_of)


def _offset_of(slot: Slot) -> int:
    return slot.offset_bytes


def _is_short(first: int, last: int | None) -> bool:
    return last is not None and last - first <= _SHORT


def _steps(first: int, last: int | None) -> range:
    return range(first, (first if last is None else last) + 1)


def _is_shared(work: Work, life: Lives, index: int) -> bool:
    """Whether it needs no memory of its own; its root may have left the arena since the plan was made."""
    buffer, root = work.buffers[index], life.root.get(index)
    origin = work.buffers[root] if root is not None else None
    return origin is not None and (origin.home, origin.size_bytes) == ("arena", buffer.size_bytes)


def _sharing(work: Work, life: Lives, slots: dict[int, Slot]) -> Iterable[Slot]:
    for index, root in life.root.items():
        buffer = work.buffers[index]
        if index not in slots and root in slots and buffer.home == "arena":
            yield Slot(buffer, slots[root].offset_bytes, life.first[index], slots[root].last, root)


def _offset(size: int, first: int, last: int | None, placed: Iterable[Slot]) -> int:
    """``SimpleMemoryArena::Allocate``: the smallest gap that fits, else behind the last neighbour in time."""
    best, best_gap, current = -1, _NEVER, 0
    for slot in placed:
        if (slot.last is not None and slot.last < first) or (last is not None and slot.first > last):
            continue
        start = _aligned(current)
        if start + size <= slot.offset_bytes and slot.offset_bytes - start < best_gap:
            # The planner compares from the aligned start, but remembers the gap from the unaligned one.
            best, best_gap = start, slot.offset_bytes - current
        current = max(current, slot.end_bytes)
        if best_gap == 0:
            break
    return best if best >= 0 else _aligned(current)


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
