"""Runs a plan in any framework: the order of steps, and what each operand is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from edge_sdk.artifact.ties import AVERAGING
from edge_sdk.converters.layout import Port
from edge_sdk.converters.replay.ops import KERNELS
from edge_sdk.converters.replay.steps import Operand, Plan, Step
from edge_sdk.errors import TrainingError


class Weights(Protocol):
    """What an engine has beside its primitives, for one run."""

    def constant(self, tensor: int) -> Any:
        """A float constant of the template, as a tensor."""
        ...

    def plain(self, operand: Operand) -> Any:
        """A parameter as it is."""
        ...

    def weight(self, operand: Operand) -> Any:
        """A parameter rounded to int8 with scales from its own extremes."""
        ...

    def bias(self, operand: Operand) -> Any:
        """A parameter rounded to the product of two scales."""
        ...

    def grid(self, operand: Operand) -> Any:
        """A parameter rounded to the scale of its group."""
        ...

    def round(self, value: Any, group: int, *, away: bool) -> Any:
        """A value rounded to the scale of a group; ``away``: halves away from zero, as integer kernels do."""
        ...


@dataclass(frozen=True)
class Gate:
    """An input or output of the template: its name and layout in the source, its tensor and shape in the file."""

    name: str
    axes: tuple[int, ...] | None
    tensor: int
    shape: tuple[int, ...]


def gates(plan: Plan, ports: tuple[Port, ...], tensors: tuple[int, ...]) -> tuple[Gate, ...]:
    """Ports with their tensors.

    Raises:
        TrainingError: one does not begin with a batch of 1.
    """
    found = tuple(
        Gate(port.name, port.axes, index, plan.template.main.tensors[index].shape)
        for port, index in zip(ports, tensors, strict=True)
    )
    for gate in found:
        if not gate.shape or gate.shape[0] != 1 or (gate.axes and gate.axes[0] != 0):
            raise TrainingError(
                f"`{gate.name}` has shape {list(gate.shape)} in the file, and training needs a batch of 1 in front",
                hint="leave --batch out for training",
            )
    return found


def feed(b: Any, gate: Gate, value: Any) -> Any:
    """A batch in the source's layout as the engine's value."""
    moved = b.transpose(value, gate.axes) if gate.axes else value
    return b.expand(moved, 1)


def result(b: Any, gate: Gate, value: Any) -> Any:
    """An engine's value as a batch in the source's layout."""
    flat = b.reshape(value, (-1, *gate.shape[1:]))
    return b.transpose(flat, tuple(int(a) for a in np.argsort(gate.axes))) if gate.axes else flat


def execute(plan: Plan, b: Any, feeds: Mapping[int, Any], weights: Weights) -> dict[int, Any]:
    """Runs all steps; returns every value by its tensor in the template."""
    values = dict(feeds)
    for step in plan.steps:
        values.update(execute_step(plan, b, step, values, weights))
    return values


def execute_step(plan: Plan, b: Any, step: Step, values: Mapping[int, Any], weights: Weights) -> dict[int, Any]:
    """Runs one step on the values that it reads."""
    arguments = [_argument(plan, b, operand, values, weights) for operand in step.operands]
    made = {}
    for index, value in zip(step.results, KERNELS[step.op.name](b, step, arguments), strict=True):
        group = step.rounding.get(index)
        away = step.op.name in AVERAGING
        made[index] = value if group is None else weights.round(value, group, away=away)
    return made


def _argument(plan: Plan, b: Any, operand: Operand, values: Mapping[int, Any], weights: Weights) -> Any:
    if operand.kind == "value":
        return values[operand.tensor]
    if operand.kind == "none":
        return None
    if operand.kind == "constant":
        known = plan.constants[operand.tensor]
        if known.dtype.kind != "f":
            return known
        made = weights.constant(operand.tensor)
    else:
        made = getattr(weights, operand.kind)(operand)
    return b.expand(made, 0) if operand.sampled else made
