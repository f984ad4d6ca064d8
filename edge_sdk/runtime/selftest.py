"""The self-test that admits a delegate: its outputs against golden ones, or those of the engine's own kernels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.compute import compute_type
from edge_sdk.artifact.model import Artifact
from edge_sdk.engines.executor import Executor
from edge_sdk.engines.seeded_inputs import SEEDED_CASES, seeded_inputs
from edge_sdk.engines.source import ModelSource
from edge_sdk.errors import ModelError
from edge_sdk.runtime.loaded import Loaded
from edge_sdk.runtime.receipt import SelfTest
from edge_sdk.signature import Arrays

if TYPE_CHECKING:
    from edge_sdk.bundle.golden import GoldenCase
    from edge_sdk.bundle.manifest import Limit

# In dB, by what a candidate computes in; POLICY.md says why.
_LEAST_DB = {"integer": 6.0, "float32": 60.0, "float16": 30.0, "bfloat16": 20.0}
# Where an output is hardly more than zero, a ratio to its power says nothing.
_LEAST_FLOAT_ERROR, _FEW_STEPS = 1e-6, 4
# Of an output's largest value.
_HARDLY = 1e-3
_FLOAT64_BYTES = 8
_INTEGER_COMPUTE = ("int8", "uint8", "int16", "hybrid_int8")


@dataclass(frozen=True)
class Trial:
    """What a model is tried on.

    Attributes:
        inputs: raw values, a run each; at least one.
        cases: the same with what should come out; empty where nothing is known to compare with.
        against: the reference in words.
    """

    inputs: Sequence[Mapping[str, npt.NDArray[Any]]]
    cases: Sequence[GoldenCase]
    against: str


def golden_trial(cases: Sequence[GoldenCase]) -> Trial:
    """On a bundle's golden cases."""
    return Trial([case.inputs for case in cases], cases, "the bundle's golden outputs")


def seeded_trial(model: ModelSource, reference: Callable[[], Loaded]) -> Trial:
    """On seeded inputs, with what the engine's own kernels make of them.

    Args:
        model: a bare file.
        reference: opens it on those kernels; closed again when their outputs are known.
    """
    inputs = seeded_inputs(model.artifact)
    try:
        loaded = reference()
    except ModelError as error:
        # Compiled for an accelerator: nothing else has its ops.
        return untested(model, f"the engine's own kernels cannot run it ({error})")
    try:
        engine = loaded.executor.engine
        expected = [run_once(loaded.executor, one) for one in inputs]
    except ModelError as error:
        # Values that mean something, such as a shape, cannot be drawn.
        return untested(model, f"the model does not run on seeded inputs ({error})")
    finally:
        loaded.close()
    cases = [case_of(model.artifact, given, made) for given, made in zip(inputs, expected, strict=True)]
    return Trial(inputs, cases, f"{engine}'s own kernels")


def untested(model: ModelSource, why: str) -> Trial:
    """Inputs to time a model on, and nothing to compare with."""
    return Trial(seeded_inputs(model.artifact)[:1], (), why)


def trial_bytes(artifact: Artifact) -> int:
    """What the seeded cases take; while an input is drawn it is there in float64 as well."""
    inputs = [tensor.size_bytes for tensor in artifact.signature.inputs.values()]
    outputs = [tensor.size_bytes for tensor in artifact.signature.outputs.values()]
    drawn = max((_FLOAT64_BYTES * math.prod(tensor.shape) for tensor in artifact.signature.inputs.values()), default=0)
    return SEEDED_CASES * (sum(inputs) + sum(outputs)) + drawn


def judge(
    trial: Trial, outputs: Sequence[Arrays], artifact: Artifact, executor: Executor, least: float | None
) -> SelfTest:
    """The verdict on a candidate's outputs.

    Args:
        trial: what it ran on.
        outputs: raw, a run each.
        artifact: the model.
        executor: what computed them.
        least: SQNR in dB that every output must reach instead of the case's own limits.
    """
    if not trial.cases:
        return SelfTest(None, trial.against)
    pairs = zip(trial.cases, outputs, strict=True)
    faults = [fault for case, got in pairs for fault in faults_of(case, got, artifact, executor, least)]
    passed: Literal["passed", "failed"] = "failed" if faults else "passed"
    return SelfTest(passed, trial.against, len(trial.cases), tuple(dict.fromkeys(faults)), _doubt(trial))


