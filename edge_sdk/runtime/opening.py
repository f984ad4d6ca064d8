"""Opening a model: candidates are attempted as the policy says, until one is admitted or all are out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import Artifact
from edge_sdk.artifact.sound import formed
from edge_sdk.engines.delegates import open_with
from edge_sdk.engines.executor import Executor
from edge_sdk.engines.installed import Engine
from edge_sdk.engines.options import DelegateOptions
from edge_sdk.engines.source import ModelSource
from edge_sdk.engines.trying import try_once
from edge_sdk.errors import DelegateUnavailableError, EdgeSdkError, ModelError
from edge_sdk.runtime.candidates import Candidate
from edge_sdk.runtime.loaded import Loaded
from edge_sdk.runtime.memory import MemoryBudget, Need, check_free, predicted_need
from edge_sdk.runtime.policy import Decision, Facts, Policy, Reason, decide, fastest
from edge_sdk.runtime.receipt import Attempt, Opening, Placement, SelfTest
from edge_sdk.runtime.selftest import Trial, golden_trial, judge, seeded_trial, trial_bytes, untested
from edge_sdk.signature import Arrays

if TYPE_CHECKING:
    from edge_sdk.bundle.golden import GoldenCase

_TIMED_RUNS, _TIMED_MS = 5, 50.0
# Others are tried in a child process by their own modules.
_IN_THIS_PROCESS = frozenset({"cpu", "xnnpack"})


@dataclass(frozen=True)
class Subject:
    """A model to open: its variant and golden cases where it is from a bundle, None and nothing of a bare file.

    ``is_trusted`` is true of a bundle that a trusted key has signed.
    """

    model: ModelSource
    variant: str | None = None
    cases: tuple[GoldenCase, ...] = ()
    is_trusted: bool = False


@dataclass(frozen=True)
class Wish:
    """How a model is to be opened.

    Attributes:
        subject: the model for each candidate: a GPU may get another variant of a bundle than a CPU.
        candidates: what may be tried, in order.
        policy: the contract.
        engine: where.
        threads: CPU threads.
        cache_dir: see :class:`~edge_sdk.engines.options.DelegateOptions`.
        keep_state: likewise; the model is opened anew for it when it was tried, so that it starts from nothing.
        budget: that all sessions of this process share; None for no such limit.
        try_first: whether a file that nobody vouches for is tried once in a child process.
    """

    subject: Callable[[Candidate], Subject]
    candidates: tuple[Candidate, ...]
    policy: Policy
    engine: Engine
    threads: int = 1
    cache_dir: Path | None = None
    keep_state: bool = False
    budget: MemoryBudget | None = None
    try_first: bool = True

    def need(self, candidate: Candidate, subject: Subject) -> Need:
        """Memory, predicted."""
        drawn = 0 if subject.cases else trial_bytes(subject.model.artifact)
        return predicted_need(subject.model, delegate=candidate.delegate, trial_bytes=drawn)

    def options(self, candidate: Candidate) -> DelegateOptions:
        """What a delegate is told."""
        return DelegateOptions(
            engine=self.engine,
            threads=self.threads,
            library=candidate.library,
            library_options=candidate.options,
            cache_dir=self.cache_dir,
        )


@dataclass(frozen=True)
class _Tried:
    """An attempt so far: what the policy needs to know of it, what the receipt says, and what it left open."""

    facts: Facts
    attempt: Attempt
    error: EdgeSdkError | None = None
    loaded: Loaded | None = None


def open_model(wish: Wish) -> tuple[Loaded, Subject, Opening]:
    """Opens a model with the first candidate (or the fastest) that the policy admits.

    Raises:
        DelegateUnavailableError: the policy admits none, and why for each; of a single candidate, its own error.
        TargetError: there is too little memory for any.
        ModelError: the engine refuses the model.
    """
    attempting = _Attempting(wish)
    tried: dict[str, _Tried] = {}
    names = [(one.name, one.accelerator) for one in wish.candidates]
    by_name = {one.name: one for one in wish.candidates}
    try:
        while (step := decide(wish.policy, names, _facts(tried))).next is not None:
            tried[step.next] = attempting.attempt(by_name[step.next])
            _close_losers(tried, decide(wish.policy, names, _facts(tried)))
    except BaseException:
        _close(tried.values())
        raise
    attempts = tuple(_settled(one, step.reasons.get(one.name), tried.get(one.name), wish) for one in wish.candidates)
    chosen = next((one for one in attempts if one.candidate == step.chosen), None)
    if chosen is None:
        raise _refusal(attempts, tried)
    candidate = by_name[chosen.candidate]
    subject = wish.subject(candidate)
    need, model = wish.need(candidate, subject), subject.model
    opening = Opening(model.name, subject.variant, model.artifact.sha256, chosen, attempts, need)
    loaded = _loaded(tried[chosen.candidate])
    if wish.keep_state and model.artifact.is_stateful:
        loaded.close()
        loaded = _load(wish, candidate, subject, keep_state=True)
    return loaded, subject, opening


class _Attempting:
    """Attempts of one opening: they share what a model is tried on."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._trials: dict[str, Trial] = {}
        self._notes: dict[str, tuple[str, ...]] = {}

    def attempt(self, candidate: Candidate) -> _Tried:
        """Opens, runs, compares; leaves nothing open where that fails. A damaged bundle is no fault of a candidate."""
        subject = self._wish.subject(candidate)
        try:
            return self._attempt(candidate, subject)
        except EdgeSdkError as error:
            words = f"{error} ({error.hint})" if error.hint else str(error)
            attempt = Attempt(candidate.name, candidate.accelerator, "unavailable", words)
            return _Tried(Facts(unavailable=str(error)), attempt, error)

    def _attempt(self, candidate: Candidate, subject: Subject) -> _Tried:
        check_free(self._wish.need(candidate, subject), name=subject.model.name)
        self._try_first(subject)
        trial = self._trial(candidate, subject)
        began = time.perf_counter()
        loaded = _load(self._wish, candidate, subject)
        init_ms = (time.perf_counter() - began) * 1e3
        try:
            return self._tried(candidate, subject, loaded, trial, init_ms)
        except BaseException:
            loaded.close()
            raise

    def _try_first(self, subject: Subject) -> None:
        """Once for each file: with all that would run in this process."""
        key = subject.model.artifact.sha256
        if subject.is_trusted or not self._wish.try_first or key in self._notes:
            return
        named = {one.delegate for one in self._wish.candidates} | ({"cpu"} if self._wish.policy.self_test else set())
        delegates = sorted(named & _IN_THIS_PROCESS)
        note = try_once(subject.model, self._wish.engine, delegates, self._wish.threads)
        self._notes[key] = (note,) if note else ()

    def _tried(self, candidate: Candidate, subject: Subject, loaded: Loaded, trial: Trial, init_ms: float) -> _Tried:
        artifact, executor = subject.model.artifact, loaded.executor
        placement = _placement(artifact, executor, candidate)
        outputs, took = self._timed(candidate, executor, trial)
        verdict = judge(trial, outputs, artifact, executor, self._wish.policy.min_sqnr_db)
        run_ms = float(np.median(took[1:])) if took else None
        facts = Facts(
            ops=placement.ops,
            delegated=placement.delegated,
            partitions=placement.partitions,
            mac_share=placement.mac_share,
            self_test=verdict.result,
            run_ms=run_ms,
        )
        attempt = Attempt(
            candidate=candidate.name,
            accelerator=candidate.accelerator,
            outcome="chosen",
            variant=subject.variant,
            engine=executor.engine,
            placement=placement,
            self_test=verdict,
            init_ms=init_ms,
            first_run_ms=took[0] if took else None,
            run_ms=run_ms,
            notes=(*executor.notes, *self._notes.get(artifact.sha256, ())),
        )
        return _Tried(facts, attempt, loaded=loaded)

    def _timed(self, candidate: Candidate, executor: Executor, trial: Trial) -> tuple[list[Arrays], list[float]]:
        """On the CPU, inputs that were drawn may be senseless to the model: that is no fault of the candidate's."""
        try:
            return _timed(executor, trial)
        except ModelError:
            if trial.cases or candidate.accelerator != "cpu":
                raise
            return [], []

    def _trial(self, candidate: Candidate, subject: Subject) -> Trial:
        """What the bundle holds, else what the engine's own kernels compute; those have nothing to be held against."""
        if not self._wish.policy.self_test:
            return untested(subject.model, "the policy turns the self-test off")
        if subject.cases:
            return golden_trial(subject.cases)
        if candidate.delegate == "cpu":
            return untested(subject.model, "the engine's own kernels are the reference")
        key = subject.model.artifact.sha256
        if key not in self._trials:
            self._trials[key] = seeded_trial(subject.model, lambda: self._reference(subject))
        return self._trials[key]

    def _reference(self, subject: Subject) -> Loaded:
        return _load(self._wish, Candidate("cpu", "cpu"), subject)


