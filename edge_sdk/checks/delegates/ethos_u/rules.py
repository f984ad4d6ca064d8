"""What Vela asks of an op beyond ``device_profiles/rules/ethos_u*.toml``: layers, windows, sums and constants.

All of it is *predicted*; source of every bound: the supported-ops report of ethos-u-vela 5.2.0, and what Vela does with
the probes in ``tests/core/checks/delegates/ethos_u``, which are held against it. A shape of fewer than four dimensions
counts as one of four with ones in front, as in Vela.
"""

from __future__ import annotations

import math

import numpy as np

from edge_sdk.artifact.model import Tensor
from edge_sdk.artifact.schema import schema
from edge_sdk.checks.placement.site import Check, Reason, Site

_LARGEST_16 = 1 << 16
_WEIGHT_SUM = 127 << 16
_LARGEST_WEIGHT = 255
_WEIGHT_SUM_U85_INT16 = 127 << 24
_WIDE_BITS = frozenset({"int32", "uint32", "float32"})
_PLAIN_STRIDE = 3
_PADDED_WINDOW = 8
_TALLEST_WINDOW = 256
_MEAN_AXIS = 64 * 64
_MEAN_VALUES = {"int8": 1 << 24, "uint8": 1 << 23, "int16": 1 << 16}


def four(tensor: Tensor) -> tuple[int, ...]:
    """The shape with ones in front, up to four dimensions."""
    return (1,) * (4 - len(tensor.shape)) + tensor.shape


def label(site: Site, name: str, enum: str) -> str:
    """An option's label."""
    return schema().enums[enum].get(int(site.option(name)), "")


def one_shape(site: Site) -> Reason | None:
    """Input and output have one shape."""
    source, result = site["input"], site["output"]
    if source.shape == result.shape:
        return None
    return site.about("tensor-shape", result, f"has shape {list(result.shape)}", f"that of the input, {source.shape}")


def one_quantization(site: Site) -> Reason | None:
    """Both inputs have the output's scale and zero point."""
    result = site["output"]
    for name in ("first input", "second input"):
        if site[name].quantization != result.quantization:
            return site.about("mixed-quantization", site[name], "has another scale or zero point", "the output's")
    return None


def one_scale(site: Site) -> Reason | None:
    """No operand has a scale for each channel."""
    tensors = (*site.graph.operands(site.op), *site.graph.results(site.op))
    for tensor in tensors:
        if tensor.quantization and tensor.quantization.per_channel:
            return site.about("tensor-quantization", tensor, "has a scale for each channel", "one scale")
    return None


def activation_on_16_bits(site: Site) -> Reason | None:
    """No fused activation on a result of 32 bits."""
    activation = label(site, "fused_activation_function", "ActivationFunctionType")
    if activation == "NONE" or site["output"].dtype not in _WIDE_BITS:
        return None
    message = f"fused_activation_function is {activation} on {site['output'].dtype}, {site.rules.title} takes 16 bits"
    return site.reason("option-value", message, activation, "NONE", site["output"])


def softmax_area(site: Site) -> Reason | None:
    """Height times width is 65,536 at most."""
    return _area(site, site["input"])


def _area(site: Site, tensor: Tensor) -> Reason | None:
    _, height, width, _ = four(tensor)[-4:]
    if height * width <= _LARGEST_16:
        return None
    return site.about("tensor-shape", tensor, f"has {height}x{width} positions", f"{_LARGEST_16} or less")


# --- weights and biases -----------------------------------------------------------------------------------------------


def weight_sum(site: Site) -> Reason | None:
    """Absolute weights of one output channel add up to no more than the accumulator holds."""
    weights = site["filter"]
    if weights.constant is None:
        return None
    wide = site.rules.name == "ethos_u85" and site["input"].dtype == "int16"
    limit = _WEIGHT_SUM_U85_INT16 if wide else _WEIGHT_SUM
    last = site.op.name == "DEPTHWISE_CONV_2D"
    channels = weights.shape[-1 if last else 0] if weights.shape else 1
    if _LARGEST_WEIGHT * weights.elements < limit * channels:
        return None
    sums = _channel_sums(weights, last=last)
    if sums.max(initial=0) <= limit:
        return None
    return site.about("weight-sum", weights, f"has absolute weights of {sums.max()} in a channel", f"{limit} or less")


def _channel_sums(weights: Tensor, *, last: bool) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    values = weights.values()
    channels = values.shape[-1 if last else 0] if values.ndim else 1
    rows = np.moveaxis(values, -1, 0) if last else values
    points = np.array(weights.quantization.zero_point if weights.quantization else (0,), np.int64)
    points = points if len(points) in {1, channels} else points[:1]
    flat: np.ndarray[tuple[int, ...], np.dtype[np.int64]] = rows.reshape(channels, -1).astype(np.int64)
    sums: np.ndarray[tuple[int, ...], np.dtype[np.int64]] = np.abs(flat - points.reshape(-1, 1)).sum(axis=1)
    return sums


