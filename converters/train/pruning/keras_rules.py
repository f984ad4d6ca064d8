"""What each kind of Keras layer does with channels; both generations, channels last.

A rule sees a layer and the channels of its inputs and says what its result's are and how its variables are indexed.
A kind without a rule cannot be followed: what enters and leaves it must stay whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edge_sdk.converters.train.pruning.channels import Channels, Followed, Ids, Weight

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Call:
    """One use of a layer: channels and shapes of its inputs and of its first result, and plain arguments."""

    layer: Any
    inputs: Sequence[Ids]
    input_shapes: Sequence[Shape]
    output_shape: Shape
    channels: Channels
    plain_arguments: Sequence[Any] = ()

    @property
    def positions(self) -> int:
        """How many places of the result a kernel is applied at."""
        return _product(self.output_shape[1:-1])


Rule = Callable[[Call], "Followed | None"]


def rule_of(layer: Any) -> Rule | None:
    """The rule for a layer or operation, by its class's name; None for a kind, or a subclass, that is not Keras's."""
    kind = type(layer)
    if not kind.__module__.startswith(("keras.", "tf_keras.")):
        return None
    if kind.__name__ == "TFOpLambda":
        return _elementwise if str(layer.symbol).split(".")[-1] in _SYMBOLS else None
    if getattr(layer, "data_format", None) == "channels_first":
        return None
    if not hasattr(layer, "get_weights") and kind.__name__ not in _OPERATIONS:
        return None
    return RULES.get(kind.__name__)


def _dense(call: Call) -> Followed:
    return _maker(call, "units")


def _conv(call: Call) -> Followed | None:
    groups, (entering,) = call.layer.groups, call.inputs
    if groups == 1:
        return _maker(call, "filters")
    if groups != len(entering) or call.layer.filters % groups:
        return None
    out = np.repeat(entering, call.layer.filters // groups)
    weights = [_weight(v, {len(v.shape) - 1: out}, call.positions) for v in call.layer.weights]
    return Followed(out, tuple(weights), {"filters": out, "groups": entering})


def _transposed(call: Call) -> Followed:
    return _maker(call, "filters", swapped=True)


def _maker(call: Call, key: str, *, swapped: bool = False) -> Followed:
    """A kernel ``(..., in, out)``, or ``(..., out, in)``, and a bias."""
    (entering,) = call.inputs
    made = call.channels.new(getattr(call.layer, key))
    positions = _product(call.input_shapes[0][1:-1]) if swapped else call.positions
    last = (made, entering) if swapped else (entering, made)
    weights = [
        _weight(v, {len(v.shape) - 2: last[0], len(v.shape) - 1: last[1]}, positions)
        if len(v.shape) > 1
        else _vector(v, made)
        for v in call.layer.weights
    ]
    return Followed(made, tuple(weights), {key: made}, made)


def _depthwise(call: Call) -> Followed:
    (entering,) = call.inputs
    out = np.repeat(entering, call.layer.depth_multiplier)
    weights = [
        _weight(v, {len(v.shape) - 2: entering}, call.positions) if len(v.shape) > 1 else _vector(v, out)
        for v in call.layer.weights
    ]
    return Followed(out, tuple(weights))


def _separable(call: Call) -> Followed:
    (entering,) = call.inputs
    made = call.channels.new(call.layer.filters)
    between = np.repeat(entering, call.layer.depth_multiplier)
    depthwise, pointwise, *bias = call.layer.weights
    rank = len(depthwise.shape)
    weights = (
        _weight(depthwise, {rank - 2: entering}, call.positions),
        _weight(pointwise, {rank - 2: between, rank - 1: made}, call.positions),
        *(_vector(v, made) for v in bias),
    )
    return Followed(made, weights, {"filters": made}, made)


def _embedding(call: Call) -> Followed:
    made = call.channels.new(call.layer.output_dim)
    return Followed(made, (_weight(call.layer.weights[0], {1: made}, 0),), {"output_dim": made}, made)


def _passing(call: Call) -> Followed:
    return Followed(call.inputs[0])


def _rescaling(call: Call) -> Followed | None:
    plain = np.ndim(call.layer.scale) == 0 and np.ndim(call.layer.offset) == 0
    return Followed(call.inputs[0]) if plain else None


def _norm(call: Call) -> Followed | None:
    axis = call.layer.axis
    axes = [axis] if isinstance(axis, int) else list(axis)
    if axes not in ([-1], [len(call.output_shape) - 1]):
        return None
    weights = tuple(_vector(v, call.inputs[0]) for v in call.layer.weights)
    return Followed(call.inputs[0], weights)


def _prelu(call: Call) -> Followed | None:
    (alpha,) = call.layer.weights
    if alpha.shape[-1] != len(call.inputs[0]):
        return Followed(call.inputs[0], (_weight(alpha, {}, 0, counts=False),))
    return Followed(call.inputs[0], (_weight(alpha, {len(alpha.shape) - 1: call.inputs[0]}, 0, counts=False),))


def _permute(call: Call) -> Followed | None:
    dims = call.layer.dims
    return Followed(call.inputs[0]) if dims[-1] == len(dims) else None


def _flatten(call: Call) -> Followed | None:
    shape = call.input_shapes[0]
    if None in shape[1:]:
        return None
    (entering,) = call.inputs
    return Followed(np.tile(entering, _product(shape[1:-1])) if len(shape) > 2 else entering)


def _reshape(call: Call) -> Followed | None:
    """The last axis kept, or merged with whole axes before it."""
    (entering,), shape, out = call.inputs, call.input_shapes[0], call.output_shape
    if None in shape[1:] or None in out[1:]:
        return None
    tail = 1
    for extent in reversed([e for e in shape[1:] if e is not None]):
        tail *= extent
        if tail == out[-1]:
            ids = np.tile(entering, tail // len(entering))
            return Followed(ids, config={f"target_shape.{len(out) - 2}": ids})
    return None


def _concatenate(call: Call) -> Followed:
    if call.layer.axis in (-1, len(call.output_shape) - 1):
        return Followed(np.concatenate(list(call.inputs)))
    return _merge(call)


def _elementwise(call: Call) -> Followed | None:
    return _merge(call) if all(np.ndim(a) == 0 for a in call.plain_arguments) else None


def _merge(call: Call) -> Followed:
    """Channel by channel; one that stands for all stays."""
    longest = max(call.inputs, key=len)
    for ids in call.inputs:
        if len(ids) == len(longest):
            call.channels.join(ids, longest)
        else:
            call.channels.keep(ids)
    return Followed(longest)


def _recurrent(call: Call) -> Followed:
    """Every unit has a column in each gate of both kernels, and a row of the recurrent one."""
    made = call.channels.new(call.layer.units)
    for state in call.inputs[1:]:
        call.channels.join(state, made)
    steps = _product(call.input_shapes[0][1:-1])
    weights = tuple(_recurrent_weight(v, call.inputs[0], made, steps) for v in _variables(call.layer))
    return Followed(made, weights, {"units": made}, made)


def _recurrent_weight(variable: Any, entering: Ids, made: Ids, steps: int) -> Weight:
    name, shape = _name(variable), tuple(variable.shape)
    gates = np.tile(made, shape[-1] // len(made))
    if name == "kernel":
        return _weight(variable, {0: entering, 1: gates}, steps)
    if name == "recurrent_kernel":
        return _weight(variable, {0: made, 1: gates}, steps)
    return _weight(variable, {len(shape) - 1: gates}, 0, counts=False)


def _bidirectional(call: Call) -> Followed | None:
    """Unit by unit both directions are one: their sizes must stay equal."""
    forward, backward = call.layer.forward_layer, call.layer.backward_layer
    if len(call.inputs) > 1 or forward.units != backward.units:
        return None
    one, other = (rule_of(side) for side in (forward, backward))
    if one is None or other is None:
        return None
    first, second = one(replace(call, layer=forward)), other(replace(call, layer=backward))
    if first is None or second is None:
        return None
    call.channels.join(second.out, first.out)
    out = np.concatenate([first.out, second.out]) if call.layer.merge_mode == "concat" else first.out
    config = {"layer.config.units": first.out}
    if "backward_layer" in call.layer.get_config():
        config["backward_layer.config.units"] = first.out
    return Followed(out, (*first.weights, *second.weights), config, first.out)


def _time_distributed(call: Call) -> Followed | None:
    inner = call.layer.layer
    rule = rule_of(inner)
    if rule is None or type(inner).__name__ not in _EACH_STEP:
        return None
    followed = rule(replace(call, layer=inner))
    if followed is None:
        return None
    return replace(followed, config={f"layer.config.{key}": ids for key, ids in followed.config.items()})


def _attention(call: Call) -> Followed | None:
    """Heads stay whole; what they read and write may shrink."""
    if len(call.inputs) not in (2, 3) or len(call.output_shape) != 3:
        return None
    query, value, key = (*call.inputs, call.inputs[1])[:3]
    made = call.channels.new(int(call.output_shape[-1] or 0))
    axes: dict[str, dict[int, Ids]] = {
        "query/kernel": {0: query},
        "key/kernel": {0: key},
        "value/kernel": {0: value},
        "attention_output/kernel": {2: made},
        "attention_output/bias": {0: made},
    }
    steps = [_product(shape[1:-1]) for shape in call.input_shapes]
    read = {"query": steps[0], "attention_output": steps[0]}
    weights = []
    for variable in _variables(call.layer):
        part = "/".join(_path(variable)[-2:])
        positions = read.get(part.split("/", maxsplit=1)[0], steps[1]) if part.endswith("kernel") else 0
        weights.append(_weight(variable, axes.get(part, {}), positions, counts=part.endswith("kernel")))
    config = {"output_shape": made}
    for name, ids in (("query", query), ("key", key), ("value", value)):
        if call.layer.get_config().get(f"{name}_shape") is not None:  # tf_keras builds itself from them
            config[f"{name}_shape.2"] = ids
    return Followed(made, tuple(weights), config, made)


def _weight(variable: Any, axes: Mapping[int, Ids], positions: int, *, counts: bool = True) -> Weight:
    return Weight(variable, tuple(int(e) for e in variable.shape), dict(axes), positions, counts)


def _vector(variable: Any, ids: Ids) -> Weight:
    """Biases and statistics say nothing of importance; a norm's scale does."""
    return _weight(variable, {0: ids}, 0, counts=_name(variable) == "gamma")


