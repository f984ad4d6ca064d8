"""Samples of images at places that depend on data: grids, deformable convolutions, regions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.converters.direct.compare import check, model

pytestmark = pytest.mark.onnx


def _random(shape: tuple[int, ...], seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _sample(shape: tuple[int, ...], places: tuple[int, ...], **how: Any) -> tuple[Any, Any]:
    """The grid reaches beyond the image at every side."""
    from onnx import helper

    grid = np.random.default_rng(1).uniform(-1.8, 1.8, (shape[0], *places, len(places))).astype(np.float32)
    feeds = {"x": _random(shape), "g": grid}
    return model([helper.make_node("GridSample", ["x", "g"], ["y"], **how)], feeds, ["y"], {}), feeds


@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_grids_over_images(mode: str, padding: str, corners: int) -> None:
    check(*_sample((2, 3, 5, 7), (4, 6), mode=mode, padding_mode=padding, align_corners=corners))


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_grids_over_volumes(mode: str, padding: str) -> None:
    check(*_sample((2, 3, 4, 5, 7), (3, 4, 6), mode=mode, padding_mode=padding))


def test_the_ops_do_not_depend_on_equal_extents() -> None:
    kinds = []
    for shape, places in (((2, 3, 5, 7), (4, 6)), ((7, 7, 5, 7), (4, 7)), ((7, 7, 7, 7), (7, 7))):
        graph = check(*_sample(shape, places))
        kinds.append([op.kind for op in graph.graph.ops])
    assert kinds[0] == kinds[1] == kinds[2]


@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("space", [(5, 7), (3, 5, 7)])
def test_affine_grids(space: tuple[int, ...], corners: int) -> None:
    from onnx import helper

    feeds = {"t": _random((2, len(space), len(space) + 1))}
    node = helper.make_node("AffineGrid", ["t", "s"], ["y"], align_corners=corners)
    check(model([node], feeds, ["y"], {"s": np.array([2, 3, *space])}), feeds)


DEFORMED: list[dict[str, Any]] = [
    {},
    {"group": 2},
    {"offset_group": 3},
    {"group": 2, "offset_group": 3, "mask": True},
    {"strides": [2, 1], "dilations": [1, 2], "pads": [0, 1, 2, 1], "mask": True},
]


@pytest.mark.parametrize("how", DEFORMED, ids=str)
def test_deformable_convolutions(how: dict[str, Any]) -> None:
    """Small: ONNX's own evaluator takes a second for a few hundred samples."""
    from onnx import helper

    how = {"pads": [1, 1, 1, 1], **how}
    masked, parts = how.pop("mask", False), how.get("offset_group", 1)
    strides, dilations, pads = how.get("strides", [1, 1]), how.get("dilations", [1, 1]), how["pads"]
    extents = tuple((n + pads[i] + pads[i + 2] - 2 * dilations[i] - 1) // strides[i] + 1 for i, n in enumerate((4, 5)))
    feeds = {"x": _random((2, 6, 4, 5)), "o": 2 * _random((2, parts * 18, *extents), 1)}
    if masked:
        feeds["m"] = _random((2, parts * 9, *extents), 2)
    weights = {"w": _random((4, 6 // how.get("group", 1), 3, 3), 3), "b": _random((4,), 4)}
    node = helper.make_node("DeformConv", ["x", "w", "o", "b", *(["m"] if masked else [])], ["y"], **how)
    check(model([node], feeds, ["y"], weights), feeds)


REGIONS = np.array([[1, 1, 8, 7], [0, 0, 13, 11], [-3.3, 2.2, 5.5, 11], [20, 20, 30, 30]], np.float32)


@pytest.mark.parametrize("coordinates", ["half_pixel", "output_half_pixel"])
@pytest.mark.parametrize(("mode", "samples"), [("avg", 1), ("avg", 3), ("max", 1), ("max", 2)])
def test_aligned_regions(mode: str, samples: int, coordinates: str) -> None:
    from onnx import helper

    node = helper.make_node(
        "RoiAlign",
        ["x", "r", "b"],
        ["y"],
        output_height=3,
        output_width=4,
        sampling_ratio=samples,
        spatial_scale=0.7,
        mode=mode,
        coordinate_transformation_mode=coordinates,
    )
    feeds = {"x": _random((2, 3, 12, 14)), "r": REGIONS, "b": np.array([0, 1, 1, 0])}
    check(model([node], feeds, ["y"], {}), feeds)


@pytest.mark.parametrize("scale", [0.5, 1.0])
@pytest.mark.parametrize("shape", [[2, 2], [3, 4], [7, 7]])
def test_pooled_regions(shape: list[int], scale: float) -> None:
    """The last region lies outside: its bins are empty, and 0."""
    from onnx import helper

    regions = np.array([[0, 1, 1, 8, 7], [1, 0, 0, 13, 11], [1, 3.3, 2.2, 5.5, 11], [0, 20, 20, 30, 30]], np.float32)
    feeds = {"x": _random((2, 3, 12, 14)), "r": regions}
    node = helper.make_node("MaxRoiPool", ["x", "r"], ["y"], pooled_shape=shape, spatial_scale=scale)
    check(model([node], feeds, ["y"], {}), feeds)
