"""Weights and biases: channels that do nothing, levels that are not used, numbers that ran out of range."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edge_sdk.checks.lint.layers import Layer, layers
from edge_sdk.checks.lint.scene import Mark, Rule, Scene, named, one_scale, representable, values_of
from edge_sdk.findings import Severity

FLOOR_SCALE = 1.2e-7
FOUR_BITS = 8
MANY = 0.1
LARGEST_MULTIPLIER = 256
_INT32 = np.iinfo(np.int32)
_FAR_BELOW = 1e-3
_BIAS_TOLERANCE = 0.02


def _counted(layer: Layer, share: float, count: int) -> tuple[Severity, str]:
    severity: Severity = "warning" if share >= MANY else "info"
    return severity, f"{count} of {len(layer.weights)} output channels"


def dead_channel(scene: Scene) -> Iterator[Mark]:
    """All weights of an output channel are zero."""
    for layer in layers(scene):
        count = int(layer.dead.sum())
        if count:
            severity, words = _counted(layer, count / len(layer.weights), count)
            message = f"{words} have zero weights only: they cost time and say nothing of the input"
            yield Mark(severity, message, layer.op, layer.kernel, str(count), "0", scene.share(layer.op))


def scale_floor(scene: Scene) -> Iterator[Mark]:
    """Scales at the smallest value that a quantizer allows."""
    for layer in layers(scene):
        scales = layer.scales()
        if scales is None or not len(scales) > 1:
            continue
        low = (scales <= FLOOR_SCALE) & (scales <= _FAR_BELOW * np.median(scales))
        if low.any():
            count = int(low.sum())
            message = (
                f"{count} of {len(scales)} channels have a scale of {scales[low].max():.3g} or less, far below the "
            )
            message += f"others' {np.median(scales):.2g}: these channels were empty when the quantizer saw them"
            yield Mark("info", message, layer.op, layer.kernel, f"{scales[low].min():.3g}", f"above {FLOOR_SCALE:g}")


def saturated_bias(scene: Scene) -> Iterator[Mark]:
    """int32 biases at the end of int32: the true value did not fit."""
    for layer in layers(scene):
        if layer.bias is None or layer.bias.dtype != "int32":
            continue
        count = int(np.isin(layer.bias_values(), (_INT32.min, _INT32.max)).sum())
        if count:
            _, words = _counted(layer, 0, count)
            message = f"{words} have a bias at the end of int32: the true one did not fit, and these channels are wrong"
            yield Mark("warning", message, layer.op, layer.bias, str(count), "0", scene.share(layer.op))


def bias_scale(scene: Scene) -> Iterator[Mark]:
    """A bias is added to products, so its scale is that of input times weights."""
    for layer in layers(scene):
        data, result, scales = one_scale(layer.data), one_scale(layer.result), layer.scales()
        own = layer.bias.quantization if layer.bias is not None and layer.bias.dtype == "int32" else None
        if data is None or result is None or scales is None or own is None or layer.bias is None:
            continue
        if len(own.scale) not in (1, len(scales)) or not layer.bias_values().any():
            continue
        products = data.scale[0] * scales
        off = np.abs(np.array(own.scale) - products) * np.abs(layer.bias_values()) / result.scale[0]
        # Half a step of the result is what rounding costs anyway; kernels allow per-tensor scales 0.02 in all.
        worst = int(off.argmax())
        strict = (
            np.abs(own.scale[0] - products[0]) / result.scale[0] if len(own.scale) == 1 == len(set(scales)) else 0.0
        )
        if off[worst] > 0.5 or strict > _BIAS_TOLERANCE:
            found = f"scale {own.scale[worst % len(own.scale)]:.4g}"
            message = f"has {found}, input times weights have {products[worst]:.4g}: the bias is added in another unit"
            yield Mark("error", message, layer.op, layer.bias, found, f"scale {products[worst]:.4g}")


def bias_beyond_range(scene: Scene) -> Iterator[Mark]:
    """A bias further outside of the result's range than the range is wide."""
    for layer in layers(scene):
        span, data, scales = representable(layer.result), one_scale(layer.data), layer.scales()
        if span is None or data is None or scales is None or layer.bias is None or layer.bias.dtype != "int32":
            continue
        real, width = layer.bias_values() * data.scale[0] * scales, span[1] - span[0]
        count = int(((real > span[1] + width) | (real < span[0] - width)).sum())
        if count:
            severity, words = _counted(layer, count / len(layer.weights), count)
            message = (
                f"{words} have a bias that lies outside the result's range by more than its width: they sit at its "
            )
            message += "end for most inputs"
            found = f"{count} beyond {span[0] - width:.3g} to {span[1] + width:.3g}"
            yield Mark(severity, message, layer.op, layer.bias, found, "inside", scene.share(layer.op))


