"""The heap that an engine really takes for a file (Linux with glibc).

``python -m tests.core.checks.memory.heap_oracle WARM FILE...``: a line of JSON for each file, bytes until its first
run is over. Each is measured in a fork, after ``WARM`` has run once: a library's first call takes memory that stays.
The least of a few forks counts, for what else a process does (seen once: 9 kB) only adds to it.

It is to run in :data:`ENVIRONMENT`. By default glibc keeps some freed blocks for each thread and counts them as in use:
what the first run left of them hides as many of the next one's (3 to 4 kB of these files), by what was run before. And
once a large block was freed, such blocks are no longer mapped in whole pages, as those of a fresh process are.
"""

from __future__ import annotations

import ctypes
import functools
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.engines.installed import find_engine
from tests.core.children import in_child

ENVIRONMENT = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.mmap_threshold=131072"}
"""Blocks that are counted while they live, and no longer."""
_LIBC: Any = ctypes.CDLL(None) if sys.platform == "linux" else None
_FORKS = 2
_FIELDS = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"


class _MallInfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in _FIELDS.split()]


def is_measurable() -> bool:
    """Whether the C library counts its heap in 64 bits (glibc 2.33)."""
    return sys.platform == "linux" and hasattr(_LIBC, "mallinfo2")


def heap_growth(model: bytes, *, threads: int = 1) -> int:
    """Bytes that an interpreter takes from this process's heap until its first run, on zeros, is over."""
    interpreter = find_engine("ai-edge-litert").module.Interpreter(model_content=model, num_threads=threads)
    begin = used_bytes()
    interpreter.allocate_tensors()
    allocated = used_bytes() - begin
    for details in interpreter.get_input_details():
        interpreter.set_tensor(details["index"], np.zeros(details["shape"], details["dtype"]))
    begin = used_bytes()
    interpreter.invoke()
    return allocated + used_bytes() - begin


def used_bytes() -> int:
    """Bytes in use of this process's heap, and in blocks that were mapped on their own."""
    _LIBC.mallinfo2.restype = _MallInfo
    info = _LIBC.mallinfo2()
    return int(info.uordblks + info.hblkhd)


def main() -> None:
    if any(os.environ.get(name) != value for name, value in ENVIRONMENT.items()):
        raise SystemExit(f"error: run it with {ENVIRONMENT}")
    warm, *files = map(Path, sys.argv[1:])
    heap_growth(warm.read_bytes())
    for path in files:
        measured = [in_child(functools.partial(heap_growth, path.read_bytes())) for _ in range(_FORKS)]
        print(json.dumps(min(measured)), flush=True)


if __name__ == "__main__":
    main()
