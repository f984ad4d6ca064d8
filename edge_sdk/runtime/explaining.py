"""A failed self-test looked at again, before decisions: see ``decisions.py``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edge_sdk.artifact.model import Artifact
from edge_sdk.engines.executor import Executor
from edge_sdk.engines.source import ModelSource
from edge_sdk.errors import ModelError
from edge_sdk.runtime.decisions import (
    Apart,
    Cut,
    Run,
    after_decisions,
    apart,
    cut_at_decisions,
    decide_words,
    differing,
    name_of,
    parts,
)
from edge_sdk.runtime.decisions import with_outputs as with_more_outputs
from edge_sdk.runtime.receipt import SelfTest
from edge_sdk.runtime.selftest import Trial, case_of, judge
from edge_sdk.signature import Arrays

if TYPE_CHECKING:
    from edge_sdk.bundle.golden import GoldenCase


@dataclass(frozen=True)
class Sides:
    """What runs a model: the engine's own kernels, and the candidate."""

    reference: Run
    candidate: Run


@dataclass(frozen=True)
class _Looked:
    """Both sides' outputs, a run each, of the model with what is decided on among its outputs."""

    wider: ModelSource
    cut: Cut
    expected: Sequence[Arrays]
    got: Sequence[Arrays]

    def margins(self) -> dict[int, Apart]:
        """Of decisions that came out otherwise and name places, the worst of all runs, by op."""
        found: dict[int, Apart] = {}
        for expected, got in zip(self.expected, self.got, strict=True):
            for op in differing(self.cut, self.wider.artifact, expected, got):
                one = apart(op, self.wider.artifact, expected, got)
                if one is not None:
                    found[op.index] = max(found.get(op.index, one), one, key=_excess)
        return found


def _excess(one: Apart) -> float:
    return one.found - one.allowed


def explained(
    model: ModelSource, trial: Trial, verdict: SelfTest, executor: Executor, sides: Sides, *, least: float | None
) -> SelfTest:
    """The verdict, or a better one where decisions explain the fault.

    Outputs may differ where a decision came out otherwise, if everything right before the first decisions is within its
    limits, and if from there on the candidate makes of its own values what the engine's own kernels make of them. Where
    these cannot be given those values, what was decided must be values closer than the sides' differences.

    Args:
        model: that failed.
        trial: on what.
        verdict: that it failed.
        executor: that computed it; its arithmetic counts.
        sides: what runs a model.
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
    inputs = [dict(one) for one in trial.inputs]
    looked = _Looked(wider, cut, sides.reference(wider, inputs), sides.candidate(wider, inputs))
    values = [name_of(wider.artifact, index) for index in sorted(cut.values)]
    before = _part(wider.artifact, trial, looked.expected, values)
    found = judge(before, [parts(one, values) for one in looked.got], wider.artifact, executor, least)
    if found.result != "passed":
        return replace(verdict, faults=(*verdict.faults, *found.faults))

    def judged(case: GoldenCase, outputs: Arrays) -> bool:
        alone = Trial([case.inputs], [case], trial.against)
        return judge(alone, [outputs], model.artifact, executor, least).result == "passed"

    # A bundle's outputs may be of another engine: what is not explained by ours stays a fault.
    if not all(judged(case, parts(one, case.outputs)) for case, one in zip(trial.cases, looked.expected, strict=True)):
        return verdict
    margins = looked.margins()
    again = _replayed(model, looked, trial, sides, executor, least)
    if again is None:
        again = _is_close(judged, looked, trial, margins)
    elif not again:
        # What the replay decides otherwise it may have decided between values as close as these: ranks alone can tell.
        again = len(margins) == len(cut.decisions) and _is_close(judged, looked, trial, margins)
    if not again:
        return verdict
    return replace(found, decided=decide_words(cut, margins))


def _replayed(
    model: ModelSource, looked: _Looked, trial: Trial, sides: Sides, executor: Executor, least: float | None
) -> bool | None:
    """Whether the candidate's outputs are those of the engine's own kernels on the candidate's values before decisions.

    None where these values cannot be put in there.
    """
    after = after_decisions(model, looked.cut)
    if after is None:
        return None
    entry, wider = after.artifact.signature, looked.wider.artifact
    given = [
        {name: _value(wider, tensor.index, case, got) for name, tensor in entry.inputs.items()}
        for case, got in zip(trial.cases, looked.got, strict=True)
    ]
    try:
        made = sides.reference(after, given)
    except ModelError:
        return None
    names = {name: name_of(wider, tensor.index) for name, tensor in entry.outputs.items()}
    cases = [case_of(after.artifact, one, outputs) for one, outputs in zip(given, made, strict=True)]
    got = [{name: one[theirs] for name, theirs in names.items()} for one in looked.got]
    alone = Trial(given, cases, trial.against)
    return judge(alone, got, after.artifact, executor, least).result == "passed"


def _value(wider: Artifact, index: int, case: GoldenCase, got: Arrays) -> Any:
    """Of the candidate's run: what it computed, or an input of the model."""
    inputs = {tensor.index: name for name, tensor in wider.signature.inputs.items()}
    return case.inputs[inputs[index]] if index in inputs else got[name_of(wider, index)]


def _is_close(
    judged: Callable[[GoldenCase, Arrays], bool], looked: _Looked, trial: Trial, margins: dict[int, Apart]
) -> bool:
    """Whether in every run whose outputs are off a decision differs, and each that names places was a close one."""
    for case, expected, got in zip(trial.cases, looked.expected, looked.got, strict=True):
        others = differing(looked.cut, looked.wider.artifact, expected, got)
        if not others and not judged(case, parts(got, case.outputs)):
            return False
    return all(_excess(one) <= 0 for one in margins.values())


def _part(artifact: Artifact, trial: Trial, expected: Sequence[Arrays], names: Sequence[str]) -> Trial:
    cases = [
        case_of(artifact, case.inputs, parts(made, names)) for case, made in zip(trial.cases, expected, strict=True)
    ]
    return Trial(trial.inputs, cases, trial.against)
