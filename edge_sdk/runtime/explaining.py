"""A failed self-test looked at again, before decisions: see ``decisions.py``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge_sdk.engines.executor import Executor
from edge_sdk.engines.source import ModelSource
from edge_sdk.runtime.decisions import Cut, Run, cut_at_decisions, decide_words, differing, is_close, name_of, parts
from edge_sdk.runtime.decisions import with_outputs as with_more_outputs
from edge_sdk.runtime.receipt import SelfTest
from edge_sdk.runtime.selftest import Trial, case_of, judge
from edge_sdk.signature import Arrays

if TYPE_CHECKING:
    from edge_sdk.bundle.golden import GoldenCase


@dataclass(frozen=True)
class Sides:
    """What runs a model on a trial's inputs: the engine's own kernels, and the candidate."""

    reference: Run
    candidate: Run


def explained(
    model: ModelSource, trial: Trial, verdict: SelfTest, executor: Executor, sides: Sides, *, least: float | None
) -> SelfTest:
    """The verdict, or a better one where decisions explain the fault.

    Outputs may differ where a decision came out otherwise, if everything right before the first decisions is within its
    limits, and what was decided were values closer than these differences.

    Args:
        model: that failed.
        trial: on what.
        verdict: that it failed.
        executor: that computed it; its arithmetic counts.
        sides: what runs a model on the trial's inputs.
        least: the policy's SQNR in dB.

    Raises:
        EdgeSdkError: the model cannot be opened with more outputs.
    """
    own = model.artifact.signature
    cut = cut_at_decisions(model.artifact.main, [tensor.index for tensor in own.outputs.values()])
    if not cut.decisions:
        return verdict
    decided = {index for op in cut.decisions.values() for index in op.outputs if index >= 0}
    wider = with_more_outputs(model, cut.values | decided)
    expected, got = sides.reference(wider), sides.candidate(wider)
    values = [name_of(wider.artifact, index) for index in sorted(cut.values)]
    before = _part(wider, trial, expected, values)
    found = judge(before, [parts(one, values) for one in got], wider.artifact, executor, least)
    if found.result != "passed":
        return replace(verdict, faults=(*verdict.faults, *found.faults))

    def judged(case: GoldenCase, outputs: Arrays) -> bool:
        alone = Trial([case.inputs], [case], trial.against)
        return judge(alone, [outputs], model.artifact, executor, least).result == "passed"

    if not _is_decided(judged, wider, cut, trial, (expected, got)):
        return verdict
    return replace(found, decided=decide_words(cut))


def _is_decided(
    judged: Callable[[GoldenCase, Arrays], bool],
    wider: ModelSource,
    cut: Cut,
    trial: Trial,
    made: tuple[Sequence[Arrays], Sequence[Arrays]],
) -> bool:
    """Whether in every run whose outputs are off a decision differs, and each that differs was a close one."""
    for case, expected, got in zip(trial.cases, *made, strict=True):
        # A bundle's outputs may be of another engine: what is not explained by ours stays a fault.
        if not judged(case, parts(expected, case.outputs)):
            return False
        others = differing(cut, wider.artifact, expected, got)
        if not others and not judged(case, parts(got, case.outputs)):
            return False
        if not all(is_close(op, wider.artifact, expected, got) for op in others):
            return False
    return True


def _part(wider: ModelSource, trial: Trial, expected: Sequence[Arrays], names: Sequence[str]) -> Trial:
    cases = [
        case_of(wider.artifact, case.inputs, parts(made, names))
        for case, made in zip(trial.cases, expected, strict=True)
    ]
    return Trial(trial.inputs, cases, trial.against)
