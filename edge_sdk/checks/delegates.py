"""What one delegate of a device takes of a file: claims, shares, partitions. All of it is *predicted*."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import Artifact, Subgraph
from edge_sdk.checks.advice.advising import advise
from edge_sdk.checks.on_device import place_on_device
from edge_sdk.checks.partition import Partition, partition
from edge_sdk.checks.placement import Placement
from edge_sdk.checks.rule_sets import rule_set
from edge_sdk.checks.rules import rule_set_names
from edge_sdk.checks.site import Reason
from edge_sdk.checks.verdict import DelegateCheck, Obstacle, OpPlace, verdict_of
from edge_sdk.profile.records import Delegate


def check_delegate(artifact: Artifact, delegate: Delegate) -> DelegateCheck:
    """What one delegate of a device is predicted to take of the main subgraph."""
    graph = artifact.main
    if delegate.rules not in rule_set_names():
        nothing = DelegateCheck(delegate.rules, delegate.accelerator, "not predicted", len(graph.ops), 0, 0.0, 0, 0)
        return replace(nothing, note="there is no rule set for it yet; ask its own compiler")
    placement = place_on_device(graph, delegate)
    parts = [part for part in partition(graph, placement.claimed) if part.delegated]
    claimed = set(placement.claimed)
    total = sum(macs(graph, op) for op in graph.ops)
    share = sum(macs(graph, graph.ops[i]) for i in claimed) / total if total else 0.0
    source = rule_set(delegate.rules).source
    return DelegateCheck(
        rules=delegate.rules,
        accelerator=delegate.accelerator,
        verdict=verdict_of(len(claimed), len(graph.ops), share, len(parts)),
        ops=len(graph.ops),
        claimed=len(claimed),
        mac_share=share,
        partitions=len(parts),
        boundary_bytes=sum(part.boundary_bytes for part in parts),
        obstacles=tuple(_obstacles(graph, placement)),
        failures=tuple(placement.failures.values()),
        source=f"{source.file}, {source.version}",
        note=source.note,
        advice=advise(graph, delegate),
        places=tuple(_places(graph, placement, parts)),
    )


def _places(graph: Subgraph, placement: Placement, parts: Sequence[Partition]) -> Iterator[OpPlace]:
    inside = {index: number for number, part in enumerate(parts) for index in part.ops}
    for op in graph.ops:
        result = next((tensor.name for tensor in graph.results(op)), "")
        yield OpPlace(op.index, op.name, result, inside.get(op.index), placement.refused.get(op.index))


def _obstacles(graph: Subgraph, placement: Placement) -> list[Obstacle]:
    work: Counter[tuple[str, str]] = Counter()
    count: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], Reason] = {}
    for index, reason in sorted(placement.refused.items()):
        key = (reason.rule, reason.op_name)
        work[key] += macs(graph, graph.ops[index])
        count[key] += 1
        first.setdefault(key, reason)
    ordered = sorted(first, key=lambda key: (-work[key], -count[key], key))
    return [Obstacle(*key, count[key], first[key]) for key in ordered]
