"""Channels that stand or fall together: every channel of every tensor has a number; equal numbers are one channel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
"""One number for each channel of a tensor, in its order."""


class Channels:
    """Hands out numbers, joins them, and remembers which must stay (union-find)."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._kept: set[int] = set()

    def new(self, count: int, *, kept: bool = False) -> Ids:
        """``count`` channels that nothing ties yet; ``kept`` ones are never removed."""
        begin = len(self._parents)
        self._parents += range(begin, begin + count)
        made = np.arange(begin, begin + count, dtype=np.int64)
        if kept:
            self.keep(made)
        return made

    def keep(self, ids: Ids) -> None:
        """These channels, and those joined with them, are never removed."""
        self._kept.update(int(i) for i in ids)

    def join(self, one: Ids, other: Ids) -> None:
        """Channel by channel, the two become one."""
        for a, b in zip(one, other, strict=True):
            self._parents[self._root(int(a))] = self._root(int(b))

    def roots(self, ids: Ids) -> Ids:
        """The number that stands for each channel."""
        return np.array([self._root(int(i)) for i in ids], np.int64)

    def kept(self) -> frozenset[int]:
        """Roots of what must stay."""
        return frozenset(self._root(i) for i in self._kept)

    def _root(self, i: int) -> int:
        while self._parents[i] != i:
            self._parents[i] = self._parents[self._parents[i]]
            i = self._parents[i]
        return i


@dataclass(frozen=True)
class Weight:
    """One variable of a layer, and the channels that index its axes.

    ``positions`` is how often each of its elements is multiplied in one run of the model: 0 for biases and the like.
    """

    variable: Any
    shape: tuple[int, ...]
    axes: Mapping[int, Ids]
    positions: int = 0
    counts: bool = True


@dataclass(frozen=True)
class Followed:
    """What a layer does with channels.

    Attributes:
        out: the channels of its result.
        weights: its variables.
        config: configuration key to the channels that it counts.
        makes: the channels that it makes itself; empty where it passes channels on.
    """

    out: Ids
    weights: tuple[Weight, ...] = ()
    config: Mapping[str, Ids] = field(default_factory=dict)
    makes: Ids = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(frozen=True)
class Block:
    """Layers whose channels are removed together.

    Attributes:
        name: of the first layer.
        layers: all that make these channels, in the order of the model.
        channels: roots of the channels that may go.
        scores: the importance of each, larger is more; the mean of a block is 1.
    """

    name: str
    layers: tuple[str, ...]
    channels: tuple[int, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Cost:
    """What a model takes: multiply-accumulates of one run at batch 1, and parameters."""

    macs: int
    parameters: int


def blocks_of(
    makers: Sequence[tuple[str, Ids]],
    weights: Sequence[Weight],
    channels: Channels,
    judge: Callable[[Sequence[Weight], Channels], Mapping[int, float]] | None = None,
) -> tuple[Block, ...]:
    """Groups layers that share a channel, leaves out what must stay, and scores the rest.

    Args:
        makers: name and made channels of every layer that makes any.
        weights: all variables of the model.
        channels: where the numbers come from.
        judge: gives each root a score; None takes the magnitude of its weights.
    """
    kept = channels.kept()
    scores = (judge or _scores)(weights, channels)
    found: list[tuple[list[str], set[int]]] = []
    for name, ids in makers:
        roots = {int(r) for r in channels.roots(ids)} - kept
        if not roots:
            continue
        joined = [entry for entry in found if entry[1] & roots]
        found = [entry for entry in found if not entry[1] & roots]
        names = [n for entry in joined for n in entry[0]]
        found.append(([*names, name], roots.union(*(entry[1] for entry in joined))))
    return tuple(_block(names, sorted(roots), scores) for names, roots in found)


def _block(names: Sequence[str], roots: Sequence[int], scores: Mapping[int, float]) -> Block:
    raw = np.array([scores.get(r, 0.0) for r in roots])
    mean = raw.mean() or 1.0
    return Block(names[0], tuple(dict.fromkeys(names)), tuple(roots), tuple((raw / mean).tolist()))


def _scores(weights: Iterable[Weight], channels: Channels) -> dict[int, float]:
    """Group magnitude: the L2 norm of every slice that goes with a channel, each kernel's norms over their mean.

    The criterion is that of DepGraph (Fang et al., CVPR 2023): a channel counts by all that is lost with it, what
    makes it and what reads it.
    """
    sums: dict[int, list[float]] = {}
    for weight in weights:
        if not weight.counts:
            continue
        values = np.asarray(weight.variable, np.float64)
        for axis, ids in weight.axes.items():
            norms = np.sqrt((np.moveaxis(values, axis, 0).reshape(len(ids), -1) ** 2).sum(1))
            norms = norms / (norms.mean() or 1.0)
            for root, norm in zip(channels.roots(ids).tolist(), norms.tolist(), strict=True):
                sums.setdefault(root, []).append(norm)
    return {root: float(np.mean(norms)) for root, norms in sums.items()}


def cost_of(weights: Iterable[Weight], channels: Channels, removed: frozenset[int]) -> Cost:
    """What is left when these roots are gone, from shapes alone."""
    macs = parameters = 0
    for weight in weights:
        elements = 1
        for axis, extent in enumerate(weight.shape):
            ids = weight.axes.get(axis)
            elements *= extent if ids is None else int(stays(ids, channels, removed).sum())
        parameters += elements
        macs += elements * weight.positions
    return Cost(macs, parameters)


def stays(ids: Ids, channels: Channels, removed: frozenset[int]) -> npt.NDArray[np.bool_]:
    """Which of a tensor's channels are left."""
    return np.array([int(r) not in removed for r in channels.roots(ids)], np.bool_)
