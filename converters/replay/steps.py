"""What a plan of training holds: scales that tensors share, constants that are trained, ops in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy.typing as npt

from edge_sdk.artifact.model import Artifact, Op

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Group:
    """Tensors of the template with one scale and zero point; ``fixed`` where TFLite prescribes them."""

    scale: float
    zero_point: int
    fixed: bool
    tensors: tuple[int, ...]


@dataclass(frozen=True)
class Parameter:
    """A float constant that is trained: ``tensor`` is its index in the float file, ``name`` is unique."""

    tensor: int
    name: str
    values: Array


@dataclass(frozen=True)
class Operand:
    """What an op reads.

    Attributes:
        kind: ``value`` (computed, or an input), ``constant``, ``weight`` (int8, scales from its own extremes), ``bias``
            (int32), ``grid`` (an int8 constant on a learned scale), ``plain`` (a parameter left in float), ``none``.
        tensor: index in the template.
        parameter: name, for those that are trained.
        axis: of a weight's scales; None for one scale.
        scales: tensors of the template whose scales a bias multiplies: data and weight.
        sampled: whether it gets the sample axis that values have; weights and biases do not.
    """

    kind: Literal["value", "constant", "weight", "bias", "grid", "plain", "none"]
    tensor: int = -1
    parameter: str = ""
    axis: int | None = None
    scales: tuple[int, int] = (-1, -1)
    sampled: bool = True


@dataclass(frozen=True)
class Step:
    """One op of the template.

    Attributes:
        op: as the file has it.
        operands: in the op's order.
        results: tensors of the template.
        shapes: of the results.
        rounding: result to group, where the result is rounded to a grid.
    """

    op: Op
    operands: tuple[Operand, ...]
    results: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]
    rounding: Mapping[int, int]


@dataclass(frozen=True)
class Plan:
    """All that an engine needs.

    Attributes:
        template: the int8 file.
        steps: in order.
        groups: of scales.
        parameters: by name.
        constants: template tensor to its real value, as the file computes with it.
        exact: likewise for those that are rounded: what the float file has in their place.
        group_of: template tensor to group.
        float_ops: results of ops that compute in float.
    """

    template: Artifact
    steps: tuple[Step, ...]
    groups: tuple[Group, ...]
    parameters: Mapping[str, Parameter]
    constants: Mapping[int, Array] = field(repr=False)
    exact: Mapping[int, Array] = field(repr=False)
    group_of: Mapping[int, int] = field(repr=False)
    float_ops: tuple[str, ...] = ()

    @cached_property
    def operands(self) -> Mapping[str, Mapping[int, Operand]]:
        """Kind of operand to those of that kind, by their tensor in the template."""
        found: dict[str, dict[int, Operand]] = {"weight": {}, "bias": {}, "grid": {}, "plain": {}}
        for step in self.steps:
            for operand in step.operands:
                if operand.kind in found:
                    found[operand.kind][operand.tensor] = operand
        return found
