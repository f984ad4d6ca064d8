"""What one delegate of a device takes of a file: claims, shares, partitions. All of it is *predicted*."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import MappingProxyType

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import Artifact, Op, Subgraph
from edge_sdk.checks.partition import partition
from edge_sdk.checks.placement import Placement
from edge_sdk.checks.rule_sets import place_by, rule_set
from edge_sdk.checks.rules import rule_set_names
from edge_sdk.checks.site import Reason
from edge_sdk.checks.verdict import FEW_PARTITIONS, MOST, DelegateCheck, Obstacle, Verdict
from edge_sdk.profile.records import Delegate


def check_delegate(artifact: Artifact, delegate: Delegate) -> DelegateCheck:
    """What one delegate of a device is predicted to take of the main subgraph."""
    graph = artifact.main
    if delegate.rules not in rule_set_names():
        nothing = DelegateCheck(delegate.rules, delegate.accelerator, "not predicted", len(graph.ops), 0, 0.0, 0, 0)
        return replace(nothing, note="there is no rule set for it yet; ask its own compiler")
    placement = place_by(delegate.rules, graph, level=delegate.nnapi_feature_level)
    placement = _narrowed(placement, graph, delegate)
    parts = [part for part in partition(graph, placement.claimed) if part.delegated]
    claimed = set(placement.claimed)
    total = sum(macs(graph, op) for op in graph.ops)
    share = sum(macs(graph, graph.ops[i]) for i in claimed) / total if total else 0.0
    source = rule_set(delegate.rules).source
    return DelegateCheck(
        rules=delegate.rules,
        accelerator=delegate.accelerator,
        verdict=_verdict(len(claimed), len(graph.ops), share, len(parts)),
        ops=len(graph.ops),
        claimed=len(claimed),
        mac_share=share,
        partitions=len(parts),
        boundary_bytes=sum(part.boundary_bytes for part in parts),
        obstacles=tuple(_obstacles(graph, placement)),
        failures=tuple(placement.failures.values()),
        source=f"{source.file}, {source.version}",
        note=source.note,
    )


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
