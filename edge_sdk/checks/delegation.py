"""What one delegate of a device takes of a file: claims, shares, partitions. All of it is *predicted*."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import Artifact, Op, Subgraph
from edge_sdk.checks.delegates.ethos_u.check import as_vela_places, ask_vela, differing_ops
from edge_sdk.checks.delegates.ethos_u.vela_answer import VelaAnswer
from edge_sdk.checks.memory.callees import callees
from edge_sdk.checks.on_device import place_on_device
from edge_sdk.checks.placement.partition import Partition, partition
from edge_sdk.checks.placement.placing import Placement
from edge_sdk.checks.placement.rule_sets import rule_set
from edge_sdk.checks.placement.site import Reason
from edge_sdk.checks.runtimes import XnnpackEngine
from edge_sdk.checks.verdict import DelegateCheck, Obstacle, OpPlace, verdict_of
from edge_sdk.profile.records import Delegate
from edge_sdk.profile.rule_sets import rule_set_names

_Ops: TypeAlias = Sequence[tuple[Subgraph, Op]]


@dataclass(frozen=True)
class Placed:
    """One delegate on a file: a placement and a cut for each subgraph that runs, by index.

    ``vela``: what Arm's compiler said of the main subgraph, whose placement is its then; ``vela_failure``: how it
    failed; ``vela_differs``: ops that our own rules place otherwise.
    """

    artifact: Artifact
    placements: Mapping[int, Placement]
    cuts: Mapping[int, tuple[Partition, ...]]
    vela: VelaAnswer | None = None
    vela_failure: str = ""
    vela_differs: tuple[int, ...] = ()

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
    if (engine.rules if engine else delegate.rules) not in rule_set_names():
        return None
    placements: dict[int, Placement] = {}
    for index in callees(artifact):
        graph = artifact.subgraphs[index]
        placements[index] = place_on_device(graph, delegate, engine)
    main = artifact.main
    ours = placements[main.index]
    vela, failure = ask_vela(artifact, delegate)
    if vela is not None:
        placements[main.index] = as_vela_places(main, ours, vela)
    cuts = {index: partition(artifact.subgraphs[index], one.claimed) for index, one in placements.items()}
    return Placed(artifact, placements, cuts, vela, failure, differing_ops(ours, vela) if vela else ())


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
        verdict=verdict_of(len(claimed), len(every), share, len(parts)),
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
        places=tuple(_places(placed)),
        vela=placed.vela,
        vela_failure=placed.vela_failure,
        vela_differs=placed.vela_differs,
        on_chip_bytes=None if delegate.on_chip_kib is None else delegate.on_chip_kib << 10,
    )


def _places(placed: Placed) -> Iterator[OpPlace]:
    delegated = [part for cut in placed.cuts.values() for part in cut if part.delegated]
    numbers = {id(part): number for number, part in enumerate(delegated)}
    for index, cut in placed.cuts.items():
        inside = {op: numbers[id(part)] for part in cut if part.delegated for op in part.ops}
        graph = placed.artifact.subgraphs[index]
        for op in graph.ops:
            result = next((tensor.name for tensor in graph.results(op)), "")
            reason = placed.placements[index].refused.get(op.index)
            yield OpPlace(index, op.index, op.name, result, inside.get(op.index), reason)


def _share(weigh: Callable[[Subgraph, Op], int], some: _Ops, every: _Ops) -> float:
    total = sum(weigh(graph, op) for graph, op in every)
    return sum(weigh(graph, op) for graph, op in some) / total if total else 0.0


def _touched(graph: Subgraph, op: Op) -> int:
    """Bytes that an op reads and writes."""
    return sum(tensor.size_bytes for tensor in (*graph.operands(op), *graph.results(op)))


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
