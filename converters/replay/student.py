"""An int8 file as a student: what of it is learned, in units in which one rate fits all, and how it is written.

Weights are learned in steps of their own scale, which stays: what is learned is which way each is rounded, and further
where that pays. Biases are learned in steps of their result, scales of activations as the logarithm of a factor. So a
rate of a hundredth is a hundredth of a step in every layer of every network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.constants import ConstantEdit
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.replay.steps import Operand, Plan

Array = npt.NDArray[Any]
SCALES = "log_scales"
"""What the factors of the groups' scales are called among what is learned, ``[groups]``."""
_LARGEST = 127
# A weight further from its integer than this would not be explained by it.
_WITHIN = 0.499


def units(plan: Plan) -> dict[str, Array]:
    """Parameter to the step it is learned in; shapes that broadcast to the parameter's."""
    found: dict[str, Array] = {}
    for tensor, operand in plan.operands["weight"].items():
        found.setdefault(operand.parameter, weight_step(plan, tensor, operand))
    for step in plan.steps:
        for operand in step.operands:
            if operand.kind in ("bias", "grid", "plain") and operand.parameter not in found:
                found[operand.parameter] = _unit(plan, operand, step.rounding.get(step.results[0]))
    return found


def weight_step(plan: Plan, tensor: int, operand: Operand) -> Array:
    """The scales of a weight in the template, shaped to broadcast to it."""
    own = plan.template.main.tensors[tensor].quantization
    scales = np.asarray(own.scale if own else (1.0,), np.float32)
    rank = len(plan.template.main.tensors[tensor].shape)
    return scales[:1].reshape(()) if operand.axis is None else scales.reshape(_along(operand.axis, rank))


def _along(axis: int, rank: int) -> list[int]:
    return [-1 if a == axis else 1 for a in range(rank)]


def _unit(plan: Plan, operand: Operand, result: int | None) -> Array:
    if operand.kind == "grid":
        result = plan.group_of[operand.tensor]
    if operand.kind != "plain" and result is not None:
        return np.array(plan.groups[result].scale, np.float32)
    values = np.abs(plan.parameters[operand.parameter].values)
    return np.array(max(float(values.max(initial=0.0)) / _LARGEST, 1e-9), np.float32)


def started(plan: Plan) -> dict[str, Array]:
    """What is learned, as the template has it: parameters in their units, and no change of any scale."""
    own = units(plan)
    values = {name: (plan.parameters[name].values / unit).astype(np.float32) for name, unit in own.items()}
    return values | {SCALES: np.zeros(len(plan.groups), np.float32)}


def scales_of_groups(plan: Plan, learned: Mapping[str, Array]) -> Array:
    """The scale of each group; those that TFLite prescribes stay."""
    free = np.array([not group.fixed for group in plan.groups], np.float32)
    start = np.array([group.scale for group in plan.groups], np.float32)
    return np.asarray(start * np.exp(learned[SCALES] * free), np.float32)


def written(data: bytes, plan: Plan, learned: Mapping[str, Array]) -> bytes:
    """The template's bytes with what was learned."""
    editor_of, _ = parse_tree(data)
    edit = ConstantEdit(editor_of)
    scales, own = scales_of_groups(plan, learned), units(plan)
    weights = plan.operands["weight"]
    for tensor, group in plan.group_of.items():
        if tensor not in weights and not plan.groups[group].fixed:
            edit.set_scale(tensor, scales[group : group + 1])
    for tensor, operand in weights.items():
        edit.set_values(tensor, _integers(learned[operand.parameter], 0, -_LARGEST, _LARGEST).astype(np.int8))
    for tensor, operand in plan.operands["bias"].items():
        step = _bias_step(plan, operand, scales)
        limits = np.iinfo(np.int32)
        steps = learned[operand.parameter].astype(np.float64) * own[operand.parameter] / step
        edit.set_scale(tensor, step)
        edit.set_values(tensor, _integers(steps, 0, limits.min, limits.max).astype(np.int32))
    for tensor, operand in plan.operands["grid"].items():
        group = plan.group_of[tensor]
        steps = learned[operand.parameter] * own[operand.parameter] / scales[group]
        edit.set_values(tensor, _integers(steps, plan.groups[group].zero_point, -128, 127).astype(np.int8))
    for tensor, operand in plan.operands["plain"].items():
        edit.set_values(tensor, (learned[operand.parameter] * own[operand.parameter]).astype(np.float32))
    return pack_tree(editor_of)


def explained(data: bytes, plan: Plan, learned: Mapping[str, Array]) -> bytes:
    """The float file with the weights and biases that were learned: what the student's integers were rounded from."""
    root, _ = parse_tree(data)
    edit, own = ConstantEdit(root), units(plan)
    weights = {operand.parameter for operand in plan.operands["weight"].values()}
    for name, parameter in plan.parameters.items():
        values = learned[name]
        if name in weights:
            values = np.clip(values, -_LARGEST - _WITHIN, _LARGEST + _WITHIN)
        edit.set_values(parameter.tensor, (values * own[name]).astype(np.float32).reshape(parameter.values.shape))
    return pack_tree(root)


def _bias_step(plan: Plan, operand: Operand, scales: Array) -> Array:
    data, weight = operand.scales
    known = plan.template.main.tensors[weight].quantization
    kernel = np.asarray(known.scale if known else (1.0,), np.float32)
    found: Array = (scales[plan.group_of[data]] * kernel).astype(np.float32).reshape(-1)
    return found


def _integers(values: Array, zero: int, low: int, high: int) -> Array:
    found: Array = np.clip(np.rint(values) + zero, low, high)
    return found
