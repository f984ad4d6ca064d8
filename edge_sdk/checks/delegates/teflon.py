"""What Mesa's Teflon delegate asks of an op beyond what ``device_profiles/rules/teflon.toml`` can say.

All of it is *predicted*; source: ``src/gallium/frontends/teflon/tfl_device.c`` of Mesa at 290f9c6099.
"""

from __future__ import annotations

from edge_sdk.artifact.schema import schema
from edge_sdk.checks.placement.site import Check, Reason, Site, pair

_LARGEST = {"int8": 127, "uint8": 255}
_RELU6 = 6.0


def undilated(site: Site) -> Reason | None:
    """No dilation; version 1 of the op has none."""
    factors = [int(site.option(name)) for name in ("dilation_h_factor", "dilation_w_factor")]
    if site.op.version < 2 or factors == [1, 1]:
        return None
    message = f"dilation is {factors[0]}x{factors[1]}, {site.rules.title} takes 1x1"
    return site.reason("option-value", message, f"{factors[0]}x{factors[1]}", "1x1")


def relu6_by_scale(site: Site) -> Reason | None:
    """RELU6 only where the result's type cannot hold more than 6."""
    label = schema().enums["ActivationFunctionType"].get(int(site.option("fused_activation_function")))
    scale, zero_point = pair(site["output"])
    largest = (_LARGEST[site["output"].dtype] - zero_point) * scale
    if label != "RELU6" or largest <= _RELU6:
        return None
    return site.about("quantization-scale", site["output"], f"holds up to {largest:g} under RELU6", "6 or less")


def computed_inputs(site: Site) -> Reason | None:
    """No input is a constant."""
    for _, tensor in site.inputs:
        if tensor is not None and tensor.is_stored:
            return site.about("tensor-constant", tensor, "is a constant", "inputs that are computed at run time")
    return None


CHECKS: dict[str, Check] = {check.__name__: check for check in (undilated, relu6_by_scale, computed_inputs)}