def _load(wish: Wish, candidate: Candidate, subject: Subject, *, keep_state: bool = False) -> Loaded:
    """Within the budget. What is tried starts each run anew, as the reference does, whatever the user wants later."""
    need, budget, model = wish.need(candidate, subject), wish.budget, subject.model
    ticket = budget.take(model.name, need.total_bytes) if budget else 0
    try:
        options = replace(wish.options(candidate), keep_state=keep_state)
        return Loaded(open_with(candidate.delegate, model, options), budget, ticket)
    except BaseException:
        if budget:
            budget.give_back(ticket)
        raise


def _facts(tried: Mapping[str, _Tried]) -> dict[str, Facts]:
    return {name: one.facts for name, one in tried.items()}


def _timed(executor: Executor, trial: Trial) -> tuple[list[Arrays], list[float]]:
    """Outputs of each input, and what runs took in ms; the first is the first that this executor ever did."""
    outputs: list[Arrays] = []
    took: list[float] = []
    inputs = list(trial.inputs)
    while len(outputs) < len(inputs) + 1 or (len(took) <= _TIMED_RUNS and sum(took[1:]) < _TIMED_MS):
        executor.write(inputs[(len(outputs) - 1) % len(inputs)])
        began = time.perf_counter()
        executor.invoke()
        took.append((time.perf_counter() - began) * 1e3)
        outputs.append(executor.read())
    return outputs[1 : len(inputs) + 1], took


