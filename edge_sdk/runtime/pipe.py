"""Two models in a row, each in a thread of its own: while the second runs on one sample, the first runs on the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any, Protocol, TypeVar

import numpy.typing as npt

from edge_sdk.errors import SignatureError, nearest
from edge_sdk.signature import Arrays, TensorSpec

T = TypeVar("T")
Link = Mapping[str, str] | Callable[[Arrays], Mapping[str, npt.NDArray[Any]]]
"""Inputs of the second model from outputs of the first: their names, or a function that makes them."""


class Stage(Protocol):
    """What a pipe is made of: a session, or a pipe."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What goes in."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What comes out."""

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """One run."""

    def run_many(
        self,
        samples: Iterable[Any],
        *,
        prepare: Callable[[Any], Mapping[str, npt.NDArray[Any]]] | None = None,
        waiting: int = 2,
    ) -> Iterator[Arrays]:
        """Runs on samples, in order."""


class Pipe:
    """One model after the other. Made by ``Session.pipe``; it closes neither. A pipe may be a stage of another.

    Args:
        first: gets the samples.
        second: gets what the first makes of them.
        link: names of the second's inputs to names of the first's outputs, or a function from the first's outputs to
            the second's inputs; None where names are the same, or there is one of each.

    Raises:
        SignatureError: an input of the second comes from nowhere, or does not fit what it comes from.
    """

    def __init__(self, first: Stage, second: Stage, link: Link | None = None) -> None:
        self._first = first
        self._second = second
        self._link = link if callable(link) else _by_name(first.outputs, second.inputs, link)

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Those of the first."""
        return self._first.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Those of the second."""
        return self._second.outputs

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """One run of each; errors as ``Session.run``."""
        return self._second.run(self._link(self._first.run(inputs)))

    def run_many(
        self,
        samples: Iterable[T],
        *,
        prepare: Callable[[T], Mapping[str, npt.NDArray[Any]]] | None = None,
        waiting: int = 2,
    ) -> Iterator[Arrays]:
        """As ``Session.run_many``, in order; where ``waiting`` samples wait before a model, what comes before waits."""
        made = self._first.run_many(samples, prepare=prepare, waiting=waiting)
        with closing(self._second.run_many(made, prepare=self._link, waiting=waiting)) as results:  # type: ignore[type-var]
            yield from results


def _by_name(
    outputs: tuple[TensorSpec, ...], inputs: tuple[TensorSpec, ...], names: Mapping[str, str] | None
) -> Callable[[Arrays], Arrays]:
    """The function that hands values on, once it is sure that they fit."""
    if names is None and len(outputs) == len(inputs) == 1:
        names = {inputs[0].name: outputs[0].name}
    wanted = {spec.name: (names or {}).get(spec.name, spec.name) for spec in inputs}
    given = {spec.name: spec for spec in outputs}
    for name in names or ():
        if name not in wanted:
            raise SignatureError(f"pipe: the second model has no input `{name}`{nearest(name, wanted)}")
    for spec in inputs:
        source = wanted[spec.name]
        if source not in given:
            raise SignatureError(
                f"pipe: the first model has no output `{source}` for input `{spec.name}` of the second"
                f"{nearest(source, given)}",
                hint=f"link={{{spec.name!r}: OUTPUT}}; its outputs are {', '.join(given)}",
            )
        _check(given[source], spec)
    return lambda made: {name: made[source] for name, source in wanted.items()}


def _check(output: TensorSpec, target: TensorSpec) -> None:
    fits = len(output.shape) == len(target.shape) and all(
        a is None or b is None or a == b for a, b in zip(output.shape, target.shape, strict=True)
    )
    if not fits or output.dtype != target.dtype:
        raise SignatureError(
            f"pipe: output {output} of the first model does not fit input {target} of the second",
            hint="give link= a function that makes the one of the other",
        )
