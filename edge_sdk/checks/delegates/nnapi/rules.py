"""What the NNAPI delegate asks of an op beyond what ``device_profiles/rules/nnapi.toml`` can say.

Each function is named there in ``also``. All of it is *predicted*; source of every bound:
``tflite/delegates/nnapi/nnapi_delegate.cc`` of LiteRT v2.1.0. What depends on the device's feature level is left out
where that is not known.
"""

from __future__ import annotations

import numpy as np

from edge_sdk.artifact.model import Tensor
from edge_sdk.artifact.schema import schema
from edge_sdk.checks.delegates.nnapi.recurrent import RECURRENT_CHECKS, hybrid
from edge_sdk.checks.placement.site import EIGHT_BITS, Check, Reason, Site, pair, pair_in_words, stored_as

_NNAPI_1_2, _NNAPI_1_3, _LEVEL_6 = 29, 30, 1000006
_LARGEST_WINDOW = 256
_NEWEST_DEQUANTIZE = 2
_SPARSE = 1
_JOINED = frozenset({"float16", "float32", "uint8", "int8"})


def _from(site: Site, level: int, tensor: Tensor | None, message: str, found: str) -> Reason:
    text = f"{message}, {site.rules.title} takes that from feature level {level} on, the device has {site.level}"
    return site.reason("feature-level", text, found, level, tensor)


def _activation(site: Site) -> str:
    return schema().enums["ActivationFunctionType"].get(int(site.option("fused_activation_function")), "")


def no_activation_on_int32(site: Site) -> Reason | None:
    """No fused activation on int32."""
    found = _activation(site)
    if site["first input"].dtype != "int32" or found == "NONE":
        return None
    message = f"fused_activation_function is {found}, {site.rules.title} takes NONE on int32"
    return site.reason("option-value", message, found, "NONE")


def early_activation(site: Site) -> Reason | None:
    """No fused activation before NNAPI 1.2."""
    found = _activation(site)
    if not site.below(_NNAPI_1_2) or found == "NONE":
        return None
    return _from(site, _NNAPI_1_2, None, f"fused_activation_function is {found}", found)


def early_hybrid(site: Site) -> Reason | None:
    """No 8-bit weights under a float input before NNAPI 1.2."""
    if not site.below(_NNAPI_1_2) or not hybrid(site["input"], site["filter"]):
        return None
    found = f"{site['filter'].dtype} under float32"
    return _from(site, _NNAPI_1_2, site["filter"], f"{site.called(site['filter'])} is {found}", found)


def early_per_channel(site: Site) -> Reason | None:
    """No per-channel scales before NNAPI 1.2."""
    kernel = site["filter"]
    if not site.below(_NNAPI_1_2) or stored_as(kernel) != "per_channel":
        return None
    return _from(site, _NNAPI_1_2, kernel, f"{site.called(kernel)} is quantized per_channel", "per_channel")


def early_scales(site: Site) -> Reason | None:
    """Before NNAPI 1.2 the product of the scales of a uint8 layer stays below the scale of its result."""
    source, kernel, result = site["input"], site["filter"], site["output"]
    if not site.below(_NNAPI_1_2) or source.dtype != "uint8":
        return None
    product, limit = np.float32(pair(source)[0]) * np.float32(pair(kernel)[0]), np.float32(pair(result)[0])
    if product < limit:
        return None
    message = f"scales of input and filter multiply to {product:g}, not less than {limit:g}, that of the output"
    return _from(site, _NNAPI_1_2, result, message, f"{product:g}")


def early_dilation(site: Site) -> Reason | None:
    """No dilation before NNAPI 1.2."""
    factors = [int(site.option(name)) for name in ("dilation_h_factor", "dilation_w_factor")]
    if not site.below(_NNAPI_1_2) or factors == [1, 1]:
        return None
    return _from(site, _NNAPI_1_2, None, f"dilation is {factors[0]}x{factors[1]}", f"{factors[0]}x{factors[1]}")


def early_groups(site: Site) -> Reason | None:
    """No groups before NNAPI 1.2."""
    channels, depth = site["input"].shape[3], site["filter"].shape[3]
    if not site.below(_NNAPI_1_2) or channels == depth:
        return None
    message = f"{site.called(site['filter'])} has depth {depth} under {channels} channels"
    return _from(site, _NNAPI_1_2, site["filter"], message, f"{depth}")


def kept_dimensions(site: Site) -> Reason | None:
    """``keep_num_dims`` from NNAPI 1.3 on."""
    if not site.below(_NNAPI_1_3) or not site.option("keep_num_dims"):
        return None
    return _from(site, _NNAPI_1_3, None, "keep_num_dims is set", "set")


