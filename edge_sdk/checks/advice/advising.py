"""The smallest change that would help a delegate most, found by trying: *predicted* by the delegate's own rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import Subgraph
from edge_sdk.checks.advice.changes import CONVERT, FOLLOWS, Change, changes
from edge_sdk.checks.advice.rewriting import first_part, last_part
from edge_sdk.checks.on_device import place_on_device
from edge_sdk.checks.placement.partition import partition
from edge_sdk.checks.placement.placing import Placement
from edge_sdk.checks.placement.rule_sets import rule_set
from edge_sdk.checks.runtimes import XnnpackEngine
from edge_sdk.checks.verdict import VERDICTS, Advice, Verdict, verdict_of
from edge_sdk.profile.records import Delegate
from edge_sdk.profile.rule_sets import rule_set_names

MOST_ADVICE = 3
_STEPS, _LARGE = 3, 500
_WORTH = 0.01
_HALF = 0.5
_SPLIT, _OPTION = "two files", "an option in the app"


@dataclass(frozen=True)
class Target:
    """Who is to take more: a delegate of a device, as a runtime brings it."""

    delegate: Delegate
    engine: XnnpackEngine | None = None

    @property
    def rules(self) -> str:
        """The rule set that holds."""
        return self.engine.rules if self.engine else self.delegate.rules


@dataclass(frozen=True)
class Trial:
    """A graph, what the delegate takes of it, and the changes that led there."""

    graph: Subgraph
    placement: Placement
    share: float
    partitions: int
    verdict: Verdict
    changes: tuple[Change, ...] = ()

    @property
    def rank(self) -> tuple[int, float, int, int, int]:
        """Larger is better: verdict, share of the work, fewer partitions, more ops, smaller changes."""
        cost = sum(change.cost for change in self.changes)
        return VERDICTS.index(self.verdict), round(self.share, 3), -self.partitions, len(self.placement.claimed), -cost

    @property
    def barred(self) -> int:
        """Ops that are refused for their own sake, not for what is refused beside them."""
        return sum(reason.rule not in FOLLOWS for reason in self.placement.refused.values())

    def helps(self, before: Trial) -> bool:
        """Whether this is better than before by more than a trifle."""
        if self.verdict != before.verdict:
            return VERDICTS.index(self.verdict) > VERDICTS.index(before.verdict)
        return self.share >= before.share + _WORTH or (
            self.share >= before.share and self.partitions < before.partitions
        )


def advise(graph: Subgraph, delegate: Delegate, engine: XnnpackEngine | None = None) -> tuple[Advice, ...]:
    """Up to :data:`MOST_ADVICE` changes for a delegate that does not take all, the most useful first.

    Tried are single changes (another recipe, batch 1, another op in the place of a refused one, an op left out), up to
    three of them one after the other (one in graphs of more than 500 ops, for time), the delegate's own option, and a
    cut before the first or after the last op that is refused. ``engine`` is the runtime that brings XNNPACK.
    """
    target = Target(delegate, engine)
    if target.rules not in rule_set_names() or not graph.ops:
        return ()
    now = _tried(graph, target, ())
    if now.verdict == "all":
        return ()
    first = _step(now, target)
    further = _further(first, target) if first is not None else None
    found = [first] if first is not None and first.helps(now) else []
    found += [further] if further is not None and further.helps(found[0] if found else now) else []
    advice = [_advice(now, trial) for trial in found]
    if not any(one.needs == CONVERT and one.verdict == "all" for one in advice):
        advice += [*_more_partitions(now, target), *_splits(now, target)]
    return tuple(advice[:MOST_ADVICE])


def _tried(graph: Subgraph, target: Target, made: tuple[Change, ...]) -> Trial:
    return _judged(graph, place_on_device(graph, target.delegate, target.engine), made)


def _judged(graph: Subgraph, placement: Placement, made: tuple[Change, ...]) -> Trial:
    parts = sum(part.delegated for part in partition(graph, placement.claimed))
    share = _share(graph, placement.claimed)
    return Trial(graph, placement, share, parts, verdict_of(len(placement.claimed), len(graph.ops), share, parts), made)


def _share(graph: Subgraph, claimed: tuple[int, ...]) -> float:
    """Of the MACs; of the ops where there are no MACs."""
    total = sum(macs(graph, op) for op in graph.ops)
    if not total:
        return len(claimed) / max(1, len(graph.ops))
    return sum(macs(graph, graph.ops[index]) for index in claimed) / total


def _trials(start: Trial, target: Target) -> Iterator[Trial]:
    for change in changes(start.graph, start.placement, target.delegate):
        graph = change.apply(start.graph)
        if graph is not None and graph.ops:
            yield _tried(graph, target, (*start.changes, change))


def _step(start: Trial, target: Target) -> Trial | None:
    """The most useful single change; where none is of use yet, the one that frees most ops; None where none does."""
    trials = list(_trials(start, target))
    better = [trial for trial in trials if trial.helps(start)]
    if better:
        return max(better, key=lambda trial: trial.rank)
    freer = [trial for trial in trials if trial.barred < start.barred]
    return min(freer, key=lambda trial: (trial.barred, -trial.rank[-1])) if freer else None


def _further(trial: Trial, target: Target) -> Trial:
    """More steps from there, as long as there are any."""
    steps = _STEPS if len(trial.graph.ops) <= _LARGE else 1
    while trial.verdict != "all" and len(trial.changes) < steps:
        following = _step(trial, target)
        if following is None:
            break
        trial = following
    return trial


def _more_partitions(now: Trial, target: Target) -> Iterator[Advice]:
    """The option that lets the delegate keep all its partitions."""
    if not any(reason.rule == "partition-not-kept" for reason in now.placement.refused.values()):
        return
    placement = place_on_device(now.graph, target.delegate, target.engine, all_partitions=True)
    trial = _judged(now.graph, placement, ())
    if trial.helps(now):
        words = f"set the delegate's option {rule_set(target.rules).partitions_option} to {trial.partitions}"
        yield Advice((words,), _OPTION, now.share, trial.share, now.partitions, trial.partitions, trial.verdict)


def _advice(now: Trial, trial: Trial) -> Advice:
    return Advice(
        changes=tuple(change.words for change in trial.changes),
        needs=max(trial.changes, key=lambda change: change.cost).needs,
        mac_share_now=now.share,
        mac_share=trial.share,
        partitions_now=now.partitions,
        partitions=trial.partitions,
        verdict=trial.verdict,
    )


def _splits(now: Trial, target: Target) -> Iterator[Advice]:
    """A first or a last part that is taken whole and holds most of the work."""
    refused, graph = sorted(now.placement.refused), now.graph
    if not refused:
        return
    begin = refused[-1] + 1
    for part, words in (
        (first_part(graph, refused[0]), f"split before op {refused[0]} {graph.ops[refused[0]].name}; the first file"),
        (last_part(graph, begin), f"split after op {refused[-1]} {graph.ops[refused[-1]].name}; the second file"),
    ):
        work = _share(
            graph, tuple(range(len(part.ops)) if part.ops[:1] == graph.ops[:1] else range(begin, len(graph.ops)))
        )
        if part.ops and work >= _HALF and _tried(part, target, ()).verdict == "all":
            text = f"{words}, {work:.0%} of the MACs, is taken whole"
            yield Advice((text,), _SPLIT, now.share, work, now.partitions, 1, "all")
