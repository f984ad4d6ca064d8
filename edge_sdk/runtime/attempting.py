"""One candidate attempted: opened, run, compared, timed; and with the number of threads that serves it best."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np

from edge_sdk.engines.delegates import open_with
from edge_sdk.engines.executor import Executor
from edge_sdk.engines.source import ModelSource
from edge_sdk.engines.trying import try_once
from edge_sdk.errors import EdgeSdkError, ModelError
from edge_sdk.runtime import threads as best_threads
from edge_sdk.runtime.candidates import Candidate
from edge_sdk.runtime.cores import Cores, find_cores
from edge_sdk.runtime.explaining import Sides, explained
from edge_sdk.runtime.loaded import Loaded
from edge_sdk.runtime.memory import check_free
from edge_sdk.runtime.placed import placement_of
from edge_sdk.runtime.policy import Facts
from edge_sdk.runtime.receipt import Attempt, SelfTest
from edge_sdk.runtime.rehearsal import rehearse
from edge_sdk.runtime.selftest import Trial, golden_trial, judge, run_once, seeded_trial, untested
from edge_sdk.runtime.wish import Subject, Wish
from edge_sdk.signature import Arrays

_TIMED_RUNS, _TIMED_MS = 5, 50.0
# Others are tried in a child process by their own modules.
_IN_THIS_PROCESS = frozenset({"cpu", "xnnpack"})


@dataclass(frozen=True)
class Tried:
    """An attempt so far: what the policy needs to know of it, what the receipt says, and what it left open."""

    facts: Facts
    attempt: Attempt
    error: EdgeSdkError | None = None
    loaded: Loaded | None = None

    @property
    def open(self) -> Loaded:
        """What it left open."""
        if self.loaded is None:
            raise AssertionError("closed already")
        return self.loaded


class Attempting:
    """Attempts of one opening: they share what a model is tried on."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._trials: dict[str, Trial] = {}
        self._notes: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._cores: Cores = find_cores()
        self._choices = best_threads.choices(self._cores, wish.replicas) if wish.threads is None else (wish.threads,)

    def attempt(self, candidate: Candidate) -> Tried:
        """Opens, runs, compares; leaves nothing open where that fails. A damaged bundle is no fault of a candidate."""
        subject = self._wish.subject(candidate)
        known = self._recalled(candidate, subject)
        try:
            return self._attempt(candidate, subject, self._choices[0] if known is None else known.threads)
        except EdgeSdkError as error:
            words = f"{error} ({error.hint})" if error.hint else str(error)
            attempt = Attempt(candidate.name, candidate.accelerator, "unavailable", words, notes=subject.notes)
            return Tried(Facts(unavailable=str(error)), attempt, error)

    def with_best_threads(self, candidate: Candidate, tried: Tried) -> Tried:
        """The chosen one with the number of threads that serves it best, where that is to be found."""
        if self._wish.threads is not None:
            return tried
        subject = self._wish.subject(candidate)
        known = self._recalled(candidate, subject)
        if known is not None:
            return _noted(tried, known.words(remembered=True, pinned=self._pins(known.threads)))
        if candidate.accelerator != "cpu" or tried.attempt.run_ms is None:
            why = "it was not timed" if candidate.accelerator == "cpu" else f"it runs on {candidate.accelerator}"
            return _noted(tried, f"threads=auto took {tried.attempt.threads}: {why}")
        try:
            found, left_out = self._measured(candidate, subject, tried)
            again = tried
            if found.threads != tried.attempt.threads:
                again = self._attempt(candidate, subject, found.threads)
                if again.facts.self_test == "failed":
                    again.open.close()
                    return _noted(tried, f"on {found.threads} threads it computes otherwise: it stays on one")
                tried.open.close()
        except BaseException:
            tried.open.close()
            raise
        best_threads.remember(self._key(candidate, subject), found)
        words = found.words(remembered=False, pinned=self._pins(found.threads))
        return _noted(again, *left_out, words)

    def replicas(self, candidate: Candidate, subject: Subject, first: Loaded, threads: int) -> list[Loaded]:
        """The one that was tried, and as many more as are wished: anew where it must start from nothing."""
        wish, opened = self._wish, [first]
        try:
            if wish.keep_state and subject.model.artifact.is_stateful:
                first.close()
                opened[0] = self._load(candidate, subject, threads, keep_state=True)
            while len(opened) < wish.replicas:
                check_free(wish.need(candidate, subject), name=f"replica {len(opened) + 1} of {subject.model.name}")
                opened.append(self._load(candidate, subject, threads))
        except BaseException:
            for one in opened:
                one.close()
            raise
        return opened

    def _measured(self, candidate: Candidate, subject: Subject, tried: Tried) -> tuple[best_threads.Settled, list[str]]:
        """Of all numbers of threads for which there is memory; and why not of others."""
        executors, left_out = {tried.attempt.threads: tried.open.executor}, []
        with ExitStack() as stack:
            for count in self._choices[1:]:
                try:
                    check_free(self._wish.need(candidate, subject), name=subject.model.name)
                    loaded = self._load(candidate, subject, count)
                except EdgeSdkError as error:
                    left_out.append(f"{count} threads were not measured: {error}")
                    continue
                stack.callback(loaded.close)
                executors[count] = loaded.executor
            with self._cores.pinned(max(executors)):
                return best_threads.measured(executors, self._trial(candidate, subject).inputs[0]), left_out

    def _recalled(self, candidate: Candidate, subject: Subject) -> best_threads.Settled | None:
        if self._wish.threads is not None:
            return None
        found = best_threads.recall(self._key(candidate, subject))
        return found if found and found.threads in self._choices else None

    def _key(self, candidate: Candidate, subject: Subject) -> str:
        artifact = subject.model.artifact
        names = (artifact.sha256, artifact.signature.key, str(self._wish.engine), candidate.name)
        return best_threads.key_of(names, self._cores, self._wish.replicas)

    def _pins(self, threads: int) -> bool:
        if self._wish.threads is not None:
            return False
        with self._cores.pinned(threads) as pins:
            return pins

    def _attempt(self, candidate: Candidate, subject: Subject, threads: int) -> Tried:
        check_free(self._wish.need(candidate, subject), name=subject.model.name)
        self._try_first(candidate, subject)
        trial = self._trial(candidate, subject)
        began = time.perf_counter()
        loaded = self._load(candidate, subject, threads)
        init_ms = (time.perf_counter() - began) * 1e3
        try:
            tried = self._tried(candidate, subject, loaded, trial, init_ms)
        except BaseException:
            loaded.close()
            raise
        return replace(tried, attempt=replace(tried.attempt, threads=threads))

    def _try_first(self, candidate: Candidate, subject: Subject) -> None:
        """Once for each file and candidate, with all of it that would run in this process."""
        artifact, reference = subject.model.artifact, {"cpu"} if self._wish.policy.self_test else set()
        delegates = sorted(({candidate.delegate} | reference) & _IN_THIS_PROCESS)
        key = (artifact.sha256, *delegates)
        if subject.is_trusted or not self._wish.try_first or not delegates or key in self._notes:
            return
        note = try_once(subject.model, self._wish.engine, delegates, max(self._choices))
        self._notes[key] = (note,) if note else ()

    def _tried(self, candidate: Candidate, subject: Subject, loaded: Loaded, trial: Trial, init_ms: float) -> Tried:
        artifact, executor = subject.model.artifact, loaded.executor
        placement = placement_of(artifact, executor, candidate)
        outputs, took = self._timed(candidate, executor, trial)
        least = self._wish.policy.min_sqnr_db
        verdict = judge(trial, outputs, artifact, executor, least)
        if verdict.result == "failed":
            with suppress(EdgeSdkError):
                sides = self._sides(candidate, subject)
                verdict = explained(subject.model, trial, verdict, executor, sides, least=least)
        verdict, said = self._rehearsed(candidate, subject, verdict)
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
            notes=(*subject.notes, *executor.notes, *said, *dict.fromkeys(chain.from_iterable(self._notes.values()))),
        )
        return Tried(facts, attempt, loaded=loaded)

    def _rehearsed(self, candidate: Candidate, subject: Subject, verdict: SelfTest) -> tuple[SelfTest, tuple[str, ...]]:
        """The bundle's sequences of calls too, in an interpreter of their own, which keeps state."""
        if not subject.sequences or not self._wish.policy.self_test or verdict.result == "failed":
            return verdict, ()
        loaded = self._load(candidate, subject, self._choices[0], keep_state=True)
        try:
            return rehearse(verdict, subject.sequences, subject.model, loaded, self._wish.policy.min_sqnr_db)
        finally:
            loaded.close()

    def _sides(self, candidate: Candidate, subject: Subject) -> Sides:
        def run(one: Candidate, model: ModelSource, given: Sequence[Arrays]) -> list[Arrays]:
            loaded = self._load(one, replace(subject, model=model), self._choices[0])
            try:
                return [run_once(loaded.executor, inputs) for inputs in given]
            finally:
                loaded.close()

        return Sides(partial(run, Candidate("cpu", "cpu")), partial(run, candidate))

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
        return self._load(Candidate("cpu", "cpu"), subject, self._choices[0])

    def _load(self, candidate: Candidate, subject: Subject, threads: int, *, keep_state: bool = False) -> Loaded:
        """Within the budget. What is tried starts each run anew, as the reference does, whatever is wanted later."""
        need, budget, model = self._wish.need(candidate, subject), self._wish.budget, subject.model
        ticket = budget.take(model.name, need.total_bytes) if budget else 0
        try:
            options = replace(self._wish.options(candidate, threads), keep_state=keep_state)
            if self._wish.threads is not None:
                return Loaded(open_with(candidate.delegate, model, options), budget, ticket)
            with self._cores.pinned(threads):
                return Loaded(open_with(candidate.delegate, model, options), budget, ticket)
        except BaseException:
            if budget:
                budget.give_back(ticket)
            raise


def _noted(tried: Tried, *notes: str) -> Tried:
    return replace(tried, attempt=replace(tried.attempt, notes=(*tried.attempt.notes, *notes)))


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