def softmax_rank(site: Site) -> Reason | None:
    """Two or four dimensions before NNAPI 1.2."""
    rank = len(site["input"].shape)
    if not site.below(_NNAPI_1_2) or rank in {2, 4}:
        return None
    return _from(
        site, _NNAPI_1_2, site["input"], f"{site.called(site['input'])} has rank {rank}, not 2 or 4", f"{rank}"
    )


def early_normalization(site: Site) -> Reason | None:
    """float32 of four dimensions before NNAPI 1.2."""
    source = site["input"]
    if not site.below(_NNAPI_1_2) or (source.dtype == "float32" and len(source.shape) == 4):
        return None
    found = f"{source.dtype} of rank {len(source.shape)}"
    return _from(site, _NNAPI_1_2, source, f"{site.called(source)} is {found}", found)


def early_square(site: Site) -> Reason | None:
    """Height equals width before NNAPI 1.2."""
    height, width = site["output"].shape[1:3]
    if not site.below(_NNAPI_1_2) or height == width:
        return None
    message = f"{site.called(site['output'])} is {height} high and {width} wide"
    return _from(site, _NNAPI_1_2, site["output"], message, f"{height}x{width}")


def corners_and_centers(site: Site) -> Reason | None:
    """Neither ``align_corners`` nor ``half_pixel_centers`` before NNAPI 1.3."""
    for name in ("align_corners", "half_pixel_centers"):
        if site.below(_NNAPI_1_3) and site.option(name):
            return _from(site, _NNAPI_1_3, None, f"{name} is set", "set")
    return None


def early_join(site: Site) -> Reason | None:
    """Before NNAPI 1.2 uint8 inputs share scale and zero point."""
    first, *others = [tensor for _, tensor in site.inputs if tensor is not None]
    if not site.below(_NNAPI_1_2) or first.dtype != "uint8":
        return None
    for other in others:
        if pair(other) != pair(first):
            message = f"{site.called(other)} has {pair_in_words(other)}, the first {pair_in_words(first)}"
            return _from(site, _NNAPI_1_2, other, message, pair_in_words(other))
    return None


def first_joined(site: Site) -> Reason | None:
    """The first input has at most four dimensions and is float or of 8 bits."""
    first = site["input"]
    if len(first.shape) > 4:
        return site.about("tensor-rank", first, f"has rank {len(first.shape)}", "rank 4 or less")
    if first.dtype not in _JOINED:
        return site.about("tensor-type", first, f"is {first.dtype}", ", ".join(sorted(_JOINED)))
    return None


def named_dimensions(site: Site) -> Reason | None:
    """NNAPI 1.1 wants to be told which dimensions go."""
    dimensions = site.op.options.get("squeeze_dims")
    if not site.below(_NNAPI_1_2) or (dimensions is not None and len(dimensions)):
        return None
    return _from(site, _NNAPI_1_2, None, "squeeze_dims is empty", "empty")


def symmetric_at_29(site: Site) -> Reason | None:
    """NNAPI 1.2 has int8 with zero point 0 only."""
    source = site["input"]
    if not site.below(_NNAPI_1_3) or source.dtype != "int8" or pair(source)[1] == 0:
        return None
    found = f"zero point {pair(source)[1]}"
    return _from(site, _NNAPI_1_3, source, f"{site.called(source)} is int8 with {found}", found)


def dequantize_version(site: Site) -> Reason | None:
    """Version 2 or less, but for float16."""
    version = site.op.version
    if site["input"].dtype == "float16" or version <= _NEWEST_DEQUANTIZE:
        return None
    message = f"{site.op.name} is of version {version}, {site.rules.title} takes versions up to {_NEWEST_DEQUANTIZE}"
    return site.reason("op-version", message, version, _NEWEST_DEQUANTIZE)


def positive_scales(site: Site) -> Reason | None:
    """What is quantized has a scale above 0."""
    for tensor in site.values():
        if tensor.dtype in EIGHT_BITS and not pair(tensor)[0] > 0:
            return site.about("quantization-scale", tensor, f"has scale {pair(tensor)[0]:g}", "scales above 0")
    return None


def quantized_window(site: Site) -> Reason | None:
    """A window of 256 values at most for 8 bits: the reference CPU path would overflow."""
    size = int(site.option("filter_height") * site.option("filter_width"))
    if site["input"].dtype not in EIGHT_BITS or size <= _LARGEST_WINDOW:
        return None
    message = f"the window has {size} values, {site.rules.title} takes {_LARGEST_WINDOW} or less for 8 bits"
    return site.reason("option-value", message, size, f"{_LARGEST_WINDOW} or less")


