"""What the XNNPACK delegate asks of an op beyond what ``device_profiles/rules/xnnpack.toml`` can say.

Each function is named there in ``also`` and answers with what stands in the way, or None. Ratios are float32, as in
the delegate. Source of every bound: ``tflite/delegates/xnnpack/xnnpack_delegate.cc`` of LiteRT v2.1.0.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from edge_sdk.artifact.model import Tensor
from edge_sdk.checks.placement.site import EIGHT_BITS, Check, Reason, Site, normal, pair, pair_in_words, stored_as

_FLOATS = frozenset({"float32", "float16"})
_SAME = 0
_BLOCK = 32


def scale_of(tensor: Tensor) -> np.float32:
    """The one scale of a per-tensor quantized tensor."""
    return np.float32(pair(tensor)[0])


def ratio(over: float | np.float32, under: float | np.float32) -> np.float32:
    """The quotient in float32; infinite or NaN where there is none."""
    with np.errstate(all="ignore"):
        return np.float32(over) / np.float32(under)


def _product(first: np.float32, second: np.float32) -> np.float32:
    with np.errstate(all="ignore"):
        return first * second


def leaky_slope(site: Site) -> Reason | None:
    """``alpha``, and for 8 bits the two factors by which the kernel multiplies."""
    alpha = np.float32(site.option("alpha"))
    if not normal(float(alpha)):
        message = f"alpha is {alpha:g}, XNNPACK takes normal numbers other than 0"
        return site.reason("option-value", message, f"{alpha:g}", "a normal number other than 0")
    source, result = site["input"], site["output"]
    scales = scale_of(source), scale_of(result)
    if not {source.dtype, result.dtype} <= EIGHT_BITS or not all(normal(float(s)) for s in scales):
        return None
    positive = ratio(*scales)
    negative = _product(positive, alpha)
    if not 1 / 256 <= positive <= 128:
        return site.about(
            "scale-ratio", source, f"has {positive:g} times the scale of the output", "1/256 to 128 times"
        )
    if not -127.99609375 <= negative <= 128 or abs(negative) < 1 / 256:
        found = f"has {negative:g} times the scale of the output after alpha"
        return site.about("scale-ratio", source, found, "-127.996 to 128 times, and 1/256 or more in size")
    return None


def requantize_ratio(site: Site) -> Reason | None:
    """From float always; between integers of the same type only, within a range of scales."""
    source, result = site["input"], site["output"]
    if source.dtype in _FLOATS:
        return None
    if source.dtype != result.dtype:
        return site.about("mixed-types", result, f"is {result.dtype}", f"the type of the input, {source.dtype}")
    value = ratio(scale_of(source), scale_of(result))
    if value < np.float32(1 / 256) or value > 128:
        return site.about("scale-ratio", source, f"has {value:g} times the scale of the output", "1/256 to 128 times")
    return None


def sum_ratios(site: Site) -> Reason | None:
    """Each operand's scale over the result's, for 8 bits."""
    for name in ("first input", "second input"):
        tensor = site[name]
        value = ratio(scale_of(tensor), scale_of(site["output"]))
        if tensor.dtype in EIGHT_BITS and (value < 1 / 1024 or value >= 256):
            takes = "1/1024 to less than 256 times"
            return site.about("scale-ratio", tensor, f"has {value:g} times the scale of the output", takes)
    return None


def product_ratio(site: Site) -> Reason | None:
    """The product of both scales over the result's, for 8 bits."""
    first, second, result = site["first input"], site["second input"], site["output"]
    value = ratio(_product(scale_of(first), scale_of(second)), scale_of(result))
    if first.dtype not in EIGHT_BITS or not (value < 1 / 65536 or value >= 256):
        return None
    message = (
        f"the product of both scales is {value:g} times that of the output, XNNPACK takes 1/65536 to less than 256"
    )
    return site.reason("scale-ratio", message, f"{value:g}", "1/65536 to less than 256", result)


def window(site: Site) -> Reason | None:
    """Strides no longer than the window, so a 1x1 window has stride 1."""
    for side in ("height", "width"):
        extent, stride = site.option(f"filter_{side}"), site.option(f"stride_{side[0]}")
        if stride > extent:
            message = f"stride_{side[0]} is {stride:g}, XNNPACK takes {extent:g} or less, which is filter_{side}"
            return site.reason("option-value", message, f"{stride:g}", f"{extent:g} or less")
    return None


