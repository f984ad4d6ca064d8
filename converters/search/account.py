"""What a search has to say of its groups, and of the front that it searched along."""

from __future__ import annotations

from edge_sdk.converters.search.engine import Search
from edge_sdk.converters.search.moves import expected
from edge_sdk.converters.search.records import Expectation, GroupFacts, Latency


def expectations(search: Search) -> tuple[Expectation, ...]:
    """The front; times as they were taken of members whose file was timed, and else as all of those predict them."""
    taken = _taken(search)
    made = []
    for member in search.outlook.members if search.outlook else ():
        latency = taken.get(frozenset(search.groups[group].name for group in member.spared))
        ms, size = expected(search, member.spared)
        truth = None if ms is None else "predicted"
        if ms is not None and latency is not None:
            ms, truth = latency.ms, latency.truth
        made.append(Expectation(len(member.spared), member.damage, ms, truth, size))
    return tuple(made)


def _taken(search: Search) -> dict[frozenset[str], Latency]:
    """By the names of groups that are in float."""
    every = frozenset(group.name for group in search.groups)
    own = [(every, search.reference), (frozenset[str](), search.plain)]
    others = [
        (frozenset(point.spared), point) for point in search.points if point.spared_in == "float32" and point.spared
    ]
    return {spared: point.latency for spared, point in (*others, *own) if point and point.latency}


def group_facts(search: Search) -> tuple[GroupFacts, ...]:
    """Groups with what was expected of them, and whether the answer spares them."""
    if search.outlook is None:
        return ()
    network, best = search.outlook.forecast.network, search.best
    spared = set(best.spared) if best else set()
    return tuple(
        GroupFacts(g.name, len(g.ops), g.macs, float(network.shares[i]), float(network.extra_us[i]), g.name in spared)
        for i, g in enumerate(search.groups)
    )
