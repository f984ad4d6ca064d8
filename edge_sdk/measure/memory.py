"""How much memory opening a model took, from the kernel and from the C library's own books."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from edge_sdk.measure.timed import Memory

_STATUS, _REFERENCES = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc(5): sets VmHWM to what the process holds now.
_peak_bytes = 0


@dataclass
class Taken:
    """Filled when the block ends."""

    memory: Memory | None = None


@contextmanager
def around() -> Iterator[Taken]:
    """What the block takes of memory: at most, and for good."""
    taken = Taken()
    gc.collect()
    resets = _reset_peak()
    held, heap = _status("VmRSS"), heap_bytes()
    yield taken
    peak, heap_now = _status("VmHWM"), heap_bytes()
    taken.memory = Memory(
        opening_rss_bytes=max(0, peak - held) if resets and peak is not None and held is not None else None,
        session_heap_bytes=max(0, heap_now - heap) if heap_now is not None and heap is not None else None,
    )


def peak_rss_bytes() -> int | None:
    """The most that this process ever held; None where the system does not tell."""
    now = _status("VmHWM")
    return None if now is None else max(now, _peak_bytes)


def heap_bytes() -> int | None:
    """What is allocated, without what the allocator keeps for later; None without glibc 2.33 or later."""
    counts = _mallinfo()
    if counts is None:
        return None
    found = counts()
    return int(found.uordblks + found.hblkhd)


def _reset_peak() -> bool:
    """So that the next peak is of what comes next; the greatest so far is remembered."""
    global _peak_bytes  # noqa: PLW0603 - the kernel keeps one peak for a process, and so does this
    _peak_bytes = max(_peak_bytes, _status("VmHWM") or 0)
    try:
        _REFERENCES.write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def _status(field: str) -> int | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    words = next((line.split() for line in lines if line.startswith(field + ":")), ())
    return int(words[1]) * 1024 if len(words) > 1 else None


class _Counts(ctypes.Structure):
    """``struct mallinfo2`` of malloc.h."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    ]  # fmt: skip


@cache
def _mallinfo() -> Any:
    try:
        function = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError):
        return None
    function.restype = _Counts
    return function
