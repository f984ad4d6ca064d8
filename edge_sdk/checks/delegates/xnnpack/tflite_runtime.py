"""What the XNNPACK delegate of tflite-runtime asks beyond what ``xnnpack_tflite_runtime.toml`` can say.

What TensorFlow Lite asks besides is at the end. Found by asking tflite-runtime 2.14.0, not by reading its source.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edge_sdk.checks.delegates.xnnpack.walk import CHECKS as OF_LITERT
from edge_sdk.checks.placement.site import Check, Reason, Site


def width_and_height(site: Site) -> Reason | None:
    """The mean over width, or over height and width, of an image."""
    axes = site["axes"].values().ravel().tolist()
    if sorted(axes) in ([2], [1, 2]):
        return None
    return site.about("constant-value", site["axes"], f"holds {axes}", "[2] or [1, 2]")


_OF_8_BITS = (
    "one_quantization",
    "one_type",
    "product_ratio",
    "product_types",
    "requantization",
    "requantize_ratio",
    "sum_ratios",
)
_SHARED = (
    "broadcastable",
    "channels_of_blocks",
    "classes",
    "dense_bias_size",
    "groups",
    "image",
    "joined_axis",
    "leaky_slope",
    "one_index_for_each_dimension",
    "paddings_shape",
    "permutation",
    "positive_height",
    "positive_width",
    "shape_in_a_row",
    "slice_lengths",
    "split_count",
    "transposed_channels",
    "transposed_size",
    "whole_blocks",
    "whole_multiplier",
    "window",
)
CHECKS: Mapping[str, Check] = MappingProxyType(
    {**{name: OF_LITERT[name] for name in _SHARED}, "width_and_height": width_and_height}
)
OF_TENSORFLOW_LITE: Mapping[str, Check] = MappingProxyType({**CHECKS, **{name: OF_LITERT[name] for name in _OF_8_BITS}})
"""Of ``xnnpack_tensorflow_lite.toml``, found likewise with TensorFlow 2.16.1."""
