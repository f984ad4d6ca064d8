"""A file's main subgraph in the order in which it runs: what each op computes in, costs, and keeps in memory."""

from __future__ import annotations

from dataclasses import dataclass

from edge_sdk.artifact.compute import ComputeType, compute_type, macs
from edge_sdk.artifact.model import Artifact, Op, Subgraph
from edge_sdk.checks.memory.need import ArenaPlan, plan_memory


@dataclass(frozen=True)
class TimelineOp:
    """One op, at its place in time.

    Attributes:
        op: its index in the main subgraph.
        name: of its type.
        result: name of its first result.
        computes: the arithmetic of TFLite's own kernel for it.
        macs: multiply-accumulates of one run.
        live_bytes: bytes of the arena that are alive while it runs without a delegate, padding left out.
    """

    op: int
    name: str
    result: str
    computes: ComputeType
    macs: int
    live_bytes: int


@dataclass(frozen=True)
class Timeline:
    """All ops of the main subgraph; memory is *predicted* by the planner's own rules, for a run without a delegate.

    Attributes:
        ops: in execution order.
        arena_bytes: size of the arena: what is alive at once, with padding and gaps.
        peak_op: the first op at which most is alive; None for an arena that stays empty.
        peak_alive: name and bytes of what is alive there, the largest first.
        complete: whether every kernel's memory is known; if not, the sizes are lower bounds.
    """

    ops: tuple[TimelineOp, ...]
    arena_bytes: int
    peak_op: int | None
    peak_alive: tuple[tuple[str, int], ...]
    complete: bool


def timeline(artifact: Artifact) -> Timeline:
    """The main subgraph's.

    Raises:
        ModelError: an op has operands that its kernel refuses.
    """
    graph = artifact.main
    plan = plan_memory(artifact).subgraphs[0]
    live = _live_bytes(plan, len(graph.ops))
    ops = tuple(_described(graph, op, live[place]) for place, op in enumerate(graph.ops))
    alive = tuple((one.name, one.size_bytes) for one in plan.peak.alive) if plan.peak else ()
    peak = plan.peak.ops[0] if plan.peak else None
    return Timeline(ops, plan.arena_bytes, peak, alive, not plan.unknown_ops)


def _described(graph: Subgraph, op: Op, live_bytes: int) -> TimelineOp:
    result = next((tensor.name for tensor in graph.results(op)), "")
    return TimelineOp(op.index, op.name, result, compute_type(graph, op), macs(graph, op), live_bytes)


def _live_bytes(plan: ArenaPlan, ops: int) -> list[int]:
    """For each op; a tensor that takes over another's memory adds none."""
    changes = [0] * (ops + 1)
    for tensor in plan.tensors:
        if tensor.shares is None:
            changes[tensor.first_op] += tensor.size_bytes
            changes[tensor.last_op + 1] -= tensor.size_bytes
    live, total = [], 0
    for change in changes[:ops]:
        total += change
        live.append(total)
    return live