def faults_of(
    case: GoldenCase, got: Arrays, artifact: Artifact, executor: Executor, least: float | None
) -> tuple[str, ...]:
    """What is wrong with the raw outputs of one case; arguments as :func:`judge`."""
    integer = ("integer",) if computes_in_integers(artifact) else ()
    limited, arithmetic = _limited(case, (*integer, executor.arithmetic), least)
    return tuple(fault.message for fault in limited.faults(got, cast("Any", arithmetic)))


def computes_in_integers(artifact: Artifact) -> bool:
    """Whether any op does: kernels may then differ by a step wherever they round."""
    return any(compute_type(graph, op) in _INTEGER_COMPUTE for graph, op in artifact.all_ops())


def _doubt(trial: Trial) -> str:
    """What weakens the verdict: a model that says the same whatever it is shown cannot be caught computing wrong."""
    first, *others = trial.cases
    for name, values in first.outputs.items():
        largest = np.max(np.abs(values), initial=0) if values.dtype.kind != "b" else 1
        if any(
            np.max(np.abs(np.subtract(one.outputs[name], values, dtype=_wide(values))), initial=0) > _HARDLY * largest
            for one in others
        ):
            return ""
    return "its outputs hardly vary from case to case, so that agreement proves little" if others else ""


def _wide(values: npt.NDArray[Any]) -> type[np.generic]:
    return np.complex128 if values.dtype.kind == "c" else np.float64


def run_once(executor: Executor, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
    """Outputs of one run, raw."""
    executor.write(inputs)
    executor.invoke()
    return executor.read()


def case_of(artifact: Artifact, inputs: Mapping[str, npt.NDArray[Any]], outputs: Arrays) -> GoldenCase:
    """A case of raw values. Limits are put in when it is known what a candidate computes in."""
    from edge_sdk.bundle.describe import describe_signature
    from edge_sdk.bundle.golden import GoldenCase

    ports = {port.name: port for port in describe_signature(artifact).outputs}
    return GoldenCase(inputs, outputs, MappingProxyType({}), MappingProxyType(ports))


def _limited(case: GoldenCase, kinds: Sequence[str], least: float | None) -> tuple[GoldenCase, str]:
    """The case with limits for one of these arithmetics: its own, unless it has none or the policy states another."""
    for kind in kinds if least is None else ():
        if all(any(one.arithmetic == kind for one in case.tolerance.get(name, ())) for name in case.outputs):
            return case, kind
    limits = {name: (_limit(case, name, kinds[0], least),) for name in case.outputs}
    return replace(case, tolerance=MappingProxyType(limits)), kinds[0]


def _limit(case: GoldenCase, name: str, arithmetic: str, least: float | None) -> Limit:
    from edge_sdk.bundle.golden import real_values
    from edge_sdk.bundle.manifest import Limit

    def made(kind: Literal["max_abs_error", "sqnr_db"], value: float, words: str) -> Limit:
        return Limit(cast("Any", arithmetic), kind, value, words)

    port, expected = case.ports[name], case.outputs[name]
    if port.scale is None and expected.dtype.kind not in "fc":
        return made("max_abs_error", 0.0, "whole numbers are equal or wrong")
    largest = float(np.max(np.abs(np.nan_to_num(real_values(expected, port), posinf=0, neginf=0)), initial=0.0))
    smallest = _FEW_STEPS * port.scale if port.scale else _LEAST_FLOAT_ERROR
    if largest <= smallest:
        return made("max_abs_error", smallest, "all but zero is expected")
    if least is not None:
        return made("sqnr_db", least, "the policy's min_sqnr_db")
    return made("sqnr_db", _LEAST_DB[arithmetic], f"for arithmetic in {arithmetic}")
