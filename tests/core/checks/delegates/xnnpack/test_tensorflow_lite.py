"""What TensorFlow 2.16.1 was seen to do with kernels that are calibrated (605 of one op and 97 networks, all alike)."""

from __future__ import annotations

import pytest

from edge_sdk.artifact import parse_artifact
from edge_sdk.checks.placement.rule_sets import place_by
from edge_sdk.measure.calibration.kernels import Kernel, kernels

KERNELS = {one.id: one for one in kernels()}


@pytest.mark.parametrize(
    ("identity", "taken"),
    [
        ("float32 pointwise 7x7x160-960", True),
        ("int8 pointwise 7x7x160-960", True),
        # No products of dynamic range, nor 8-bit weights with a scale for each channel of a fully connected layer.
        ("hybrid pointwise 7x7x160-960", False),
        ("hybrid dense 49x192-192", False),
        ("int8 dense 49x192-192", False),
        ("float32 dense 49x192-192", True),
        ("int8 depthwise 14x14x384-3-1", True),
        ("int8 ADD 56x56x64", True),
        ("int8 rescaled 56x56x64", True),
        ("int8 HARD_SWISH 56x56x64", False),
        ("float32 GELU 56x56x64", False),
        ("float32 MEAN last 1x196x192", False),
        ("int8 TRANSPOSE_CONV 8x8x256-128", False),
    ],
)
def test_taken_as_it_was_seen(identity: str, taken: bool) -> None:
    kernel: Kernel = KERNELS[identity]
    graph = parse_artifact(kernel.build()).main
    assert bool(place_by("xnnpack_tensorflow_lite", graph, engine="2.16.1").claimed) == taken
