"""What a delegate takes of a subgraph on one device: its rules, the device's own limits, its default options."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from edge_sdk.artifact.model import Op, Subgraph
from edge_sdk.checks.memory.homes import find_homes
from edge_sdk.checks.placement.partition import Partition, partition
from edge_sdk.checks.placement.placing import Placement
from edge_sdk.checks.placement.rule_sets import place_by, rule_set
from edge_sdk.checks.placement.rules import RuleSet
from edge_sdk.checks.placement.site import Reason
from edge_sdk.checks.runtimes import XnnpackEngine
from edge_sdk.profile.records import Delegate

# What runs other subgraphs any number of times: tf 2.14 gives their results a size in the run.
_LOOPS = frozenset({"WHILE"})


def place_on_device(
    graph: Subgraph, delegate: Delegate, engine: XnnpackEngine | None = None, *, all_partitions: bool = False
) -> Placement:
    """What is predicted to be claimed of one subgraph.

    Args:
        graph: one subgraph.
        delegate: of a device.
        engine: for XNNPACK, the runtime that brings it; None for the rules as they were first read.
        all_partitions: as if the delegate's option let it keep all its partitions.

    Raises:
        ProfileError: there is no such rule set, or its file has faults.
    """
    name, version = (engine.rules, engine.version) if engine else (delegate.rules, None)
    placement = place_by(name, graph, level=delegate.nnapi_feature_level, engine=version)
    rules = rule_set(name, version)
    if rules.fixed_sizes:
        placement = with_fixed_sizes(placement, graph, rules)
    rules = replace(rules, max_partitions=None) if all_partitions else rules
    return keep_largest(_narrowed(placement, graph, delegate), graph, rules)


def with_fixed_sizes(placement: Placement, graph: Subgraph, rules: RuleSet) -> Placement:
    """Nothing of a subgraph with sizes that are known in a run only, for a delegate that plans them before."""
    loops = [op.index for op in graph.ops if op.name in _LOOPS]
    cuts = (*find_homes(graph).cuts, *loops)
    if not cuts or not placement.claimed:
        return placement
    first = graph.ops[min(cuts)]
    message = f"is in a graph with sizes that only a run tells ({first.name} {first.index}), which {rules.title} leaves"
    lost = {
        index: Reason("open-size", message, index, graph.ops[index].name, f"{first.name} {first.index}", "fixed sizes")
        for index in placement.claimed
    }
    return replace(placement, claimed=(), refused=MappingProxyType({**placement.refused, **lost}), failures={})


def keep_largest(placement: Placement, graph: Subgraph, rules: RuleSet) -> Placement:
    """The partitions that the delegate keeps: by its default options the largest, by number of ops.

    Sources are in the rule sets' files. Where partitions are equally large the first is kept; the engine's
    ``std::sort`` may leave another one first.
    """
    parts = [part for part in partition(graph, placement.claimed) if part.delegated]
    most = len(parts) if rules.max_partitions is None else rules.max_partitions
    ordered = sorted(parts, key=lambda part: -len(part.ops))
    kept = {index for part in ordered[:most] if len(part.ops) >= rules.min_partition_ops for index in part.ops}
    if kept == set(placement.claimed):
        return placement
    lost = {i: _left(graph.ops[i], part, parts, rules) for part in parts for i in part.ops if i not in kept}
    claimed = tuple(index for index in placement.claimed if index in kept)
    return replace(placement, claimed=claimed, refused=MappingProxyType({**placement.refused, **lost}))


def _left(op: Op, part: Partition, parts: list[Partition], rules: RuleSet) -> Reason:
    if len(part.ops) < rules.min_partition_ops:
        found, limit = f"{len(part.ops)} ops", f"{rules.min_partition_ops} or more"
        message = f"is alone with {found} in its partition, {rules.title} takes {limit}"
        return Reason("partition-too-small", message, op.index, op.name, found, limit)
    found, limit = f"{len(parts)} partitions", f"the {rules.max_partitions} largest"
    message = f"is in one of the smaller of {found}; by default {rules.title} keeps {limit}"
    return Reason("partition-not-kept", message, op.index, op.name, found, limit)


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