def bias_in_a_row(site: Site) -> Reason | None:
    """All values of the bias lie along its last dimension."""
    bias = site.find("bias")
    if bias is None or bias.elements == (bias.shape[-1] if bias.shape else 1):
        return None
    return site.about("tensor-shape", bias, f"has shape {list(bias.shape)}", "values along the last dimension")


def bias_of_40_bits(site: Site) -> Reason | None:
    """Values of a 64-bit bias fit the accumulator."""
    return _bias_bits(site, 40)


def bias_of_48_bits(site: Site) -> Reason | None:
    """Likewise, on the U85."""
    return _bias_bits(site, 48)


def _bias_bits(site: Site, bits: int) -> Reason | None:
    bias = site.find("bias")
    if bias is None or bias.dtype != "int64" or bias.constant is None:
        return None
    largest = int(bias.values().max(initial=0))
    if largest < 1 << bits:
        return None
    return site.about("constant-value", bias, f"holds {largest}", f"less than 2^{bits}")


def flat_weights(site: Site) -> Reason | None:
    """Weights of a dense layer are outputs by inputs, with ones between."""
    weights = site["filter"]
    if len(weights.shape) > 1 and weights.elements == weights.shape[0] * weights.shape[-1]:
        return None
    return site.about("tensor-shape", weights, f"has shape {list(weights.shape)}", "outputs by inputs")


def computed_weights(site: Site) -> Reason | None:
    """With computed weights a dense layer is a product of two matrices."""
    if site["filter"].is_stored:
        return None
    if site["input"].dtype != "int8":
        return site.about("tensor-type", site["input"], f"is {site['input'].dtype}", "int8 beside computed weights")
    return _depths(site, four(site["input"])[-1])


def product_depth(site: Site) -> Reason | None:
    """The dimension summed over, and the last one of the result, are 65,536 at most."""
    source = site["first input"]
    return _depths(site, four(source)[-2 if site.option("adj_x") else -1])


def _depths(site: Site, summed: int) -> Reason | None:
    for what, extent in (("sums over", summed), ("has a last dimension of", four(site["output"])[-1])):
        if extent > _LARGEST_16:
            message = f"{site.op.name} {what} {extent}, {site.rules.title} takes {_LARGEST_16} or less"
            return site.reason("tensor-shape", message, extent, f"{_LARGEST_16} or less")
    return None


# --- windows ----------------------------------------------------------------------------------------------------------


def stride_can_unroll(site: Site) -> Reason | None:
    """A stride above 3 asks for no padding and no dilation, unless the result is 1 wide there."""
    strides = _pair(site, "stride_h", "stride_w")
    _, height, width, _ = four(site["output"])[-4:]
    steps = [stride for stride, extent in zip(strides, (height, width), strict=True) if extent != 1]
    if max(steps, default=1) <= _PLAIN_STRIDE:
        return None
    if not any(_padding(site)) and _dilation(site) == (1, 1):
        return None
    message = f"strides are {strides[0]}x{strides[1]} with padding or dilation, {site.rules.title} takes 3 there"
    return site.reason("option-value", message, f"{strides[0]}x{strides[1]}", "3 or less")


def average_window(site: Site) -> Reason | None:
    """A padded window is 8 by 8 at most, another 256 high and of 65,536 values."""
    window = _window(site)
    if not any(_padding(site)):
        return _open_window(site)
    return _too_large(site, window, _PADDED_WINDOW) if max(window) > _PADDED_WINDOW else None


def maximum_window(site: Site) -> Reason | None:
    """A window is 256 high at most, of 65,536 values at most."""
    return _open_window(site)


def _open_window(site: Site) -> Reason | None:
    height, width = _window(site)
    small = 0 < height <= _TALLEST_WINDOW and height * width <= _LARGEST_16
    return None if small else _too_large(site, (height, width), _TALLEST_WINDOW)


def _too_large(site: Site, window: tuple[int, int], limit: int) -> Reason:
    found = f"{window[0]}x{window[1]}"
    message = f"the window is {found}, {site.rules.title} takes {limit}x{limit} there"
    return site.reason("option-value", message, found, f"{limit}x{limit}")


def _pair(site: Site, height: str, width: str) -> tuple[int, int]:
    return int(site.option(height)), int(site.option(width))


def _dilation(site: Site) -> tuple[int, int]:
    if "POOL" in site.op.name:
        return 1, 1
    return _pair(site, "dilation_h_factor", "dilation_w_factor")


def _window(site: Site) -> tuple[int, int]:
    if "POOL" in site.op.name:
        return _pair(site, "filter_height", "filter_width") if site.op.options else (1, 1)
    _, height, width, _ = four(site["filter"])[-4:]
    return height, width