def _variables(layer: Any) -> list[Any]:
    """Without the states of random generators."""
    return [v for v in layer.weights if "seed_generator" not in _path(v)]


def _path(variable: Any) -> list[str]:
    return str(getattr(variable, "path", None) or variable.name).split(":")[0].split("/")


def _name(variable: Any) -> str:
    return _path(variable)[-1]


def _product(extents: Sequence[int | None]) -> int:
    """Open extents count as one; ``KerasStructure.open_layers`` names whose they are."""
    return math.prod(e or 1 for e in extents)


_EACH_STEP = frozenset(
    [
        *("Dense", "Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv2D"),
        *("BatchNormalization", "Activation", "ReLU", "Dropout"),
    ]
)
_SYMBOLS = frozenset(
    [
        *("add", "__add__", "__radd__", "subtract", "__sub__", "__rsub__", "multiply", "__mul__", "__rmul__"),
        *("maximum", "minimum", "relu", "relu6", "sigmoid", "tanh", "silu", "swish", "gelu", "identity"),
        *("negative", "abs", "square", "exp"),
    ]
)
_PASSING = """Activation ActivityRegularization AlphaDropout AveragePooling1D AveragePooling2D AveragePooling3D
    Cropping1D Cropping2D Cropping3D Dropout ELU GaussianDropout GaussianNoise GlobalAveragePooling1D
    GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D Identity
    LeakyReLU MaxPooling1D MaxPooling2D MaxPooling3D ReLU RepeatVector Resizing Softmax SpatialDropout1D
    SpatialDropout2D SpatialDropout3D ThresholdedReLU UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D
    ZeroPadding2D ZeroPadding3D RandomFlip RandomRotation RandomZoom RandomTranslation RandomContrast
    RandomBrightness"""
