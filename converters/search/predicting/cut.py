"""Which groups to leave out of int8, as a graph cut: every best trade of expected damage for time, in one family.

A group is int8 or *spared*. An int8 one does damage, a spared one takes its time longer, and a value that passes from
one to the other is converted, once for each such value however many read it. For a price of damage the best choice is
a smallest cut; as the price rises it only ever spares more (the price stands on edges from the source alone: Gallo,
Grigoriadis and Tarjan, SIAM J. Comput. 18, 1989), so that the choices are nested.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import MissingDependencyError

Spared = frozenset[int]
Numbers = npt.NDArray[Any]
# Capacities of scipy's flow are 32-bit integers: the largest sum that a cut can have stays below their end.
_RANGE = 2**30
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Border:
    """One value, and what it costs to convert it.

    Attributes:
        maker: the group that makes it; None for an input, which is float.
        readers: the groups that read it; None for an output, which is float.
        up_us: microseconds of making it real for readers that are spared.
        down_us: microseconds of rounding it for readers that are int8.
    """

    maker: int | None
    readers: frozenset[int | None]
    up_us: float
    down_us: float


@dataclass(frozen=True)
class Value:
    """One value that passes between groups, and what rounding it does: exact only where all of them are spared.

    Attributes:
        damage: of its rounding.
        groups: that make and read it.
    """

    damage: float
    groups: frozenset[int]


@dataclass(frozen=True)
class Member:
    """One configuration of the family: what is spared, and what that is expected to cost.

    Attributes:
        spared: indices of groups.
        extra_us: microseconds above all groups in int8; predicted.
        damage: what the int8 groups are expected to do; predicted.
    """

    spared: Spared
    extra_us: float
    damage: float


class Network:
    """Groups with their prices.

    Args:
        damage: of each group in int8, beside that of values, shape (groups,).
        extra_us: time that each takes longer where it is spared; negative where it is faster.
        borders: conversions of values between them.
        values: what rounding of such values does.
        doubt_us: standard deviation of each extra time; without it a third of it.
    """

    def __init__(
        self,
        damage: Sequence[float],
        extra_us: Sequence[float],
        borders: Sequence[Border],
        values: Sequence[Value] = (),
        doubt_us: Sequence[float] = (),
    ) -> None:
        self.damage = np.asarray(damage, np.float64)
        self.extra_us = np.asarray(extra_us, np.float64)
        self.doubt_us = np.asarray(doubt_us, np.float64) if len(doubt_us) else np.abs(self.extra_us) / 3
        self.borders = tuple(borders)
        self.values = tuple(values)

    @cached_property
    def shares(self) -> Numbers:
        """Damage of each group with its share of that of its values, shape (groups,)."""
        shares = self.damage.copy()
        for value in self.values:
            for group in value.groups:
                shares[group] += value.damage / len(value.groups)
        return shares

    def member(self, spared: Spared) -> Member:
        """A configuration with its prices."""
        chosen = sorted(spared)
        kept = np.setdiff1d(np.arange(len(self.damage)), chosen)
        extra = float(self.extra_us[chosen].sum()) + self.conversions_us(spared)
        rounded = sum(value.damage for value in self.values if not value.groups <= spared)
        return Member(spared, extra, float(self.damage[kept].sum()) + rounded)

    def cut(self, price: float) -> Spared:
        """The best groups to spare where a unit of damage is worth ``price`` microseconds.

        Raises:
            MissingDependencyError: scipy is absent.
        """
        try:
            from scipy.sparse import csr_array
            from scipy.sparse.csgraph import breadth_first_order, maximum_flow
        except ImportError as error:
            raise MissingDependencyError("scipy", extra="keras", why="choosing ops by a graph cut") from error
        rows, columns, fixed, priced = self._edges
        capacities = fixed + price * priced
        finite = np.isfinite(capacities)
        scale = _RANGE / max(float(capacities[finite].sum()), 1e-300)
        whole = np.where(finite, np.rint(np.where(finite, capacities, 0) * scale), _RANGE).astype(np.int32)
        size = self._size
        graph = csr_array((whole, (rows, columns)), shape=(size, size))
        left = graph - maximum_flow(graph, size - 2, size - 1).flow
        left.data = np.maximum(left.data, 0)
        left.eliminate_zeros()
        reached = breadth_first_order(left, size - 2, return_predecessors=False)
        return frozenset(int(node) for node in reached if node < len(self.damage))

    def conversions_us(self, spared: Spared) -> float:
        """What conversions at borders take more than where all is int8."""
        return self._borders(spared) - self._plain_us

    @cached_property
    def _plain_us(self) -> float:
        """Conversions where all is int8: at the ends."""
        return self._borders(frozenset())

    @property
    def _size(self) -> int:
        """Nodes: groups, two for each border, one for each value, and the two ends."""
        return len(self.damage) + 2 * len(self.borders) + len(self.values) + 2

    @cached_property
    def _edges(self) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        """From, to, capacity, and capacity for each unit of the price of damage.

        Paid where ``from`` is spared and ``to`` is int8; the last two nodes are the ends. A value's two conversions
        have a node each, which says whether any reader needs it, and its rounding has one, which is int8 with any of
        its groups.
        """
        groups, spared, whole = len(self.damage), self._size - 2, self._size - 1
        edges = [
            (spared, group, max(0.0, -float(extra)), self.damage[group]) for group, extra in enumerate(self.extra_us)
        ]
        edges += [(group, whole, float(extra), 0.0) for group, extra in enumerate(self.extra_us) if extra > 0]
        for place, border in enumerate(self.borders):
            up, down = groups + 2 * place, groups + 2 * place + 1
            maker = spared if border.maker is None else border.maker
            edges += [(up, maker, border.up_us, 0.0), (maker, down, border.down_us, 0.0)]
            for reader in border.readers:
                node = spared if reader is None else reader
                edges += [(node, up, np.inf, 0.0), (down, node, np.inf, 0.0)]
        for place, value in enumerate(self.values, groups + 2 * len(self.borders)):
            edges.append((spared, place, 0.0, value.damage))
            edges += [(place, group, np.inf, 0.0) for group in value.groups]
        merged: dict[tuple[int, int], tuple[float, float]] = {}
        for one, other, fixed, priced in edges:
            if other not in (one, spared) and fixed + priced > 0:
                before = merged.get((one, other), (0.0, 0.0))
                merged[one, other] = (before[0] + fixed, before[1] + float(priced))
        ends = np.array(list(merged), np.int32).reshape(-1, 2)
        capacities = np.array(list(merged.values()), np.float64).reshape(-1, 2)
        return ends[:, 0], ends[:, 1], capacities[:, 0], capacities[:, 1]

    def _borders(self, spared: Spared) -> float:
        if not self.borders:
            return 0.0
        makers, readers, starts, up_us, down_us = self._conversions
        real = np.zeros(len(self.damage) + 1, bool)
        real[[*spared, -1]] = True
        made_real = real[makers]
        read_real, read_whole = (np.logical_or.reduceat(part[readers], starts) for part in (real, ~real))
        return float(up_us[~made_real & read_real].sum() + down_us[made_real & read_whole].sum())

    @cached_property
    def _conversions(self) -> tuple[Numbers, Numbers, Numbers, Numbers, Numbers]:
        """Makers, all readers in a row, where each border begins there, and prices; one more group stands for ends."""
        end = len(self.damage)
        rows = [[end if reader is None else reader for reader in border.readers] for border in self.borders]
        starts = np.cumsum([0, *(len(row) for row in rows[:-1])])
        return (
            np.array([end if border.maker is None else border.maker for border in self.borders]),
            np.array([reader for row in rows for reader in row]),
            starts,
            np.array([border.up_us for border in self.borders]),
            np.array([border.down_us for border in self.borders]),
        )


def family(network: Network) -> tuple[Member, ...]:
    """All best configurations, from all in int8 to all spared; each spares what the one before spares, and more.

    Between two neighbours of the lower envelope the groups are added one at a time, the most damage for its time first,
    so that a search along the family can stop anywhere.
    """
    every = frozenset(range(len(network.damage)))
    hull = [network.member(frozenset()), *_between(network, frozenset(), every), network.member(every)]
    made = [hull[0]]
    for member in hull[1:]:
        made += _filled(network, made[-1], member)
    return tuple(made)


def _between(network: Network, fewer: Spared, more: Spared) -> Iterator[Member]:
    """Members of the envelope strictly between two."""
    low, high = network.member(fewer), network.member(more)
    if len(more - fewer) < 2 or low.damage <= high.damage:
        return
    price = (high.extra_us - low.extra_us) / (low.damage - high.damage)
    if price <= 0:
        return
    # Nested with both ends in theory; held there against the rounding of capacities.
    found = (network.cut(price) | fewer) & more
    member = network.member(found)
    line = low.extra_us + price * low.damage
    gain = line - (member.extra_us + price * member.damage)
    if found in (fewer, more) or gain <= _TOLERANCE * max(1.0, abs(line)):
        return
    yield from _between(network, fewer, found)
    yield member
    yield from _between(network, found, more)


def _filled(network: Network, last: Member, member: Member) -> Iterator[Member]:
    """Single steps to a member, the best first; the member itself at the end."""
    added = member.spared - last.spared
    order = sorted(added, key=lambda group: (-_worth(network, group), group))
    spared = last.spared
    for group in order[:-1]:
        spared = spared | {group}
        yield network.member(spared)
    if added:
        yield member


def _worth(network: Network, group: int) -> float:
    return float(network.shares[group] / max(network.extra_us[group], 1e-3))