def batch_matmul_axis(site: Site) -> Reason | None:
    """Per-channel scales run along the columns of the result."""
    second = site["second input"]
    quantization, rank = second.quantization, len(second.shape)
    axis = rank - 2 if site.option("adj_y") else rank - 1
    if second.dtype != "int8" or quantization is None or not quantization.per_channel or quantization.axis == axis:
        return None
    found = f"is quantized along dimension {quantization.axis}"
    return site.about("quantization-axis", second, found, f"dimension {axis}")


def batch_matmul_types(site: Site) -> Reason | None:
    """Both alike, or float32 by int8; int8 by per-channel int8 is neither."""
    first, second = site["first input"], site["second input"]
    if first.dtype == "float32" and second.dtype == "int8":
        return None
    if first.dtype != second.dtype:
        return site.about("mixed-types", second, f"is {second.dtype}", f"the type of the first input, {first.dtype}")
    if stored_as(second) == "per_channel":
        return site.about("mixed-quantization", second, "is int8 with a scale for each channel", "one scale")
    return None


def bias_like_filter(site: Site) -> Reason | None:
    """A float filter needs a bias of the same float type; float16 behind a DEQUANTIZE may count as float16."""
    bias = site.find("bias")
    if bias is None:
        return None
    wanted, found = site.dtype(site["filter"]), site.dtype(bias)
    if wanted not in _FLOATS or wanted == found:
        return None
    return site.about("mixed-types", bias, f"is {found}", f"the type of the filter, {wanted}")


def half_with_any_bias(site: Site) -> Reason | None:
    """Likewise, but a float16 filter goes with a float32 bias too."""
    bias = site.find("bias")
    mixed = bias is not None and (site.dtype(site["filter"]), site.dtype(bias)) == ("float16", "float32")
    return None if mixed else bias_like_filter(site)


def second_zero_point(site: Site) -> Reason | None:
    """Zero point of a second int8 input, unless the first is float."""
    first, second = site["first input"], site["second input"]
    if first.dtype != "int8" or second.dtype != "int8" or pair(second)[1] == 0:
        return None
    return site.about("quantization-zero-point", second, f"has zero point {pair(second)[1]}", "0")


def hybrid_types(site: Site) -> Reason | None:
    """The filter has the input's type, or is int8 under a float32 input."""
    source, kernel = site["input"], site["filter"]
    if source.dtype == kernel.dtype or (source.dtype, kernel.dtype) == ("float32", "int8"):
        return None
    return site.about("mixed-types", kernel, f"is {kernel.dtype}", f"the type of the input, {source.dtype}")


def dense_types(site: Site) -> Reason | None:
    """Likewise; int4 goes with float32 and with int8."""
    source, kernel = site["input"], site["filter"]
    narrow = source.dtype in {"float32", "int8"} and kernel.dtype in {"int8", "int4"}
    if source.dtype == kernel.dtype or narrow:
        return None
    takes = f"the type of the input, {source.dtype}" + (", int8 or int4" if source.dtype == "float32" else "")
    return site.about("mixed-types", kernel, f"is {kernel.dtype}", takes)


def dense_blocks(site: Site) -> Reason | None:
    """Blockwise scales need a tensor of their own and blocks of 32 values."""
    kernel = site["filter"]
    blocks = kernel.blockwise
    if kernel.dtype not in {"int8", "int4"} or blocks is None:
        return None
    if blocks.scales == -1:
        return site.about("quantization-scale", kernel, "has blocks without scales", "a tensor of scales")
    if blocks.block_size % _BLOCK:
        return site.about("quantization-block", kernel, f"has blocks of {blocks.block_size}", f"multiples of {_BLOCK}")
    return None


def dense_bias_size(site: Site) -> Reason | None:
    """One value for each row of the filter."""
    bias, rows = site.find("bias"), site["filter"].shape[0]
    if bias is None or bias.elements == rows:
        return None
    return site.about("tensor-elements", bias, f"has {bias.elements} values", f"{rows}, one for each row of the filter")


def dense_int4(site: Site) -> Reason | None:
    """Two values share a byte, and every row has its own scale."""
    kernel = site["filter"]
    if kernel.dtype != "int4":
        return None
    if stored_as(kernel) == "per_tensor" and kernel.shape[0] != 1:
        return site.about("tensor-quantization", kernel, "is int4 with one scale", "a scale for each channel")
    if kernel.shape[1] % 2:
        return site.about("tensor-elements", kernel, f"has {kernel.shape[1]} values in a row", "an even number")
    return None