def _placement(artifact: Artifact, executor: Executor, candidate: Candidate) -> Placement:
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


def _close_losers(tried: dict[str, _Tried], step: Decision) -> None:
    """Closes what the policy has turned down, and of several that it admits all but the fastest so far."""
    open_still = [name for name, one in tried.items() if one.loaded is not None]
    admitted = [name for name in open_still if name not in step.reasons or step.reasons[name] == "slower"]
    best = fastest(admitted, _facts(tried))
    for name in open_still:
        if name != best:
            _loaded(tried[name]).close()
            tried[name] = replace(tried[name], loaded=None)


def _close(tried: Iterable[_Tried]) -> None:
    for one in tried:
        if one.loaded is not None:
            one.loaded.close()


def _loaded(tried: _Tried) -> Loaded:
    if tried.loaded is None:
        raise AssertionError("closed already")
    return tried.loaded


def _settled(candidate: Candidate, reason: Reason | None, tried: _Tried | None, wish: Wish) -> Attempt:
    """What the receipt says of a candidate."""
    untried = Attempt(candidate.name, candidate.accelerator, reason or "not-tried")
    attempt = tried.attempt if tried else untried
    if reason is None or reason == "unavailable":
        return attempt
    return replace(attempt, outcome=reason, detail=_words(reason, attempt, wish.policy))


def _words(reason: Reason, attempt: Attempt, policy: Policy) -> str:
    """The numbers behind a reason."""
    say: Mapping[Reason, Callable[[], str]] = {
        "forbidden": lambda: f"the policy forbids {attempt.accelerator}",
        "not-required": lambda: "the policy requires another accelerator",
        "placement-unknown": lambda: "the policy limits placement, and neither engine nor rules tell it",
        "ops-on-cpu": lambda: f"the policy forbids cpu, {attempt.placement}",
        "too-many-partitions": lambda: f"{attempt.placement}, the policy allows {policy.max_partitions} partitions",
        "too-few-macs": lambda: f"{attempt.placement}, the policy asks for {policy.min_mac_share:.0%} of MACs",
        "wrong-results": lambda: _faults(attempt.self_test),
        "too-slow": lambda: f"{attempt.run_ms:.3g} ms measured, the policy allows {policy.max_latency_ms:g} ms",
        "slower": lambda: f"{attempt.run_ms:.3g} ms measured",
        "not-tried": lambda: "an earlier candidate was admitted",
    }
    return say[reason]()


def _faults(verdict: SelfTest | None) -> str:
    return f"{'; '.join(verdict.faults)}, against {verdict.against}" if verdict else ""


def _refusal(attempts: Sequence[Attempt], tried: Mapping[str, _Tried]) -> EdgeSdkError:
    """One error for all; where the only thing attempted failed, or all failed for want of the same thing, that one."""
    errors = [one.error for one in tried.values() if one.error is not None]
    same = len({type(error) for error in errors}) == 1 and not isinstance(errors[0], DelegateUnavailableError)
    if errors and len(errors) == len(attempts) and (len(errors) == 1 or same):
        return errors[-1]
    listing = "; ".join(str(one) for one in attempts) or "there is none"
    return DelegateUnavailableError(
        f"the policy admits no way to run it: {listing}",
        hint="loosen the policy, name another delegate, or take `auto` to fall back to the CPU",
    )