_PASSING_OPERATIONS = """Relu Relu6 Sigmoid Silu Tanh Gelu HardSigmoid HardSilu HardSwish LeakyRelu Elu Selu Softplus
    Negative Absolute Square Exp"""
_MERGING = "Add Subtract Multiply Average Maximum Minimum"
# Operations carry their shapes as values, so that only those without any can be used again on fewer channels.
_OPERATIONS = frozenset([*_PASSING_OPERATIONS.split(), *_MERGING.split(), "Concatenate"])

RULES: dict[str, Rule] = {
    **dict.fromkeys([*_PASSING.split(), *_PASSING_OPERATIONS.split()], _passing),
    **dict.fromkeys(_MERGING.split(), _elementwise),
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D"), _conv),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), _transposed),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _separable),
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN"), _recurrent),
    **dict.fromkeys(("BatchNormalization", "LayerNormalization"), _norm),
    "Bidirectional": _bidirectional,
    "Concatenate": _concatenate,
    "Dense": _dense,
    "Embedding": _embedding,
    "Flatten": _flatten,
    "MultiHeadAttention": _attention,
    "PReLU": _prelu,
    "Permute": _permute,
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "TimeDistributed": _time_distributed,
}
"""Class name to rule, for layers and, in Keras 3, operations."""
