"""The self-test over calls of several signatures: a bundle's golden sequences on a candidate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edge_sdk.engines.executor import Executor
from edge_sdk.engines.sequence import CallSequence
from edge_sdk.engines.source import ModelSource
from edge_sdk.engines.values import to_raw
from edge_sdk.errors import ModelError, TargetError
from edge_sdk.runtime.loaded import Loaded
from edge_sdk.runtime.ports import Ports, beside, ports_of
from edge_sdk.runtime.receipt import SelfTest
from edge_sdk.runtime.selftest import faults_of
from edge_sdk.signature import Arrays

if TYPE_CHECKING:
    from edge_sdk.bundle.golden import GoldenCase, SequenceCases


class _Calls:
    """One signature of what is open, on real values."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self.inputs, self.outputs = ports.input_specs, ports.output_specs
        self.run = ports.run

    def stage(self, inputs: Any) -> Any:
        self._ports.run(inputs)
        return self._ports.executor.invoke


def rehearse(
    verdict: SelfTest, sequences: Sequence[SequenceCases], model: ModelSource, loaded: Loaded, least: float | None
) -> tuple[SelfTest, tuple[str, ...]]:
    """The verdict once the sequences were run too, and what to say of them.

    Args:
        verdict: on the single signature.
        sequences: of the bundle.
        model: what is open.
        loaded: it, with state kept between runs.
        least: SQNR in dB that every output must reach instead of the case's own limits.
    """
    first = ports_of(loaded.executor, model.artifact.signature, values="real", nan="pass")
    faults: list[str] = []
    notes: list[str] = []
    count = 0
    for one in sequences:
        words = " then ".join(one.calls)
        try:
            callees = [(key, _Calls(beside(first, model, key))) for key in one.calls]
        except TargetError as error:
            notes.append(f"the golden runs of {words} were not made: {error}")
            continue
        sequence = CallSequence(callees, loaded.executor.reset, model.artifact)
        faults += [
            f"{words}: {fault}"
            for case in one.cases
            for fault in _faults(case, sequence, model, loaded.executor, least)
        ]
        count += len(one.cases)
        notes.append(f"self-test: {len(one.cases)} golden runs of {words} are among its cases")
    result = "failed" if faults else verdict.result or ("passed" if count else None)
    said = (*verdict.faults, *dict.fromkeys(faults))
    return replace(verdict, result=result, cases=verdict.cases + count, faults=said), tuple(notes)


def _faults(
    case: GoldenCase, sequence: CallSequence, model: ModelSource, executor: Executor, least: float | None
) -> tuple[str, ...]:
    try:
        made = sequence.run(case.inputs)
    except ModelError as error:
        return (str(error),)
    return faults_of(case, _raw(made, sequence), model.artifact, executor, least)


def _raw(made: Arrays, sequence: CallSequence) -> Arrays:
    raw: Arrays = {}
    for call in sequence.calls:
        for name, tensor in sequence.artifact.with_signature(call.key).signature.outputs.items():
            label = f"{call.label}/{name}"
            raw[label] = to_raw(made[label], tensor)
    return raw