def dense_int4_pairs(site: Site) -> Reason | None:
    """Two values share a byte."""
    kernel = site["filter"]
    if kernel.dtype != "int4" or kernel.shape[1] % 2 == 0:
        return None
    return site.about("tensor-elements", kernel, f"has {kernel.shape[1]} values in a row", "an even number")


def dense_zero_point(site: Site) -> Reason | None:
    """Of int8 weights, unless the input is float."""
    kernel = site["filter"]
    if site["input"].dtype == "float32" or kernel.dtype != "int8" or kernel.quantization is None:
        return None
    if stored_as(kernel) != "per_tensor" or pair(kernel)[1] == 0:
        return None
    return site.about("quantization-zero-point", kernel, f"has zero point {pair(kernel)[1]}", "0")


def more_than_a_scalar(site: Site) -> Reason | None:
    """Axis 0 of a scalar is none."""
    source, axes = site["input"], site["axes"]
    if source.shape or axes.values().ravel().tolist() != [0]:
        return None
    return site.about("tensor-rank", source, "is a scalar", "one dimension or more")


def known_axis(site: Site) -> Reason | None:
    """Every input has the dimension along which all are joined."""
    axis = int(site.option("axis"))
    short = next((tensor for tensor in site.values()[: len(site.op.inputs)] if axis >= len(tensor.shape)), None)
    if short is None:
        return None
    return site.about("tensor-rank", short, f"has rank {len(short.shape)}", f"inputs with a dimension {axis}")


def no_old_scalar(site: Site) -> Reason | None:
    """``[0]`` once meant a scalar."""
    shape = site.find("shape")
    if shape is None or shape.constant is None or shape.values().ravel().tolist() != [0]:
        return None
    return site.about("constant-value", shape, "holds [0]", "dimensions")


def groups(site: Site) -> Reason | None:
    """The filter may not be deeper than the input."""
    channels, depth = site["input"].shape[3], site["filter"].shape[3]
    if channels >= depth:
        return None
    return site.about("tensor-shape", site["filter"], f"has depth {depth}", f"{channels} or less, the input's channels")


def whole_multiplier(site: Site) -> Reason | None:
    """Output channels are a multiple of ``depth_multiplier``."""
    channels, multiplier = site["filter"].shape[3], int(site.option("depth_multiplier"))
    if channels % multiplier == 0:
        return None
    return site.about("tensor-shape", site["filter"], f"has {channels} channels", f"multiples of {multiplier}")


def transposed_channels(site: Site) -> Reason | None:
    """The filter's first dimension is the result's channels, its last the input's."""
    wanted = int(site["output shape"].values()[3]), site["input"].shape[3]
    kernel = site["filter"]
    if (kernel.shape[0], kernel.shape[3]) == wanted:
        return None
    found = f"has {kernel.shape[0]} output and {kernel.shape[3]} input channels"
    return site.about("tensor-shape", kernel, found, f"{wanted[0]} and {wanted[1]}")


