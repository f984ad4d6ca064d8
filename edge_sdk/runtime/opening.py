"""Opening a model: candidates are attempted as the policy says, until one is admitted or all are out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from edge_sdk.errors import DelegateUnavailableError, EdgeSdkError
from edge_sdk.runtime.attempting import Attempting, Tried
from edge_sdk.runtime.candidates import Candidate
from edge_sdk.runtime.loaded import Loaded
from edge_sdk.runtime.policy import Decision, Facts, Policy, Reason, decide, fastest
from edge_sdk.runtime.receipt import Attempt, Opening, SelfTest
from edge_sdk.runtime.wish import Subject, Wish


def open_model(wish: Wish) -> tuple[list[Loaded], Subject, Opening]:
    """Opens a model with the first candidate (or the fastest) that the policy admits, as often as is wished.

    Raises:
        DelegateUnavailableError: the policy admits none, and why for each; of a single candidate, its own error.
        TargetError: there is too little memory for any.
        ModelError: the engine refuses the model.
    """
    attempting = Attempting(wish)
    tried: dict[str, Tried] = {}
    names = [(one.name, one.accelerator) for one in wish.candidates]
    by_name = {one.name: one for one in wish.candidates}
    try:
        while (step := decide(wish.policy, names, _facts(tried))).next is not None:
            tried[step.next] = attempting.attempt(by_name[step.next])
            _close_losers(tried, decide(wish.policy, names, _facts(tried)))
    except BaseException:
        _close(tried.values())
        raise
    chosen_name = step.chosen
    if chosen_name is not None:
        tried[chosen_name] = attempting.with_best_threads(by_name[chosen_name], tried[chosen_name])
    attempts = tuple(_settled(one, step.reasons.get(one.name), tried.get(one.name), wish) for one in wish.candidates)
    chosen = next((one for one in attempts if one.candidate == step.chosen), None)
    if chosen is None:
        raise _refusal(attempts, tried)
    candidate = by_name[chosen.candidate]
    subject = wish.subject(candidate)
    need, model = wish.need(candidate, subject), subject.model
    opening = Opening(model.name, subject.variant, model.artifact.sha256, chosen, attempts, need, wish.replicas)
    return attempting.replicas(candidate, subject, tried[chosen.candidate].open, chosen.threads), subject, opening


def _facts(tried: Mapping[str, Tried]) -> dict[str, Facts]:
    return {name: one.facts for name, one in tried.items()}


def _close_losers(tried: dict[str, Tried], step: Decision) -> None:
    """Closes what the policy has turned down, and of several that it admits all but the fastest so far."""
    open_still = [name for name, one in tried.items() if one.loaded is not None]
    admitted = [name for name in open_still if name not in step.reasons or step.reasons[name] == "slower"]
    best = fastest(admitted, _facts(tried))
    for name in open_still:
        if name != best:
            tried[name].open.close()
            tried[name] = replace(tried[name], loaded=None)


def _close(tried: Iterable[Tried]) -> None:
    for one in tried:
        if one.loaded is not None:
            one.loaded.close()


def _settled(candidate: Candidate, reason: Reason | None, tried: Tried | None, wish: Wish) -> Attempt:
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


def _refusal(attempts: Sequence[Attempt], tried: Mapping[str, Tried]) -> EdgeSdkError:
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
