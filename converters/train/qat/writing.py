"""Learned weights, biases and scales into the template, and trained weights into the float file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.constants import ConstantEdit
from edge_sdk.artifact.model import Artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.replay.steps import Operand, Plan

Array = npt.NDArray[Any]


def write_template(data: bytes, plan: Plan, parameters: Mapping[str, Array], scales: Array) -> bytes:
    """The template's bytes with what was learned.

    Args:
        data: the template.
        plan: made from it.
        parameters: values by name.
        scales: one for each group, float32.
    """
    root, _ = parse_tree(data)
    editor = ConstantEdit(root)
    for tensor, group in plan.group_of.items():
        if tensor not in plan.operands["weight"]:
            editor.set_scale(tensor, scales[group : group + 1])
    for tensor, operand in plan.operands["weight"].items():
        values = parameters[operand.parameter]
        own = weight_scale(values, operand.axis)
        editor.set_scale(tensor, np.atleast_1d(own))
        editor.set_values(tensor, _rounded(values, _spread(own, operand.axis, values.ndim), -127, 127).astype(np.int8))
    for tensor, operand in plan.operands["bias"].items():
        step = bias_step(plan, operand, parameters, scales)
        editor.set_scale(tensor, np.atleast_1d(step))
        limits = np.iinfo(np.int32)
        values = np.clip(np.rint(parameters[operand.parameter].astype(np.float64) / step), limits.min, limits.max)
        editor.set_values(tensor, values.astype(np.int32))
    for tensor, operand in plan.operands["grid"].items():
        place = plan.group_of[tensor]
        zero = plan.groups[place].zero_point
        ints = _rounded(parameters[operand.parameter], scales[place], -128 - zero, 127 - zero) + zero
        editor.set_values(tensor, ints.astype(np.int8))
    for tensor, operand in plan.operands["plain"].items():
        editor.set_values(tensor, parameters[operand.parameter].astype(np.float32))
    return pack_tree(root)


def write_float(data: bytes, plan: Plan, parameters: Mapping[str, Array]) -> bytes:
    """The float file's bytes with the trained weights."""
    root, _ = parse_tree(data)
    editor = ConstantEdit(root)
    for name, parameter in plan.parameters.items():
        editor.set_values(parameter.tensor, parameters[name].astype(np.float32))
    return pack_tree(root)


def weight_scale(values: Array, axis: int | None) -> Any:
    """Scales that put the largest weight on 127; a channel of zeros gets 1/127."""
    others = tuple(a for a in range(values.ndim) if a != axis)
    largest = np.abs(values).max(axis=others if axis is not None else None)
    return (np.where(largest > 0, largest, 1.0) / np.float32(127)).astype(np.float32)


def bias_step(plan: Plan, operand: Operand, parameters: Mapping[str, Array], scales: Array) -> Any:
    """The product of the data's scale and the weight's."""
    data, weight = operand.scales
    partner = plan.operands["weight"].get(weight)
    if partner is not None:
        own = weight_scale(parameters[partner.parameter], partner.axis)
    else:
        known = plan.template.main.tensors[weight].quantization
        own = np.asarray(known.scale if known else (1.0,), np.float32)
    return (scales[plan.group_of[data]] * own).astype(np.float32)


def scales_of(artifact: Artifact) -> dict[str, tuple[float, int]]:
    """Tensor name to scale and zero point, for int8 tensors that are no constants."""
    return {
        tensor.name: (tensor.quantization.scale[0], tensor.quantization.zero_point[0])
        for tensor in artifact.main.tensors
        if tensor.quantization is not None and tensor.constant is None
    }


def _spread(scale: Any, axis: int | None, rank: int) -> Any:
    return scale if axis is None else scale.reshape([-1 if a == axis else 1 for a in range(rank)])


def _rounded(values: Array, scale: Any, low: int, high: int) -> Array:
    found: Array = np.clip(np.rint(values / scale), low, high)
    return found