def transposed_size(site: Site) -> Reason | None:
    """Height and width must be those from which the strides come out."""
    source, kernel, wanted = site["input"], site["filter"], site["output shape"].values()
    for axis, name in ((1, "height"), (2, "width")):
        extent, size, stride = int(wanted[axis]), kernel.shape[axis], int(site.option(f"stride_{name[0]}"))
        if int(site.option("padding")) != _SAME:
            if size > extent:
                return site.about("tensor-shape", kernel, f"has {name} {size}", f"{extent} or less, the output's")
            continue
        if size < stride or stride < 1:
            return site.about("tensor-shape", kernel, f"has {name} {size}", f"{max(1, stride)} or more, the stride")
        if source.shape[axis] != -(-extent // stride):
            found = f"has {name} {source.shape[axis]}"
            return site.about("tensor-shape", source, found, f"{-(-extent // stride)} for an output of {extent}")
    return None


def custom_transposed(site: Site) -> Reason | None:
    """MediaPipe's transposed convolution: three int32, padding (SAME or VALID, from 1) and strides, width first."""
    data = bytes(site.op.options.get("custom_options") or b"")[:12].ljust(12, b"\0")
    padding, *strides = np.frombuffer(data, "<i4")
    if padding not in (1, 2):
        message = f"{site.rules.title} takes padding SAME (1) or VALID (2) of it, this is {padding}"
        return site.reason("option-value", message, padding, "1 or 2")
    if min(strides) < 1:
        message = f"{site.rules.title} takes strides above 0 of it, these are {list(map(int, strides))}"
        return site.reason("option-value", message, min(strides), "1 or more")
    return None


def attention_sizes(site: Site) -> Reason | None:
    """One depth for query, key and value; a mask as wide as they are long."""
    query, key, value, mask = site["query"], site["key"], site["value"], site.find("mask")
    depths = [tensor.shape[-1] if tensor.shape else 0 for tensor in (query, key, value)]
    if len(set(depths)) > 1:
        return site.about("tensor-shape", key, f"has depth {depths[1]}", f"one depth, not {depths}")
    if mask is None:
        return None
    lengths = [key.shape[1:2], value.shape[1:2], mask.shape[-1:]]
    if len(set(lengths)) > 1:
        return site.about("tensor-shape", mask, f"has width {mask.shape[-1:]}", f"one length, not {lengths}")
    return None


def uint8_quantization(site: Site) -> Reason | None:
    """uint8 inputs must have the result's scale and zero point; other types are not compared here."""
    result = site["output"]
    for tensor in site.values():
        if result.dtype == "uint8" and pair(tensor) != pair(result):
            takes = f"{pair_in_words(result)} as {site.called(result)}"
            return site.about("mixed-quantization", tensor, f"has {pair_in_words(tensor)}", takes)
    return None


def whole_blocks(site: Site) -> Reason | None:
    """Height and width are multiples of ``block_size``."""
    source, block = site["input"], int(site.option("block_size"))
    if not any(extent % block for extent in source.shape[1:3]):
        return None
    found = f"has height and width {list(source.shape[1:3])}"
    return site.about("tensor-shape", source, found, f"multiples of block_size, {block}")


def paddings_shape(site: Site) -> Reason | None:
    """Two numbers for each dimension of the input."""
    paddings, wanted = site["paddings"], (len(site["input"].shape), 2)
    return _same_shape(site, paddings, wanted)


def _same_shape(site: Site, tensor: Tensor, wanted: tuple[int, ...]) -> Reason | None:
    if tensor.shape == wanted:
        return None
    return site.about("tensor-shape", tensor, f"has shape {list(tensor.shape)}", f"{list(wanted)}")


def shape_in_a_row(site: Site) -> Reason | None:
    """A vector, or a tensor whose dimensions but the last are 1."""
    shape = site.find("shape")
    if shape is None or all(extent == 1 for extent in shape.shape[:-1]):
        return None
    return site.about("tensor-shape", shape, f"has shape {list(shape.shape)}", "one dimension")


def positive_height(site: Site) -> Reason | None:
    """Of the two numbers only the first is looked at before the op is claimed."""
    return _positive(site, 0)


def positive_width(site: Site) -> Reason | None:
    """The second number is found wanting only while the partition is built."""
    return _positive(site, 1)


def _positive(site: Site, place: int) -> Reason | None:
    size = site["size"]
    value = int(size.values()[place])
    return None if value > 0 else site.about("constant-value", size, f"holds {value}", "values of 1 or more")


def slice_lengths(site: Site) -> Reason | None:
    """As many begins as sizes."""
    return _same_shape(site, site["size"], site["begin"].shape)


def one_index_for_each_dimension(site: Site) -> Reason | None:
    """Begin, end and strides are as long as the input has dimensions."""
    wanted = (len(site["input"].shape),)
    return _first(_same_shape(site, site[name], wanted) for name in ("begin", "end", "strides"))


def _first(reasons: Iterable[Reason | None]) -> Reason | None:
    return next((reason for reason in reasons if reason), None)


CLAIM_CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        leaky_slope, requantize_ratio, sum_ratios, product_ratio, window, batch_matmul_axis, batch_matmul_types,
        bias_like_filter, hybrid_types, dense_types, dense_blocks, dense_bias_size, dense_int4, groups,
        whole_multiplier, transposed_channels, transposed_size, custom_transposed, attention_sizes, uint8_quantization,
        whole_blocks,
        half_with_any_bias, second_zero_point, dense_int4_pairs, dense_zero_point, more_than_a_scalar, known_axis,
        no_old_scalar, paddings_shape, shape_in_a_row, positive_height, slice_lengths, one_index_for_each_dimension,
    )
}  # fmt: skip
