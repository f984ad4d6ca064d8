"""Which part of a model a delegate took: what the engine tells, else what rules predict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import Artifact
from edge_sdk.artifact.sound import formed
from edge_sdk.engines.executor import Executor
from edge_sdk.runtime.candidates import Candidate
from edge_sdk.runtime.receipt import Placement


def placement_of(artifact: Artifact, executor: Executor, candidate: Candidate) -> Placement:
    """What the engine tells, and of the rest what rules predict."""
    told = executor.placement()
    ops = len(artifact.main.ops)
    if told is not None and told.delegated is not None:
        share = _share(artifact, told.delegated)
        return Placement(ops, len(told.delegated), told.partitions, share, "measured", "measured")
    rules = _predicted(artifact, candidate)
    if told is None or told.count is None:
        return rules
    if rules.delegated == told.count:
        partitions = rules.partitions if told.partitions is None else told.partitions
        return replace(rules, partitions=partitions, told_by="measured")
    # The engine refutes the prediction; whichever ops it took, this is the least that they can amount to.
    least = _least_share(artifact, told.count)
    return Placement(ops, told.count, told.partitions, least, "measured", "measured", share_is_least=True)


def _predicted(artifact: Artifact, candidate: Candidate) -> Placement:
    from edge_sdk.checks.placement.partition import partition
    from edge_sdk.checks.placement.rule_sets import place_by
    from edge_sdk.profile.rule_sets import rule_set_names

    graph = artifact.main
    if candidate.rules not in rule_set_names():
        return Placement(len(graph.ops), None, None, None, None, None)
    with formed(artifact.path):
        claimed = place_by(candidate.rules, graph, level=candidate.level).claimed
        parts = sum(part.delegated for part in partition(graph, claimed))
    return Placement(len(graph.ops), len(claimed), parts, _share(artifact, claimed), "predicted", "predicted")


def _share(artifact: Artifact, taken: Iterable[int]) -> float:
    graph, taken = artifact.main, set(taken)
    work = {op.index: macs(graph, op) for op in graph.ops}
    total = sum(work.values())
    if not total:
        return len(taken) / len(graph.ops) if graph.ops else 1.0
    return sum(work[index] for index in taken) / total


def _least_share(artifact: Artifact, count: int) -> float:
    """The share of the ``count`` ops with the least work."""
    graph = artifact.main
    return _share(artifact, [op.index for op in sorted(graph.ops, key=lambda op: macs(graph, op))[:count]])
