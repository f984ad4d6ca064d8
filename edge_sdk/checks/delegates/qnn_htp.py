"""What QNN asks of an op beyond what ``device_profiles/rules/qnn_htp.toml`` can say.

All of it is *predicted*; source: the answers of LiteRT 2.3's Qualcomm plugin with QNN 2.51 for SM8650, to the probes in
``tests/core/checks/delegates/qnn``.
"""

from __future__ import annotations

from edge_sdk.checks.placement.site import Check, Reason, Site

_FLOATS = frozenset({"float32", "float16"})
# A filter of int8 goes with activations of 16 bits.
_FILTERS = {"int16": ("int8", "int16"), "float32": ("float32",), "float16": ("float16",)}
_CASTS = {
    "float32": ("float32", "float16", "int8", "uint8", "int32", "bool"),
    "float16": ("float32", "float16", "int32"),
    "int8": ("float32", "int8", "uint8", "int32", "bool"),
    "uint8": ("float32", "int8", "uint8", "int32", "bool"),
    "int32": ("float32", "float16", "int8", "uint8", "int32", "int64", "bool"),
    "int64": ("int32",),
    "bool": ("float32", "float16", "int8", "uint8", "int32", "bool"),
}


def no_hybrid(site: Site) -> Reason | None:
    """A convolution computes in one type: no integer filter below float values."""
    filters = _FILTERS.get(site["input"].dtype)
    if filters is None or site["filter"].dtype in filters:
        return None
    found = f"is {site['filter'].dtype} below an input of {site['input'].dtype}"
    return site.about("tensor-type", site["filter"], found, " or ".join(filters))


def dense_filter(site: Site) -> Reason | None:
    """FULLY_CONNECTED takes an integer filter below float values too, if it has a scale."""
    weights, given = site["filter"], site["input"].dtype
    scaled = weights.dtype in ("int4", "int8", "int16", "uint8") and weights.quantization is not None
    if scaled or (given in _FLOATS and weights.dtype == given):
        return None
    limit = f"{given} or integers with a scale" if given in _FLOATS else "integers with a scale"
    return site.about("tensor-type", weights, f"is {weights.dtype}", limit)


def bias_of_kind(site: Site) -> Reason | None:
    """A bias is of the input's float type, or int32 (int64 below int16) with a scale and the zero point 0."""
    bias, given = site.find("bias"), site["input"].dtype
    if bias is None:
        return None
    wanted = (given,) if given in _FLOATS else ("int32", "int64") if given == "int16" else ("int32",)
    if bias.dtype not in wanted:
        return site.about("tensor-type", bias, f"is {bias.dtype}", " or ".join(wanted))
    if given in _FLOATS:
        return None
    if bias.quantization is None:
        return site.about("tensor-quantization", bias, "has no scale", "one")
    points = set(bias.quantization.zero_point) - {0}
    if points:
        return site.about("quantization-zero-point", bias, f"has zero point {min(points)}", "0")
    return None


def cast_pair(site: Site) -> Reason | None:
    """Not from every type to every other; integers with a scale are no numbers to cast."""
    before, after = site["input"], site["output"]
    takes = _CASTS.get(before.dtype, ())
    bare = [one for one in (before, after) if one.dtype in ("int8", "uint8", "int16") and one.quantization is None]
    if after.dtype in takes and not bare:
        return None
    message = f"casts {before.dtype} to {after.dtype}, {site.rules.title} takes {', '.join(takes) or 'no such type'}"
    return site.reason("cast-types", message, f"{before.dtype} to {after.dtype}", ", ".join(takes), before)


def dequantize_pair(site: Site) -> Reason | None:
    """From integers with a scale to float, or from float16 to float32."""
    before, after = site["input"], site["output"]
    integers = before.dtype in ("int8", "uint8", "int16") and before.quantization is not None
    if (integers and after.dtype in _FLOATS) or (before.dtype, after.dtype) == ("float16", "float32"):
        return None
    return site.about("tensor-type", before, f"is {before.dtype}", "int8, uint8, int16 with a scale, or float16")


CHECKS: dict[str, Check] = {
    check.__name__: check for check in (no_hybrid, dense_filter, bias_of_kind, cast_pair, dequantize_pair)
}