def constant_channel(scene: Scene) -> Iterator[Mark]:
    """Channels that come out the same for every input that there can be."""
    for layer in layers(scene):
        levels = layer.output_levels()
        if levels is None:
            continue
        stuck = (levels[0] == levels[1]) & ~layer.dead
        count = int(stuck.sum())
        if count:
            severity, words = _counted(layer, count / len(layer.weights), count)
            message = f"{words} give the same value for every possible input"
            yield Mark(severity, message, layer.op, layer.result, str(count), "0", scene.share(layer.op))


def coarse_weights(scene: Scene) -> Iterator[Mark]:
    """One scale for all channels, of which some need a much finer one."""
    for layer in layers(scene):
        quantization = layer.kernel.quantization
        if layer.kernel.dtype != "int8" or quantization is None or quantization.per_channel or len(layer.weights) < 2:
            continue
        largest = np.abs(layer.weights.astype(np.int32)).max(axis=1)
        count = int(((largest < FOUR_BITS) & (largest > 0)).sum())
        if count:
            severity, words = _counted(layer, count / len(layer.weights), count)
            message = f"{words} use less than 4 of the 8 bits of their weights: one scale serves them all"
            found = f"largest weight {int(largest[largest > 0].min())}"
            yield Mark(severity, message, layer.op, layer.kernel, found, f"{FOUR_BITS} or more", scene.share(layer.op))


def weight_minus_128(scene: Scene) -> Iterator[Mark]:
    """int8 weights are specified from -127 on."""
    for layer in layers(scene):
        if layer.kernel.dtype == "int8" and layer.kernel.quantization and layer.weights.min() == -128:
            count = int((layer.weights == -128).sum())
            message = f"{count} weights are -128; the specification has -127 to 127, and kernels may rely on it"
            yield Mark("warning", message, layer.op, layer.kernel, "-128", "-127 to 127", scene.share(layer.op))


def weight_zero_point(scene: Scene) -> Iterator[Mark]:
    """int8 weights are symmetric."""
    for layer in layers(scene):
        points = layer.kernel.quantization.zero_point if layer.kernel.quantization else ()
        if layer.kernel.dtype == "int8" and any(points):
            point = next(point for point in points if point)
            message = (
                f"int8 weights have zero point {point}; kernels take 0 for granted, XNNPACK does not load the file"
            )
            yield Mark("error", message, layer.op, layer.kernel, str(point), "0", scene.share(layer.op))


def multiplier_range(scene: Scene) -> Iterator[Mark]:
    """Scales of input and weights far above the result's: accuracy is lost upstream, and XNNPACK refuses."""
    for layer in layers(scene):
        multipliers = layer.multipliers()
        if multipliers is None or not multipliers.max() >= LARGEST_MULTIPLIER:
            continue
        worst = float(multipliers.max())
        message = f"one step of the sum is {worst:.3g} steps of {named(layer.result)}; XNNPACK does not load it"
        limit = f"below {LARGEST_MULTIPLIER}"
        yield Mark("warning", message, layer.op, layer.result, f"{worst:.3g}", limit, scene.share(layer.op))


def nan_constant(scene: Scene) -> Iterator[Mark]:
    """A float constant holds NaN: all that is computed from it is NaN.

    Not a constant of nothing else that SELECT puts where there is no value: a program writes that, not a training.
    """
    for op in scene.graph.ops:
        for tensor in scene.graph.operands(op):
            values = values_of(tensor) if tensor.dtype.startswith("float") else None
            count = int(np.isnan(values).sum()) if values is not None else 0
            if count and not (op.name.startswith("SELECT") and count == tensor.elements):
                message = f"{count} of {tensor.elements} values are NaN, and so is what is computed from them"
                yield Mark("warning", message, op, tensor, f"{count} NaN", "0")


RULES = (
    Rule("nan-constant", nan_constant, "look for the training step that diverged, and save the weights again"),
    Rule("dead-channel", dead_channel, "prune these channels"),
    Rule("scale-floor", scale_floor, "prune these channels, or fold the batch normalization again"),
    Rule("saturated-bias", saturated_bias, "a larger scale for these channels' weights, or prune them"),
    Rule("bias-scale", bias_scale, "requantize the bias with the product of both scales"),
    Rule("bias-beyond-range", bias_beyond_range, "calibrate on data that reaches this layer; equalize the layers"),
    Rule("constant-channel", constant_channel, "prune these channels, or calibrate on data that moves them"),
    Rule("coarse-weights", coarse_weights, "weights per channel, or equalize the layers before"),
    Rule("weight-minus-128", weight_minus_128, "quantize weights with a narrow range"),
    Rule("weight-zero-point", weight_zero_point, "quantize weights symmetrically"),
    Rule("multiplier-range", multiplier_range, "calibrate this layer's result on data that moves it"),
)
