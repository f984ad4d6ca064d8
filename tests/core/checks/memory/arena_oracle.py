"""The arena that an engine really allocates, read off the addresses of its tensors (Linux with glibc)."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from edge_sdk.engines.installed import find_engine
from edge_sdk.engines.source import source_of

_LIBC: Any = ctypes.CDLL(None) if sys.platform == "linux" else None
_PAGE = 4096
_MAPPED = 128 * 1024


@dataclass(frozen=True)
class RealArena:
    """``offset`` maps a tensor (index beyond the file's for scratch) to its place from the arena's start.

    ``block_bytes`` is what the allocator says the arena's block holds; ``size_bytes`` ends at the last tensor in it.
    """

    size_bytes: int
    block_bytes: int
    offset: Mapping[int, int]

    @property
    def is_covered(self) -> bool:
        """Whether no tensor hides behind the last.

        The engine asks for ``size + 63`` bytes, rounded up to 64; glibc rounds small blocks up to 16, large ones to
        pages, and may leave up to 64 bytes that are too few for a block of their own.
        """
        spare = self.block_bytes - (self.size_bytes + 63 + 63) // 64 * 64
        return 0 <= spare < (_PAGE + 64 if self.block_bytes >= _MAPPED else 64)


def is_readable() -> bool:
    """Whether addresses can be compared here: glibc says how large a block is, and the engine is the one predicted."""
    return sys.platform == "linux" and hasattr(_LIBC, "malloc_usable_size") and bool(find_spec("ai_edge_litert"))


def allocated(model: bytes, *, threads: int = 1, delegates: bool = False) -> Any:
    """An interpreter that has not run yet."""
    return find_engine("ai-edge-litert").interpreter(
        source_of(model, name="model"), threads=threads, default_delegates=delegates, preserve_all_tensors=False
    )


def interpreter(model: bytes, *, threads: int = 1, delegates: bool = False) -> Any:
    """An interpreter that has run once on zeros, so that results of open size have one."""
    made = allocated(model, threads=threads, delegates=delegates)
    for details in made.get_input_details():
        made.set_tensor(details["index"], np.zeros(details["shape"], details["dtype"]))
    made.invoke()
    return made


def real_arena(made: Any, anchors: Collection[int], *, subgraph: int = 0) -> RealArena | None:
    """The arena whose first tensor is among ``anchors``; None if none of them has data.

    The planner places the inputs first, so they are the anchors of the arena; all that is persistent those of the
    persistent one.
    """
    spans = dict(_spans(made, subgraph))
    addresses = [spans[index][0] for index in anchors if index in spans]
    return _block(spans, min(addresses)) if addresses else None


def _spans(made: Any, subgraph: int) -> Iterable[tuple[int, tuple[int, int]]]:
    """Tensor to address and bytes, of those that have data; a scalar is handed out as a copy, so it has none."""
    for details in made.get_tensor_details(subgraph):
        if np.dtype(details["dtype"]).kind not in "biufc":
            continue
        try:
            values = made._interpreter.tensor(made, details["index"], subgraph)
        except ValueError:
            continue
        if isinstance(values, np.ndarray) and values.nbytes:
            yield details["index"], (values.__array_interface__["data"][0], values.nbytes)


def _block(spans: Mapping[int, tuple[int, int]], start: int) -> RealArena:
    _LIBC.malloc_usable_size.restype = ctypes.c_size_t
    block = int(_LIBC.malloc_usable_size(ctypes.c_void_p(start)))
    inside = {index: span for index, span in spans.items() if start <= span[0] < start + block}
    end = max(address + size for address, size in inside.values())
    return RealArena(end - start, block, {index: address - start for index, (address, _) in inside.items()})
