"""What VeriSilicon's delegate asks of an op beyond what ``device_profiles/rules/vx.toml`` can say.

All of it is *predicted*; source of every bound: ``op_map.cc`` of VeriSilicon/tflite-vx-delegate, main of 2025-01-07.
"""

from __future__ import annotations

from edge_sdk.artifact.model import Tensor
from edge_sdk.artifact.schema import schema
from edge_sdk.checks.placement.site import EIGHT_BITS, Check, Reason, Site, stored_as

_LARGEST_EXTENT = 65535


def extents(site: Site) -> Reason | None:
    """No dimension of an input but the first is larger than 65,535."""
    for _, tensor in site.inputs:
        if tensor is not None and max(tensor.shape[1:], default=0) > _LARGEST_EXTENT:
            takes = f"{_LARGEST_EXTENT} or less behind the first dimension"
            return site.about("tensor-shape", tensor, f"has shape {list(tensor.shape)}", takes)
    return None


def summand_types(site: Site) -> Reason | None:
    """Not from int16 to 8 bits, and no RELU_N1_TO_1 on int32."""
    source, result = site["first input"], site["output"]
    if source.dtype == "int16" and result.dtype in EIGHT_BITS and "none" not in {stored_as(source), stored_as(result)}:
        return site.about("mixed-types", result, f"is {result.dtype} from int16", "8 bits from 8 bits")
    activation = schema().enums["ActivationFunctionType"].get(int(site.option("fused_activation_function")))
    if activation != "RELU_N1_TO_1" or {source.dtype, result.dtype} != {"int32"}:
        return None
    message = f"fused_activation_function is {activation}, {site.rules.title} takes another on int32"
    return site.reason("option-value", message, activation, "another on int32")


def no_whole_power(site: Site) -> Reason | None:
    """Base and exponent are not both int32."""
    base, exponent = site["first input"], site["second input"]
    if {base.dtype, exponent.dtype} != {"int32"}:
        return None
    return site.about("tensor-type", exponent, "is int32 over an int32 base", "floats")


def quantize_types(site: Site) -> Reason | None:
    """Not from quantized int16 or int32 to less, and to one scale only."""
    source, result = site["input"], site["output"]
    scaled = stored_as(source) != "none"
    if scaled and source.dtype == "int32" and result.dtype in EIGHT_BITS:
        return site.about("mixed-types", result, f"is {result.dtype} from int32", "a float input")
    if scaled and source.dtype == "int16" and result.dtype in EIGHT_BITS | {"int32"}:
        return site.about("mixed-types", result, f"is {result.dtype} from int16", "a float input")
    if source.dtype == "float32" and result.dtype in EIGHT_BITS:
        return _one_scale(site, result)
    return None


def dequantize_types(site: Site) -> Reason | None:
    """From one scale, and not from quantized int16 or float16."""
    source = site["input"]
    if site["output"].dtype != "float32" or stored_as(source) == "none":
        return None
    if source.dtype in {"int16", "float16"}:
        return site.about("tensor-type", source, f"is quantized {source.dtype}", "int8 or uint8")
    return _one_scale(site, source) if source.dtype in EIGHT_BITS else None


def _one_scale(site: Site, tensor: Tensor) -> Reason | None:
    if stored_as(tensor) != "per_channel":
        return None
    return site.about("tensor-quantization", tensor, f"is {tensor.dtype} quantized per_channel", "per_tensor")


def one_image_in_groups(site: Site) -> Reason | None:
    """A convolution in groups has batch 1."""
    source, kernel = site["input"], site["filter"]
    if source.shape[3] == kernel.shape[3] or source.shape[0] == 1:
        return None
    return site.about("tensor-shape", source, f"has batch {source.shape[0]}", "1 for a convolution in groups")


def factors(site: Site) -> Reason | None:
    """Not float32 with int8."""
    first, second = site["first input"], site["second input"]
    if {first.dtype, second.dtype} != {"float32", "int8"}:
        return None
    return site.about("mixed-types", second, f"is {second.dtype}", f"the type of the first input, {first.dtype}")


def one_adjoint(site: Site) -> Reason | None:
    """Not both inputs transposed."""
    if not (site.option("adj_x") and site.option("adj_y")):
        return None
    return site.reason("option-value", f"adj_x and adj_y are set, {site.rules.title} takes one of them", "both", "one")


def whole_batch(site: Site) -> Reason | None:
    """A slice of four dimensions or more keeps the batch."""
    before, after = site["input"].shape, site["output"].shape
    if len(before) <= 3 or before[:1] == after[:1]:
        return None
    return site.about("batch-dimension", site["output"], f"has shape {list(after)}", f"a batch of {before[0]}")


def condition_rank(site: Site) -> Reason | None:
    """The condition has as many dimensions as what is chosen from."""
    condition, choice = len(site["condition"].shape), len(site["first choice"].shape)
    if condition == choice:
        return None
    return site.about("tensor-rank", site["condition"], f"has rank {condition}", f"rank {choice}")


def looked_up_types(site: Site) -> Reason | None:
    """Not int8 out of uint8."""
    values, result = site["values"], site["output"]
    if (values.dtype, result.dtype) != ("uint8", "int8"):
        return None
    return site.about("mixed-types", result, "is int8 from uint8", "one type for both")


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        extents, summand_types, no_whole_power, quantize_types, dequantize_types, one_image_in_groups, factors,
        one_adjoint, whole_batch, condition_rank, looked_up_types,
    )
}  # fmt: skip