def scalars_constant(site: Site) -> Reason | None:
    """An operand without dimensions is a constant."""
    for name in ("first input", "second input"):
        tensor = site[name]
        if not tensor.shape and not tensor.is_stored and tensor.index not in site.unpacked:
            return site.about("tensor-constant", tensor, "is a scalar computed at run time", "a constant there")
    return None


def condition_shape(site: Site) -> Reason | None:
    """The condition has the shape of what is chosen from."""
    condition, choice = site["condition"], site["first choice"]
    if condition.shape == choice.shape:
        return None
    return site.about("tensor-shape", condition, f"has shape {list(condition.shape)}", f"{list(choice.shape)}")


def same_batches(site: Site) -> Reason | None:
    """All dimensions but the last two agree."""
    first, second = site["first input"], site["second input"]
    if len(first.shape) == len(second.shape) and first.shape[:-2] == second.shape[:-2]:
        return None
    takes = f"the batches of {list(first.shape)}"
    return site.about("tensor-shape", second, f"has shape {list(second.shape)}", takes)


def wide_axis_constant(site: Site) -> Reason | None:
    """An int64 axis is a constant."""
    axis = site["axis"]
    if axis.dtype != "int64" or axis.is_stored:
        return None
    return site.about("tensor-constant", axis, "is int64 computed at run time", "int32 or a constant")


def new_shape(site: Site) -> Reason | None:
    """Without a second input the option gives the shape, and not that of a scalar."""
    given = site.op.options.get("new_shape")
    shape = [] if given is None else [int(extent) for extent in given]
    if len(site.op.inputs) > 1 or shape not in ([], [0]):
        return None
    message = f"new_shape is {shape}, {site.rules.title} takes one dimension or more"
    return site.reason("option-value", message, shape, "one dimension or more")


def nonzero_sizes(site: Site) -> Reason | None:
    """No part is empty, that one included which takes the rest."""
    sizes, source = site["sizes"].values().ravel().tolist(), site["input"]
    axis, rank = int(site["axis"].values().ravel()[0]), len(source.shape)
    if not -rank <= axis < rank:
        return site.about("constant-value", site["axis"], f"holds {axis}", f"an axis of {rank} dimensions")
    rest = source.shape[axis] - sum(size for size in sizes if size != -1) if -1 in sizes else 1
    if 0 not in sizes and rest != 0:
        return None
    return site.about("constant-value", site["sizes"], f"holds {sizes}, which leaves a part empty", "parts with values")


def early_pack_axis(site: Site) -> Reason | None:
    """Not along a new last dimension before feature level 6."""
    axis = int(site.option("axis"))
    if not site.below(_LEVEL_6) or axis not in {-1, len(site["input"].shape)}:
        return None
    return _from(site, _LEVEL_6, None, f"axis is {axis}, a new last dimension", f"{axis}")


def unpack_axis(site: Site) -> Reason | None:
    """Not along the last dimension."""
    axis, last = int(site.option("axis")), len(site["input"].shape) - 1
    if axis not in {-1, last}:
        return None
    message = f"axis is {axis}, {site.rules.title} takes any but the last"
    return site.reason("option-value", message, axis, "any but the last")


def sparse_projection(site: Site) -> Reason | None:
    """A sparse projection has no weights, and comes with NNAPI 1.2."""
    if int(site.option("type")) != _SPARSE:
        return None
    if site.below(_NNAPI_1_2):
        return _from(site, _NNAPI_1_2, None, "the projection is sparse", "sparse")
    if len(site.op.inputs) == 2:
        return None
    message = f"a sparse projection has {len(site.op.inputs)} inputs, {site.rules.title} takes 2"
    return site.reason("input-count", message, len(site.op.inputs), 2)


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        no_activation_on_int32, early_activation, early_hybrid, early_per_channel, early_scales, early_dilation,
        early_groups, kept_dimensions, softmax_rank, early_normalization, early_square, corners_and_centers,
        early_join, first_joined, named_dimensions, symmetric_at_29, dequantize_version, positive_scales,
        quantized_window, scalars_constant, condition_shape, same_batches, wide_axis_constant, new_shape,
        nonzero_sizes, early_pack_axis, unpack_axis, sparse_projection, *RECURRENT_CHECKS,
    )
}  # fmt: skip
