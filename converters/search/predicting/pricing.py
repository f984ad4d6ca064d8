"""What each group costs: its damage in int8, its time out of it, and the conversions at its borders."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge_sdk.artifact.model import Artifact, Subgraph
from edge_sdk.artifact.ties import MOVING
from edge_sdk.converters.search.predicting.cut import Border, Network, Value
from edge_sdk.converters.search.predicting.groups import Group


@dataclass(frozen=True)
class Damage:
    """What int8 is expected to do, by the name of an op's first result.

    Attributes:
        own: of the op itself: its rounded weights, or all where the two are not told apart.
        rounding: of its results on their grid, which stays while any op that reads them is int8.
    """

    own: Mapping[str, float]
    rounding: Mapping[str, float]


def larger(one: Damage, other: Damage) -> Damage:
    """Of each op the larger of its shares of the whole by two rankings: none of them calls it harmless then.

    Args:
        one: whose unit and parts are kept; an op that does nothing there does the other's to its own.
        other: whose parts are not told apart.
    """
    names = {*one.own, *one.rounding, *other.own}
    shares = {name: one.own.get(name, 0.0) + one.rounding.get(name, 0.0) for name in names}
    sums = sum(shares.values()), sum(other.own.values())
    unit = sums[0] / sums[1] if min(sums) > 0 else 1.0
    own, rounding = dict(one.own), dict(one.rounding)
    for name in sorted(names):
        wanted = unit * other.own.get(name, 0.0)
        if shares[name] <= 0:
            own[name] = wanted
        elif wanted > shares[name]:
            for part in (own, rounding):
                if name in part:
                    part[name] *= wanted / shares[name]
    return Damage(own, rounding)


@dataclass(frozen=True)
class Prices:
    """The network of choices, and what of it is not as good as the rest.

    Attributes:
        network: groups with their prices, in microseconds of this machine's CPU.
        unpriced: ops whose time alone is not known; they count as neither slower nor faster.
    """

    network: Network
    unpriced: int


_DOUBT = 0.2
"""Standard deviation of an op's time inside a file, as a share of what it takes alone."""
_DOUBT_TOGETHER = 0.15
"""The same of many ops, as a share of what all take: what they are off by is not each one's own."""
_DOUBT_US = 0.3
"""The same of any op, in microseconds: what a clock tells apart."""


def price(
    lowered: Artifact,
    groups: Sequence[Group],
    damage: Damage,
    times: Mapping[str, Any],
    whole_us: tuple[float, float] | None,
) -> Prices:
    """The network of a model.

    Args:
        lowered: the float file that groups are of.
        groups: its groups.
        damage: of each op.
        times: of single ops; see ``op_times``.
        whole_us: time of the float and of the int8 file; None where it is not known.
    """
    floats, ints = times["float"], times["int8"]
    known = {name for group in groups for name in group.results if name in floats and name in ints}
    alone = sum(floats[name] + ints[name] for name in known)
    # Ops alone are this machine's, and files may be another's.
    scale = sum(whole_us) / alone if whole_us is not None and alone > 0 else 1.0
    extra = [scale * sum(floats[name] - ints[name] for name in group.results if name in known) for group in groups]
    mean_us = alone / max(1, 2 * len(known))
    pairs = [[(floats.get(name, mean_us), ints.get(name, mean_us)) for name in group.results] for group in groups]
    doubt = [scale * _doubted(both, alone) for both in pairs]
    up, down = ([scale * float(us) for us in times[way]] for way in ("up", "down"))
    borders = _borders(lowered, groups, up, down)
    own, values = _rounded(lowered, groups, damage)
    network = Network(own, extra, borders, values, doubt)
    return Prices(network, sum(len(group.results) for group in groups) - len(known))


def _doubted(both: Sequence[tuple[float, float]], whole_us: float) -> float:
    """Standard deviation of a group's difference of times, in microseconds; of all ops of the model in ``whole_us``."""
    own = [_DOUBT * us for pair in both for us in pair]
    # A walk along the groups: the variance of a part is as its time, and that of the whole its share of all squared.
    shared = _DOUBT_TOGETHER * math.sqrt(whole_us * sum(us for pair in both for us in pair))
    return math.hypot(*own, shared, _DOUBT_US * math.sqrt(len(both)))


def placement_prices(lowered: Artifact, groups: Sequence[Group], damage: Damage) -> Network:
    """The network where no time of a device is known: a group in float leaves its accelerator, and so breaks its part.

    What a group costs is its multiply-accumulates, and a border as much as a group of mean size: that a break should
    cost about as much as what it saves is a choice, and no measurement.

    Args:
        lowered: the float file that groups are of.
        groups: its groups.
        damage: of each op.
    """
    work = [float(group.macs) for group in groups]
    each = max(1.0, sum(work) / max(1, len(work)))
    borders = [Border(one.maker, one.readers, each, each) for one in _borders(lowered, groups, (1.0, 0.0), (1.0, 0.0))]
    own, values = _rounded(lowered, groups, damage)
    return Network(own, work, borders, values)


def _rounded(lowered: Artifact, groups: Sequence[Group], damage: Damage) -> tuple[list[float], list[Value]]:
    """Damage of each group alone, and of values between groups: a spared group's result is rounded for int8 readers."""
    graph = lowered.main
    group_of = {op: group.index for group in groups for op in group.ops}
    touched = _touching(graph, group_of)
    own = [sum(damage.own.get(name, 0.0) for name in group.results) for group in groups]
    values = []
    for op in graph.ops:
        lost = damage.rounding.get(graph.tensors[op.outputs[0]].name, 0.0) if op.outputs else 0.0
        if op.index not in group_of or lost <= 0:
            continue
        one = group_of[op.index]
        together = frozenset({one}.union(*(touched.get(index, set()) for index in op.outputs)))
        if len(together) == 1:
            own[one] += lost
        else:
            values.append(Value(lost, together))
    return own, values


def _touching(graph: Subgraph, group_of: Mapping[int, int]) -> dict[int, set[int]]:
    """Tensor to the groups that read it, or what is moved of it, on its grid."""
    found: dict[int, set[int]] = {}
    for op in reversed(graph.ops):
        moved = [found.get(index, set()) for index in op.outputs] if op.name in MOVING else []
        for index in op.inputs:
            if op.index in group_of:
                found.setdefault(index, set()).update({group_of[op.index]}, *moved)
    return found


def _borders(lowered: Artifact, groups: Sequence[Group], up: Sequence[float], down: Sequence[float]) -> list[Border]:
    """Values between groups; a conversion takes so many microseconds, and so many more for each value in it."""
    graph = lowered.main
    group_of = {op: group.index for group in groups for op in group.ops}
    makers = {index: op.index for op in graph.ops for index in op.outputs}
    readers: dict[int, set[int | None]] = {index: {None} for index in graph.outputs}
    for op in graph.ops:
        for index in op.inputs:
            if index >= 0 and graph.tensors[index].constant is None and graph.tensors[index].dtype == "float32":
                readers.setdefault(index, set()).add(group_of.get(op.index))
    made = []
    for index, those in sorted(readers.items()):
        maker = group_of.get(makers[index]) if index in makers else None
        if those == {maker}:
            continue
        elements = graph.tensors[index].elements
        made.append(Border(maker, frozenset(those), *(one + each * elements for one, each in (up, down))))
    return made
