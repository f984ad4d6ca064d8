"""The arena that an engine really allocates, read off the addresses of its tensors (Linux with glibc)."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_sdk.artifact.model import Artifact
from edge_sdk.runtime.engines import find_engine


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
        """Whether no tensor hides behind the last: the engine asks for ``size + 63`` bytes, rounded up to 64."""
        return 0 <= self.block_bytes - (self.size_bytes + 63 + 63) // 64 * 64 < 64


def interpreter(model: bytes, *, threads: int = 1, delegates: bool = False) -> Any:
    """An interpreter that has run once on zeros, so that results of open size have one."""
    made = find_engine().interpreter(model, threads=threads, default_delegates=delegates, preserve_all_tensors=False)
    for details in made.get_input_details():
        made.set_tensor(details["index"], np.zeros(details["shape"], details["dtype"]))
    made.invoke()
    return made


def real_arenas(artifact: Artifact, made: Any) -> tuple[RealArena | None, RealArena | None]:
    """The arena and the persistent arena of the first subgraph; None where the file has none.

    The arena's block is the one that holds the inputs, which the planner places first; the persistent one is the
    block that holds the variables.
    """
    spans = dict(_spans(made))
    graph = artifact.main
    inputs = [t for t in graph.inputs if t in spans and not graph.tensors[t].is_stored]
    variables = [t.index for t in graph.tensors if t.is_variable and t.index in spans]
    return _block(spans, inputs), _block(spans, variables)


def _spans(made: Any) -> Iterable[tuple[int, tuple[int, int]]]:
    """Tensor to address and bytes, of those that have data."""
    for details in made.get_tensor_details():
        try:
            values = made.tensor(details["index"])()
        except ValueError:
            continue
        if values.nbytes:
            yield details["index"], (values.__array_interface__["data"][0], values.nbytes)


def _block(spans: Mapping[int, tuple[int, int]], anchors: list[int]) -> RealArena | None:
    if not anchors:
        return None
    start = min(spans[index][0] for index in anchors)
    block = int(_usable(ctypes.c_void_p(start)))
    inside = {index: span for index, span in spans.items() if start <= span[0] < start + block}
    end = max(address + size for address, size in inside.values())
    return RealArena(end - start, block, {index: address - start for index, (address, _) in inside.items()})


_usable = getattr(ctypes.CDLL(None), "malloc_usable_size", None) or (lambda _: 0)
if hasattr(_usable, "restype"):
    _usable.restype = ctypes.c_size_t
