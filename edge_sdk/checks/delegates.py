"""What one delegate of a device takes of a file: claims, shares, partitions. All of it is *predicted*."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import Artifact, Op, Subgraph
from edge_sdk.checks.callees import callees
from edge_sdk.checks.partition import Partition, partition
from edge_sdk.checks.placement import Placement
from edge_sdk.checks.rule_sets import place_by, rule_set
from edge_sdk.checks.rules import rule_set_names
from edge_sdk.checks.runtimes import XnnpackEngine
from edge_sdk.checks.site import Reason
from edge_sdk.checks.verdict import FEW_PARTITIONS, MOST, DelegateCheck, Obstacle, Verdict
from edge_sdk.profile.records import Delegate

_Ops: TypeAlias = Sequence[tuple[Subgraph, Op]]


@dataclass(frozen=True)
class Placed:
    """One delegate on a file: a placement and a cut for each subgraph that runs, by index."""

    artifact: Artifact
    placements: Mapping[int, Placement]
    cuts: Mapping[int, tuple[Partition, ...]]

    @property
    def ops(self) -> list[tuple[Subgraph, Op]]:
        """All ops that run, each with its subgraph."""
        graphs = [self.artifact.subgraphs[index] for index in self.placements]
        return [(graph, op) for graph in graphs for op in graph.ops]

    @property
    def claimed(self) -> list[tuple[Subgraph, Op]]:
        """Those that the delegate takes."""
        taken = {index: set(placement.claimed) for index, placement in self.placements.items()}
        return [(graph, op) for graph, op in self.ops if op.index in taken[graph.index]]


def place_delegate(artifact: Artifact, delegate: Delegate, engine: XnnpackEngine | None = None) -> Placed | None:
    """Where one delegate of a device would take ops; None where there are no rules to ask.

    Args:
        artifact: the file.
        delegate: of the device, whose own limits count besides the rules.
        engine: for XNNPACK, the runtime that brings it; None for the rules as they were first read.
    """
    rules, version = (engine.rules, engine.version) if engine else (delegate.rules, None)
    if rules not in rule_set_names():
        return None
    placements: dict[int, Placement] = {}
    for index in callees(artifact):
        graph = artifact.subgraphs[index]
        placement = place_by(rules, graph, level=delegate.nnapi_feature_level, engine=version)
        placements[index] = _narrowed(placement, graph, delegate)
    cuts = {index: partition(artifact.subgraphs[index], one.claimed) for index, one in placements.items()}
    return Placed(artifact, placements, cuts)


def check_delegate(artifact: Artifact, delegate: Delegate, engine: XnnpackEngine | None = None) -> DelegateCheck:
    """What one delegate of a device is predicted to take; see :func:`place_delegate`."""
    placed = place_delegate(artifact, delegate, engine)
    if placed is None:
        ops = len(artifact.main.ops)
        nothing = DelegateCheck(delegate.rules, delegate.accelerator, "not predicted", ops, 0, 0.0, 0, 0)
        return replace(nothing, note="there is no rule set for it yet; ask its own compiler")
    return summed_up(placed, delegate, engine)


def summed_up(placed: Placed, delegate: Delegate, engine: XnnpackEngine | None = None) -> DelegateCheck:
    """The numbers of a placement, and what stands in the way."""
    every, claimed = placed.ops, placed.claimed
    share = _share(macs, claimed, every)
    parts = [part for cut in placed.cuts.values() for part in cut if part.delegated]
    source = rule_set(engine.rules if engine else delegate.rules).source
    return DelegateCheck(
        rules=delegate.rules,
        accelerator=delegate.accelerator,
        verdict=_verdict(len(claimed), len(every), share, len(parts)),
        ops=len(every),
        claimed=len(claimed),
        mac_share=share,
        partitions=len(parts),
        boundary_bytes=sum(part.boundary_bytes for part in parts),
        obstacles=tuple(_obstacles(placed)),
        failures=tuple(one for placement in placed.placements.values() for one in placement.failures.values()),
        source=f"{source.file}, {source.version}",
        note=source.note,
        byte_share=_share(_touched, claimed, every),
        engine=engine.runtime if engine else "",
    )


def _share(weigh: Callable[[Subgraph, Op], int], some: _Ops, every: _Ops) -> float:
    total = sum(weigh(graph, op) for graph, op in every)
    return sum(weigh(graph, op) for graph, op in some) / total if total else 0.0


def _touched(graph: Subgraph, op: Op) -> int:
    """Bytes that an op reads and writes."""
    return sum(tensor.size_bytes for tensor in (*graph.operands(op), *graph.results(op)))


def _narrowed(placement: Placement, graph: Subgraph, delegate: Delegate) -> Placement:
    """What this device's own limits take away from what the rule set allows."""
    taken = {index: _device_limit(graph, graph.ops[index], delegate) for index in placement.claimed}
    lost = {index: reason for index, reason in taken.items() if reason is not None}
    kept = tuple(index for index in placement.claimed if index not in lost)
    refused = MappingProxyType({**placement.refused, **lost})
    return replace(placement, claimed=kept, refused=refused)


def _device_limit(graph: Subgraph, op: Op, delegate: Delegate) -> Reason | None:
    for tensor in graph.operands(op):
        if delegate.weights == "per_tensor" and tensor.quantization and tensor.quantization.per_channel:
            words = f"`{tensor.name}` has a scale for each channel, this accelerator takes one scale"
            found, limit = f"{len(tensor.quantization.scale)} scales", "one scale"
            return Reason("device-per-tensor-only", words, op.index, op.name, found, limit, tensor.index, tensor.name)
        if delegate.max_rank is not None and len(tensor.shape) > delegate.max_rank:
            words = f"`{tensor.name}` has rank {len(tensor.shape)}, this accelerator takes {delegate.max_rank} at most"
            found, limit = str(len(tensor.shape)), f"{delegate.max_rank} or less"
            return Reason("device-rank", words, op.index, op.name, found, limit, tensor.index, tensor.name)
    return None


def _verdict(claimed: int, ops: int, share: float, partitions: int) -> Verdict:
    if claimed == 0:
        return "none"
    if claimed == ops:
        return "all"
    return "most" if share >= MOST and partitions <= FEW_PARTITIONS else "part"


def _obstacles(placed: Placed) -> Iterator[Obstacle]:
    """The costliest first: by MACs, then by number."""
    work: Counter[tuple[str, str]] = Counter()
    count: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], tuple[Reason, int]] = {}
    for graph, op in placed.ops:
        reason = placed.placements[graph.index].refused.get(op.index)
        if reason is not None:
            key = (reason.rule, reason.op_name)
            work[key] += macs(graph, op)
            count[key] += 1
            first.setdefault(key, (reason, graph.index))
    for key in sorted(first, key=lambda key: (-work[key], -count[key], key)):
        yield Obstacle(*key, count[key], *first[key])
