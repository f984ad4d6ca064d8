"""What a template says about training: which tensors are quantized together, which constants are trained."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge_sdk.artifact.model import Artifact, Op, Tensor
from edge_sdk.artifact.ties import AVERAGING, FIXED, MOVING, Ties
from edge_sdk.converters.replay.ops import KERNELS
from edge_sdk.converters.replay.steps import Array, Group, Operand, Parameter, Plan, Step
from edge_sdk.errors import TrainingError
from edge_sdk.parity.pairing import pair_ops

_WEIGHT_AXIS = {"CONV_2D": 0, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0, "DEPTHWISE_CONV_2D": 3}
_WEIGHT_PLACE = {"CONV_2D": 1, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 1, "DEPTHWISE_CONV_2D": 1}
_BIAS_PLACE = {"CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3, "DEPTHWISE_CONV_2D": 2}
_DATA_PLACE = {"TRANSPOSE_CONV": 2}
_BIG = 1e4
_WRITTEN = {"PADV2": "PAD"}
"""A border of the least value before a maximum is one of zeros where none is below: behind a RELU."""


def make_plan(template: Artifact, lowered: Artifact, *, whole: bool = True) -> Plan:
    """Reads a template beside the float file that it was made from.

    Args:
        template: the int8 file.
        lowered: the float file.
        whole: every op must have its partner in the float file; otherwise those without one keep their constants.

    Raises:
        TrainingError: ops that the engine has no kernel for, or files that do not correspond; lists all of them.
    """
    _refuse_unknown(template)
    groups, group_of = _groups(template)
    some = {} if whole else {pair.candidate.index: pair.reference for pair in pair_ops(lowered, template)}
    partners = _partners(template, lowered) if whole else some
    builder = _Builder(template, lowered, group_of)
    steps = tuple(builder.step(op, partners.get(op.index)) for op in template.main.ops)
    return Plan(
        template,
        steps,
        groups,
        builder.parameters,
        builder.constants,
        builder.exact,
        group_of,
        tuple(_float_results(template)),
    )


def _refuse_unknown(template: Artifact) -> None:
    graph = template.main
    unknown = sorted({op.name for op in graph.ops if op.name not in KERNELS})
    if unknown:
        where = "; ".join(
            f"{name} `{graph.tensors[op.outputs[0]].name.split(';')[-1][-60:]}`"
            for name in unknown
            for op in graph.ops
            if op.name == name
        )
        raise TrainingError(
            f"these ops cannot be trained through: {where}",
            hint="take recipe static_wi8_ai8, or replace them in the source model",
        )


def _groups(template: Artifact) -> tuple[tuple[Group, ...], dict[int, int]]:
    tensors = template.main.tensors
    grids = {t.index: _grid(t) for t in tensors if _on_grid(t)}
    joined = Ties(grids)
    fixed: set[int] = set()
    for op in template.main.ops:
        results = [i for i in op.outputs if i in grids]
        if op.name in FIXED:
            fixed.update(results)
        if op.name in MOVING | AVERAGING or op.name == "QUANTIZE":
            for one in [i for i in op.inputs if i in grids]:
                for other in [i for i in results if grids[i] == grids[one]]:
                    joined.join(one, other)
    members = joined.members()
    groups = tuple(Group(*grids[part[0]], bool(fixed & set(part)), part) for part in members)
    return groups, {tensor: place for place, part in enumerate(members) for tensor in part}


def _grid(tensor: Tensor) -> tuple[float, int]:
    """Scale and zero point, as int8: the ends of a uint8 file are the same grid, shifted."""
    if tensor.quantization is None:
        raise ValueError("a tensor on a grid has a scale")
    shift = 128 if tensor.dtype == "uint8" else 0
    return tensor.quantization.scale[0], tensor.quantization.zero_point[0] - shift


def _on_grid(tensor: Tensor) -> bool:
    """Int8 with one scale; weights of dot products are sorted out where they are used."""
    return tensor.dtype in ("int8", "uint8") and tensor.quantization is not None and len(tensor.quantization.scale) == 1


def _partners(template: Artifact, lowered: Artifact) -> dict[int, Op]:
    """Op of the template to the op of the float file that it was made from."""
    ours = [op for op in template.main.ops if op.name not in ("QUANTIZE", "DEQUANTIZE")]
    theirs = list(lowered.main.ops)
    if [_written(op) for op in ours] == [_written(op) for op in theirs]:
        return {one.index: other for one, other in zip(ours, theirs, strict=True)}
    results = {op.index: [lowered.main.tensors[index].name for index in op.outputs] for op in theirs}
    # The quantizer calls the first of several results by all their names.
    named = {(op.name, name): op for op in theirs for name in (results[op.index][0], ";".join(results[op.index]))}
    keys = {op.index: (op.name, template.main.tensors[op.outputs[0]].name) for op in ours}
    lost = [f"{name} `{result}`" for name, result in keys.values() if (name, result) not in named]
    if lost:
        raise TrainingError(
            f"the quantizer rewrote the graph: {len(lost)} ops have no partner in the float file: "
            f"{', '.join(lost[:6])}",
            hint="take recipe static_wi8_ai8 and report this model",
        )
    return {index: named[key] for index, key in keys.items()}


def _written(op: Op) -> str:
    """What the quantizer writes for a kind of op."""
    return _WRITTEN.get(op.name, op.name)


def _float_results(template: Artifact) -> list[str]:
    graph = template.main
    return [
        f"{op.name} `{graph.tensors[op.outputs[0]].name.split(';')[-1][-60:]}`"
        for op in graph.ops
        if op.name not in ("QUANTIZE", "DEQUANTIZE") and graph.tensors[op.outputs[0]].dtype == "float32"
    ]


class _Builder:
    """Sorts the operands of ops; collects parameters and constants."""

    def __init__(self, template: Artifact, lowered: Artifact, group_of: Mapping[int, int]) -> None:
        self._tensors = template.main.tensors
        self._lowered = lowered.main.tensors
        self._group_of = group_of
        # An unrolled layer adds in one step what is a bias in another: it is one constant, trained or not.
        self._dots = {
            op.inputs[place]
            for op in lowered.main.ops
            for place in (_WEIGHT_PLACE.get(op.name), _BIAS_PLACE.get(op.name))
            if place is not None and place < len(op.inputs)
        }
        self.parameters: dict[str, Parameter] = {}
        self.constants: dict[int, Array] = {}
        self.exact: dict[int, Array] = {}

    def step(self, op: Op, partner: Op | None) -> Step:
        operands = tuple(self._operand(op, place, partner) for place in range(len(op.inputs)))
        shapes = tuple(self._tensors[i].shape for i in op.outputs)
        return Step(op, operands, op.outputs, shapes, self._rounding(op))

    def _rounding(self, op: Op) -> dict[int, int]:
        found = {i: self._group_of[i] for i in op.outputs if i in self._group_of}
        if op.name not in MOVING:
            return found
        sources = {self._group_of[i] for i in op.inputs if i in self._group_of}
        return {i: group for i, group in found.items() if sources != {group}}

    def _operand(self, op: Op, place: int, partner: Op | None) -> Operand:
        index = op.inputs[place]
        if index < 0:
            return Operand("none")
        tensor = self._tensors[index]
        if tensor.constant is None:
            return Operand("value", index)
        original = self._original(partner, place)
        dot = place in (_BIAS_PLACE.get(op.name), _WEIGHT_PLACE.get(op.name))
        if original is None or not (dot or original.index in self._dots or _is_trainable(original)):
            if original is not None:
                self.exact[index] = original.values()
            return self._constant(tensor, sampled=not dot)
        if _BIAS_PLACE.get(op.name) == place:
            return self._bias(op, index, original)
        if _WEIGHT_PLACE.get(op.name) == place:
            return self._weight(op, tensor, original)
        return Operand("grid" if index in self._group_of else "plain", index, self._parameter(original))

    def _original(self, partner: Op | None, place: int) -> Tensor | None:
        """The float constant behind a constant of the template."""
        if partner is None or place >= len(partner.inputs) or partner.inputs[place] < 0:
            return None
        tensor = self._lowered[partner.inputs[place]]
        return tensor if tensor.constant is not None and tensor.dtype == "float32" else None

    def _weight(self, op: Op, tensor: Tensor, original: Tensor) -> Operand:
        name = self._parameter(original)
        if tensor.dtype == "float32":
            return Operand("plain", tensor.index, name, sampled=False)
        per_channel = tensor.quantization is not None and tensor.quantization.per_channel
        axis = _WEIGHT_AXIS[op.name] if per_channel else None
        return Operand("weight", tensor.index, name, axis, sampled=False)

    def _bias(self, op: Op, index: int, original: Tensor) -> Operand:
        name = self._parameter(original)
        if self._tensors[index].dtype == "float32":
            return Operand("plain", index, name, sampled=False)
        data = op.inputs[_DATA_PLACE.get(op.name, 0)]
        return Operand("bias", index, name, scales=(data, op.inputs[_WEIGHT_PLACE[op.name]]), sampled=False)

    def _parameter(self, original: Tensor) -> str:
        name = f"p{original.index}"
        if name not in self.parameters:
            self.parameters[name] = Parameter(original.index, name, original.values().copy())
        return name

    def _constant(self, tensor: Tensor, *, sampled: bool = True) -> Operand:
        values = tensor.values()
        own = tensor.quantization
        if own is not None and tensor.dtype != "float32":
            scale = np.asarray(own.scale, np.float32)
            zero = np.asarray(own.zero_point, np.float32)
            shape = [-1 if axis == own.axis and own.per_channel else 1 for axis in range(values.ndim)]
            values = (values.astype(np.float32) - zero.reshape(shape if own.per_channel else ())) * scale.reshape(
                shape if own.per_channel else ()
            )
        self.constants[tensor.index] = values
        return Operand("constant", tensor.index, sampled=sampled)


def _is_trainable(tensor: Tensor) -> bool:
    """A constant of the model's own: neither a number of a formula nor a mask."""
    values = tensor.values()
    return bool(values.size > 2 and np.abs(values).max() < _BIG and len(np.unique(values)) > 2)
