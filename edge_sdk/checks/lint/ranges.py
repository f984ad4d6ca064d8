"""Which real values a tensor is known to hold: by its scale, by its constants, by the ops that made it."""

from __future__ import annotations

from edge_sdk.artifact.model import Op, Tensor
from edge_sdk.artifact.schema import schema
from edge_sdk.checks.lint.scene import Scene, representable, values_of

Range = tuple[float, float]
_BY_OP: dict[str, Range] = {
    "LOGISTIC": (0.0, 1.0),
    "SOFTMAX": (0.0, 1.0),
    "TANH": (-1.0, 1.0),
    "L2_NORMALIZATION": (-1.0, 1.0),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU_0_TO_1": (0.0, 1.0),
}
_FUSED: dict[str, Range] = {"RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0), "TANH": (-1.0, 1.0)}
MOVERS: dict[str, tuple[int, ...]] = {
    "RESHAPE": (0,), "TRANSPOSE": (0,), "SLICE": (0,), "STRIDED_SLICE": (0,), "SQUEEZE": (0,), "EXPAND_DIMS": (0,),
    "SPLIT": (1,), "SPLIT_V": (0,), "UNPACK": (0,), "GATHER": (0,), "GATHER_ND": (0,), "DEPTH_TO_SPACE": (0,),
    "SPACE_TO_DEPTH": (0,), "SPACE_TO_BATCH_ND": (0,), "BATCH_TO_SPACE_ND": (0,), "RESIZE_NEAREST_NEIGHBOR": (0,),
    "RESIZE_BILINEAR": (0,), "MAX_POOL_2D": (0,), "AVERAGE_POOL_2D": (0,), "PAD": (0,), "MIRROR_PAD": (0,),
    "TILE": (0,), "REVERSE_V2": (0,), "BROADCAST_TO": (0,), "REDUCE_MAX": (0,), "REDUCE_MIN": (0,),
    "MAXIMUM": (0, 1), "MINIMUM": (0, 1), "CONCATENATION": (), "PACK": (),
}  # fmt: skip
"""Ops that hand values on as they are, with the places of the inputs that they take them from; () for all inputs.

MAX_POOL_2D, AVERAGE_POOL_2D, resizing and MAXIMUM choose or mix values, in the scale of the input all the same.
"""
_CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE"})
_SINGLE = {name for name, places in MOVERS.items() if len(places) == 1} | _CONVERSIONS
_FAR = 12


def sources(op: Op) -> tuple[int, ...]:
    """Tensor indices whose values an op of :data:`MOVERS` hands on."""
    places = MOVERS[op.name] or range(len(op.inputs))
    return tuple(op.inputs[place] for place in places if place < len(op.inputs) and op.inputs[place] >= 0)


def known_range(scene: Scene, tensor: Tensor, depth: int = _FAR) -> Range | None:
    """The narrowest range that is known to hold all its values; None where nothing is known."""
    constant = values_of(tensor)
    if constant is not None and constant.size:
        return _of_constant(tensor, float(constant.min()), float(constant.max()))
    own = representable(tensor)
    op = scene.producers.get(tensor.index)
    return own if op is None else _narrowest(own, _by_producer(scene, op, depth))


def _of_constant(tensor: Tensor, low: float, high: float) -> Range | None:
    if tensor.dtype in {"float32", "float16"}:
        return low, high
    if tensor.quantization is None or tensor.quantization.per_channel:
        return None
    scale, zero_point = tensor.quantization.scale[0], tensor.quantization.zero_point[0]
    return (low - zero_point) * scale, (high - zero_point) * scale


def _by_producer(scene: Scene, op: Op, depth: int) -> Range | None:
    if op.name in _BY_OP:
        return _BY_OP[op.name]
    fused = schema().enums["ActivationFunctionType"].get(int(op.options.get("fused_activation_function") or 0), "")
    if fused in _FUSED:
        return _FUSED[fused]
    if op.name not in _SINGLE or depth == 0:
        return None
    place = MOVERS.get(op.name, (0,))[0]
    source = scene.tensor(op.inputs, place)
    return known_range(scene, source, depth - 1) if source is not None else None


def _narrowest(first: Range | None, second: Range | None) -> Range | None:
    if first is None or second is None:
        return first or second
    low, high = max(first[0], second[0]), min(first[1], second[1])
    return (low, high) if low <= high else first
