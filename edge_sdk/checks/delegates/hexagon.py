"""What the Hexagon delegate asks of an op beyond what ``device_profiles/rules/hexagon.toml`` can say.

All of it is *predicted*; source of every bound: ``tflite/delegates/hexagon/utils.cc`` of LiteRT v2.1.0.
"""

from __future__ import annotations

from edge_sdk.checks.placement.site import Check, Reason, Site

_SAME = 0
_LARGEST_WINDOW = 12


def small_window(site: Site) -> Reason | None:
    """With padding SAME a window is 12 high and wide at most."""
    height, width = (int(site.option(f"filter_{side}")) for side in ("height", "width"))
    if int(site.option("padding")) != _SAME or max(height, width) <= _LARGEST_WINDOW:
        return None
    message = f"the window is {height}x{width}, {site.rules.title} takes {_LARGEST_WINDOW} or less with padding SAME"
    return site.reason("option-value", message, f"{height}x{width}", f"{_LARGEST_WINDOW} or less")


def _dilated(site: Site) -> bool:
    return any(int(site.option(name)) != 1 for name in ("dilation_h_factor", "dilation_w_factor"))


def dilation_without_stride(site: Site) -> Reason | None:
    """Dilation goes with strides of 1."""
    strides = [int(site.option(name)) for name in ("stride_h", "stride_w")]
    if not _dilated(site) or strides == [1, 1]:
        return None
    message = f"strides are {strides} under dilation, {site.rules.title} takes [1, 1]"
    return site.reason("option-value", message, strides, "[1, 1]")


def one_multiplier(site: Site) -> Reason | None:
    """More than one result for a channel only where there is one channel, and no dilation."""
    multiplier, shape = int(site.option("depth_multiplier")), site["input"].shape
    if multiplier == 1 or (not _dilated(site) and len(shape) == 4 and shape[3] == 1):
        return None
    message = f"depth_multiplier is {multiplier}, {site.rules.title} takes 1 but for a single channel without dilation"
    return site.reason("option-value", message, multiplier, 1)


def two_rows(site: Site) -> Reason | None:
    """A filter is 2 high or more."""
    kernel = site["filter"]
    if len(kernel.shape) < 2 or kernel.shape[1] >= 2:
        return None
    return site.about("tensor-shape", kernel, f"has height {kernel.shape[1]}", "2 or more")


CHECKS: dict[str, Check] = {
    check.__name__: check for check in (small_window, dilation_without_stride, one_multiplier, two_rows)
}