def _padding(site: Site) -> tuple[int, int]:
    """Rows and columns that SAME adds; none where the window fits as it is."""
    if label(site, "padding", "Padding") != "SAME":
        return 0, 0
    extents = four(site["input"])[-3:-1]
    strides, dilation = _pair(site, "stride_h", "stride_w"), _dilation(site)
    needed = []
    for extent, window, stride, spread in zip(extents, _window(site), strides, dilation, strict=True):
        covered = spread * (window - 1) + 1
        needed.append(max((math.ceil(extent / max(stride, 1)) - 1) * stride + covered - extent, 0))
    return needed[0], needed[1]


def transposed_shape(site: Site) -> Reason | None:
    """The result is as large as the strides and the window make it."""
    source, result = (four(site[name])[-3:-1] for name in ("input", "output"))
    strides, window = _pair(site, "stride_h", "stride_w"), _window(site)
    valid = label(site, "padding", "Padding") != "SAME"
    grown = [max(size - stride, 0) if valid else 0 for size, stride in zip(window, strides, strict=True)]
    expected = [extent * stride + more for extent, stride, more in zip(source, strides, grown, strict=True)]
    if list(result) == expected:
        return None
    found, takes = f"has {result[0]}x{result[1]} positions", f"{expected[0]}x{expected[1]}"
    return site.about("tensor-shape", site["output"], found, takes)


def transposed_stride(site: Site) -> Reason | None:
    """1x1 or 2x2; 2 in one direction only where image and window have one row in the other."""
    strides = _pair(site, "stride_h", "stride_w")
    rows, columns = four(site["input"])[-3:-1]
    height, width = _window(site)
    single = {(2, 1): columns == width == 1, (1, 2): rows == height == 1, (1, 1): True, (2, 2): True}
    if single.get(strides, False):
        return None
    found = f"{strides[0]}x{strides[1]}"
    return site.reason("option-value", f"strides are {found}, {site.rules.title} takes 1x1 or 2x2", found, "1x1, 2x2")


def plain_lstm(site: Site) -> Reason | None:
    """All gates, and neither peephole, projection nor normalization."""
    given = [index >= 0 for index in site.op.inputs]
    first = site.graph.tensors[site.op.inputs[0]]
    if not all(given[1:9]):
        return site.reason("operand-absent", f"{site.rules.title} takes an LSTM with all its gates", "a gate", "all")
    if any((*given[9:12], *given[16:18], *given[20:24])):
        found = "peephole, projection or normalization"
        return site.reason("operand-present", f"the LSTM has {found}, {site.rules.title} takes none", found, "none")
    if first.dtype not in {"int8", "uint8", "int16"} or first.quantization is None:
        return site.about("tensor-type", first, f"is {first.dtype}", "quantized 8 or 16 bits")
    return None


# --- over axes --------------------------------------------------------------------------------------------------------


def mean_of_one_image(site: Site) -> Reason | None:
    """Batch 1, counted over four dimensions."""
    source = site["input"]
    if four(source)[-4] == 1:
        return None
    return site.about("tensor-shape", source, f"has batch {four(source)[-4]}", "batch 1")


def mean_over_depth(site: Site) -> Reason | None:
    """Over the channels only where height, width or channels are 1."""
    source = site["input"]
    if len(four(source)) - 1 not in _axes_of_four(site) or 1 in four(source)[1:4]:
        return None
    return site.about("tensor-shape", source, f"has shape {list(source.shape)}", "a 1 in it for a mean over channels")


def mean_of_few(site: Site) -> Reason | None:
    """Each dimension summed over is 4,096 at most, and all of them together fit the accumulator."""
    source = site["input"]
    extents = [extent for axis, extent in enumerate(four(source)) if axis in _axes_of_four(site)]
    limit = _MEAN_VALUES.get(source.dtype, 0)
    if max(extents, default=1) <= _MEAN_AXIS and math.prod(extents) <= limit:
        return None
    found = f"sums over {'x'.join(map(str, extents))} values"
    return site.about("tensor-shape", source, found, f"{_MEAN_AXIS} in a dimension and {limit} in all")


def _axes_of_four(site: Site) -> set[int]:
    """Axes of the shape with four dimensions at least."""
    rank, whole = len(site["input"].shape), len(four(site["input"]))
    axes = [int(axis) for axis in site["axes"].values().ravel()]
    return {(axis + rank if axis < 0 else axis) + whole - rank for axis in axes}


def named(*checks: Check) -> dict[str, Check]:
    """The functions by their names."""
    return {getattr(check, "__name__", ""): check for check in checks}


_BOTH = named(
    one_shape, one_quantization, one_scale, softmax_area, weight_sum, bias_in_a_row, flat_weights, average_window,
    maximum_window, transposed_shape, plain_lstm, mean_of_one_image, mean_over_depth, mean_of_few,
)  # fmt: skip
CHECKS: dict[str, Check] = _BOTH | named(
    activation_on_16_bits, bias_of_40_bits, computed_weights, product_depth, stride_can_unroll, transposed_stride
)
CHECKS_U85: dict[str, Check] = _BOTH | named(bias_of_48_bits)
