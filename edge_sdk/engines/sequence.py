"""Several calls of one open model that belong together, such as prefill and then decode: run, compared, timed as one.

State is set back before the first call and kept until the last. An input whose name, shape and dtype are those of an
earlier call's output is handed that output, the latest of them, as caches are; the others are the caller's to give.
Stored integers are handed on where they stand for the same real values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy.typing as npt

from edge_sdk.artifact.indices import free_integers, index_bounds
from edge_sdk.artifact.model import Artifact, Tensor
from edge_sdk.data.seeded import seeded_samples
from edge_sdk.engines.values import is_scaled
from edge_sdk.errors import SignatureError
from edge_sdk.signature import Arrays, TensorSpec, check_arrays


class Callee(Protocol):
    """One signature of an open model."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What goes in."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What comes out."""

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """One run."""

    def stage(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Callable[[], None]:
        """What runs it on these inputs and does nothing else."""


@dataclass(frozen=True)
class Planned:
    """One call of a sequence: ``label`` is the signature's key, with ``@2`` for its second call and so on."""

    label: str
    key: str
    carried: Mapping[str, str]
    """Input to the label of the call whose output of the same name it gets."""


@dataclass(frozen=True)
class Call(Planned):
    """The same with what is called."""

    callee: Callee


class CallSequence:
    """Calls as if they were one model. Made by ``Session.sequence``; for one thread at a time.

    Inputs and outputs are named ``LABEL/NAME``: ``decode@2/logits`` is what the second call of ``decode`` gave.
    """

    def __init__(self, callees: Sequence[tuple[str, Callee]], reset: Callable[[], None], artifact: Artifact) -> None:
        self.calls = tuple(_calls(callees, artifact))
        self._reset = reset
        self.artifact = artifact

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What :meth:`run` takes: of each call what no earlier one hands on."""
        return tuple(
            replace(spec, name=f"{call.label}/{spec.name}")
            for call in self.calls
            for spec in call.callee.inputs
            if spec.name not in call.carried
        )

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What :meth:`run` gives: all outputs of all calls."""
        return tuple(
            replace(spec, name=f"{call.label}/{spec.name}") for call in self.calls for spec in call.callee.outputs
        )

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """All calls in order, from the state that the model was opened with; errors as ``Session.run``."""
        check_names(self.inputs, inputs)
        self._reset()
        made: Arrays = {}
        for call in self.calls:
            outputs = call.callee.run(_given(call, inputs, made))
            made |= {f"{call.label}/{name}": values for name, values in outputs.items()}
        return made

    def drawn(self, *, count: int, seed: int) -> Iterator[Arrays]:
        """Seeded inputs; see :func:`~edge_sdk.data.seeded.seeded_samples`."""
        bounds: dict[str, int] = {}
        free: set[str] = set()
        for call in self.calls:
            entered = self.artifact.with_signature(call.key)
            bounds |= {f"{call.label}/{name}": bound for name, bound in index_bounds(entered).items()}
            free |= {f"{call.label}/{name}" for name in free_integers(entered)}
        return seeded_samples(self.inputs, count=count, seed=seed, index_bounds=bounds, free=free)

    def stage(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Callable[[], None]:
        """What runs all calls in order and does nothing else: for measuring, on inputs as a run leaves them."""
        self.run(inputs)
        made = self.run(inputs)
        stages = [call.callee.stage(_given(call, inputs, made)) for call in self.calls]

        def run() -> None:
            for stage in stages:
                stage()

        return run


def _given(call: Call, inputs: Mapping[str, npt.NDArray[Any]], made: Mapping[str, npt.NDArray[Any]]) -> Arrays:
    return {
        spec.name: made[f"{call.carried[spec.name]}/{spec.name}"]
        if spec.name in call.carried
        else inputs[f"{call.label}/{spec.name}"]
        for spec in call.callee.inputs
    }


def check_names(specs: Sequence[TensorSpec], inputs: Mapping[str, npt.NDArray[Any]]) -> None:
    """Whether just these inputs are there; shapes and values each call checks itself.

    Raises:
        SignatureError: one is missing, or too many.
    """
    if {spec.name for spec in specs} != set(inputs):
        check_arrays(specs, inputs)
        raise SignatureError(f"expected inputs {', '.join(map(str, specs))}, got {', '.join(inputs)}")


def _calls(callees: Sequence[tuple[str, Callee]], artifact: Artifact) -> list[Call]:
    entered = {key: artifact.with_signature(key).signature for key, _ in callees}
    planned = plan_calls(
        [
            (key, _stepped(callee.inputs, entered[key].inputs), _stepped(callee.outputs, entered[key].outputs))
            for key, callee in callees
        ]
    )
    return [Call(one.label, one.key, one.carried, callee) for one, (_, callee) in zip(planned, callees, strict=True)]


@dataclass(frozen=True)
class _Stepped(TensorSpec):
    """Stored integers, and what they stand for; None of all else."""

    steps: tuple[object, ...] | None = None


def _stepped(specs: Sequence[TensorSpec], tensors: Mapping[str, Tensor]) -> list[TensorSpec]:
    made: list[TensorSpec] = []
    for spec in specs:
        tensor = tensors[spec.name]
        known = tensor.quantization
        steps = (known.scale, known.zero_point) if known and is_scaled(tensor) and spec.dtype == tensor.dtype else None
        made.append(_Stepped(spec.name, spec.shape, spec.dtype, spec.layout, steps))
    return made


def plan_calls(signatures: Sequence[tuple[str, Sequence[TensorSpec], Sequence[TensorSpec]]]) -> list[Planned]:
    """Labels of calls, and which outputs they hand on.

    Args:
        signatures: of each call its key, inputs and outputs.

    Raises:
        SignatureError: there is none.
    """
    if not signatures:
        raise SignatureError("a sequence holds one call at least", hint="name signatures, in order")
    counts: Counter[str] = Counter()
    given: list[tuple[str, Sequence[TensorSpec]]] = []
    made: list[Planned] = []
    for key, inputs, outputs in signatures:
        counts[key] += 1
        label = key if counts[key] == 1 else f"{key}@{counts[key]}"
        carried = {spec.name: source for spec in inputs if (source := _source(spec, given)) is not None}
        made.append(Planned(label, key, carried))
        given.append((label, outputs))
    return made


def _source(spec: TensorSpec, earlier: Sequence[tuple[str, Sequence[TensorSpec]]]) -> str | None:
    """The latest call with such an output."""
    fits = (
        label
        for label, outputs in reversed(earlier)
        for one in outputs
        if (one.name, one.shape, one.dtype) == (spec.name, spec.shape, spec.dtype)
        and getattr(one, "steps", None) == getattr(spec, "steps", None)
    )
    return next(fits, None)
