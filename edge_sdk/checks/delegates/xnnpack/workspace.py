"""The room that the values inside of a partition take, by XNNPACK's own plan.

*Predicted* by ``src/memory-planner.c`` and ``src/runtime.c`` of XNNPACK 77468446ebfd (LiteRT v2.1.0).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from edge_sdk.checks.delegates.xnnpack.heap import up
from edge_sdk.checks.delegates.xnnpack.kernels import CpuKernels
from edge_sdk.checks.delegates.xnnpack.nodes import Values


def workspace_bytes(values: Values, kernels: CpuKernels) -> int:
    """``memory-planner.c``: the largest first, each in the smallest gap among those that live at the same time."""
    spans = _spans(values, kernels)
    placed: list[tuple[int, int, int, int]] = []
    for size, first, last in sorted((span for span in spans if span[0]), key=lambda span: -span[0]):
        live = sorted((start, end) for start, end, born, dead in placed if born <= last and first <= dead)
        offset = _gap(live, size)
        placed.append((offset, offset + size, first, last))
    total = max((end for _, end, _, _ in placed), default=0)
    return total + 32 if total else 0


def _spans(values: Values, kernels: CpuKernels) -> Iterator[tuple[int, int, int]]:
    """Size, first and last node of every value that gets a place of its own, in the engine's order of ids."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for place, node in enumerate(values.nodes):
        for value in (*node.inputs, *node.outputs):
            first.setdefault(value, place)
            last[value] = place
    shared = _in_place(values, last)
    for value, size in values.inside.items():
        if value in first and value not in shared:
            yield up(up(size, 16), kernels.alignment), first[value], last[value]
    for place, node in enumerate(values.nodes):
        yield up(up(node.workspace_bytes, 16), kernels.alignment), place, place


def _in_place(values: Values, last: dict[int, int]) -> dict[int, int]:
    """Values that lie where another one lies; lengthens ``last`` of that one."""
    readers = Counter(value for node in values.nodes for value in set(node.inputs))
    reader = {value: place for place, node in reversed([*enumerate(values.nodes)]) for value in node.inputs}
    shared: dict[int, int] = {}
    for node in values.nodes:
        result = node.outputs[0] if node.in_place else -1
        size = values.inside.get(result)
        fit = [v for v in node.inputs if v in values.inside and values.inside[v] == size and readers[v] == 1]
        if size is None or not fit or readers[result] != 1:
            continue
        root = fit[0]
        while root in shared:
            root = shared[root]
        shared[result] = root
        last[root] = reader[result]
    return shared


def _gap(live: Sequence[tuple[int, int]], size: int) -> int:
    if not live:
        return 0
    merged: list[tuple[int, int]] = []
    for start, end in live:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    gaps = [(after[0] - before[1], before[1]) for before, after in pairwise(merged)]
    fits = [gap for gap in gaps if gap[0] >= size]
    return min(fits, key=lambda gap: gap[0])[1] if fits else merged[-1][1]
