"""Which op of a quantized file stands for which of the float file it was made from: by the graph, from its ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from edge_sdk.artifact.model import Artifact, Op, Subgraph
from edge_sdk.parity.folded import SHAPING, folded_data

_BETWEEN = frozenset({"QUANTIZE", "DEQUANTIZE"})


@dataclass(frozen=True)
class OpPair:
    """The same op in both files."""

    reference: Op
    candidate: Op


def pair_ops(reference: Artifact, candidate: Artifact, *, past_folded: bool = False) -> list[OpPair]:
    """Ops of the main subgraphs that correspond, in the candidate's order.

    From outputs of one name, and from results whose name is unique on both sides, it goes to their makers, operand by
    operand, past QUANTIZE and DEQUANTIZE, for as long as both sides are of one type: what was rewritten pairs with
    nothing.

    Args:
        reference: the float file.
        candidate: the file made from it.
        past_folded: whether to go on behind a change of shape that one side alone has, and behind a clip that the float
            file alone has; results of a pair may differ by those then.
    """
    left, right = Side(reference.main), Side(candidate.main)
    found: dict[int, Op] = {}
    taken: set[int] = set()
    waiting = [*_ends(reference, candidate), *_namesakes(reference.main, candidate.main)]
    while waiting:
        ends = waiting.pop(0)
        one, other = (side.maker(index) for side, index in zip((left, right), ends, strict=True))
        if one is None or other is None:
            continue
        if past_folded and one.name != other.name:
            data = folded_data(reference.main, one)
            if data is not None:
                waiting.append((data, ends[1]))
            elif other.name in SHAPING:
                waiting.append((ends[0], other.inputs[0]))
            continue
        if one.name != other.name or other.index in found or one.index in taken:
            continue
        found[other.index] = one
        taken.add(one.index)
        waiting += zip(one.inputs, other.inputs, strict=False)
    ops = candidate.main.ops
    return [OpPair(found[index], ops[index]) for index in sorted(found)]


class Side:
    """One file's main subgraph, past what only changes a tensor's type."""

    def __init__(self, graph: Subgraph) -> None:
        self._makers = graph.makers

    def maker(self, index: int) -> Op | None:
        """Who computes a tensor, past what only changes its type."""
        return self._makers.get(self.origin(index))

    def origin(self, index: int) -> int:
        """The tensor whose values a tensor holds in another type; itself where it is computed or given."""
        while (op := self._makers.get(index)) is not None and op.name in _BETWEEN:
            index = op.inputs[0]
        return index


def _ends(reference: Artifact, candidate: Artifact) -> Iterator[tuple[int, int]]:
    others = candidate.signature.outputs
    return ((t.index, others[name].index) for name, t in reference.signature.outputs.items() if name in others)


def _namesakes(reference: Subgraph, candidate: Subgraph) -> Iterator[tuple[int, int]]:
    names = _unique(candidate)
    return ((index, names[name]) for name, index in _unique(reference).items() if name in names)


def _unique(graph: Subgraph) -> dict[str, int]:
    results = [(graph.tensors[i].name, i) for op in graph.ops if op.name not in _BETWEEN for i in op.outputs if i >= 0]
    counts = Counter(name for name, _ in results)
    return {name: index for name, index in results if counts[name] == 1}
