"""Resize in every mode, and which of them are TFLite's own ops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.converters.direct.compare import check, lowered, model, run

pytestmark = pytest.mark.onnx
COORDINATES = ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"]
NEAREST = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]
SIZES = [(2, 3, 13, 22), (2, 3, 8, 6), (2, 3, 5, 12), (2, 3, 1, 9)]


def _random(shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def _resize(
    sizes: Any = None, scales: Any = None, roi: Any = None, shape: tuple[int, ...] = (2, 3, 7, 9), **attributes: Any
) -> tuple[Any, Any]:
    from onnx import helper

    weights = {}
    for name, values, dtype in (("roi", roi, "float32"), ("scales", scales, "float32"), ("sizes", sizes, "int64")):
        if values is not None:
            weights[name] = np.array(values, dtype)
    inputs = ["x", *(name if name in weights else "" for name in ("roi", "scales", "sizes"))]
    x = _random(shape)
    return model([helper.make_node("Resize", inputs, ["y"], **attributes)], {"x": x}, ["y"], weights, 19), {"x": x}


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("nearest", NEAREST)
@pytest.mark.parametrize("coordinates", COORDINATES)
def test_nearest(coordinates: str, nearest: str, sizes: tuple[int, ...]) -> None:
    proto = _resize(sizes, mode="nearest", coordinate_transformation_mode=coordinates, nearest_mode=nearest)
    check(*proto, tolerance=0.0)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("coordinates", COORDINATES)
def test_weights(coordinates: str, mode: str, sizes: tuple[int, ...]) -> None:
    check(*_resize(sizes, mode=mode, coordinate_transformation_mode=coordinates))


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_scales_that_give_no_whole_numbers(mode: str) -> None:
    check(*_resize(scales=[1, 1, 1.7, 0.6], mode=mode))


@pytest.mark.parametrize("more", [{"cubic_coeff_a": -0.5}, {"exclude_outside": 1}, {"antialias": 1}], ids=str)
@pytest.mark.parametrize("sizes", SIZES)
def test_options_of_cubic(sizes: tuple[int, ...], more: dict[str, Any]) -> None:
    check(*_resize(sizes, mode="cubic", **more))


def test_linear_with_antialias() -> None:
    check(*_resize((2, 3, 3, 4), mode="linear", antialias=1))


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_a_part_of_the_image_is_resized(mode: str) -> None:
    """The part reaches beyond the image, where the extrapolation value is."""
    roi = [0, 0, 0.2, -0.3, 1, 1, 0.9, 1.4]
    how: dict[str, Any] = {
        "mode": mode,
        "coordinate_transformation_mode": "tf_crop_and_resize",
        "extrapolation_value": 5.0,
    }
    check(*_resize((2, 3, 8, 12), roi=roi, **how))


@pytest.mark.parametrize("policy", ["stretch", "not_larger", "not_smaller"])
def test_policies_for_the_aspect_ratio(policy: str) -> None:
    check(*_resize([12, 15], axes=[2, 3], mode="linear", keep_aspect_ratio_policy=policy))


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("shape", [(2, 3, 7), (2, 3, 4, 5, 6)])
def test_other_ranks(shape: tuple[int, ...], mode: str) -> None:
    check(*_resize([2, 3, *(2 * n + 1 for n in shape[2:])], shape=shape, mode=mode))


def test_axes_that_are_not_spatial() -> None:
    """ONNX Runtime refuses them, the reference evaluator does not; bound as in :func:`compare.check`."""
    from onnx.reference import ReferenceEvaluator

    proto, feeds = _resize([3, 5, 4, 3], shape=(2, 3, 4, 3), mode="linear")
    (want,) = ReferenceEvaluator(proto).run(None, feeds)
    (found,) = run(lowered(proto, feeds), feeds)
    np.testing.assert_allclose(found, want, rtol=0, atol=1e-5 * np.abs(want).max())


def test_whole_factors_are_ops_of_tflite() -> None:
    """What YOLO's and FPN's upsampling is: one op, and none for the layout where the image has it."""
    graph = check(*_resize(scales=[1, 1, 2, 2], mode="nearest"), layout="nhwc", tolerance=0.0)
    assert [op.kind for op in graph.graph.ops] == ["RESIZE_NEAREST_NEIGHBOR"]
    graph = check(*_resize([2, 3, 14, 27], mode="linear"), layout="nhwc")
    assert [op.kind for op in graph.graph.ops] == ["RESIZE_BILINEAR"]


@pytest.mark.parametrize(("kind", "opset"), [("Upsample", 7), ("Upsample", 9), ("Resize", 10)])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_older_forms(kind: str, opset: int, mode: str) -> None:
    from onnx import helper

    scales = [1.0, 1.0, 2.0, 3.0]
    given = {"scales": scales} if opset == 7 else {}
    inputs = ["x"] if opset == 7 else ["x", "s"]
    weights = {} if opset == 7 else {"s": np.array(scales, np.float32)}
    x = _random((1, 2, 3, 4))
    node = helper.make_node(kind, inputs, ["y"], mode=mode, **given)
    check(model([node], {"x": x}, ["y"], weights, opset), {"x": x})


def test_the_ops_do_not_depend_on_equal_extents() -> None:
    kinds = []
    for shape in ((2, 3, 7, 9), (9, 9, 7, 9), (9, 9, 9, 9)):
        graph = check(*_resize([*shape[:2], 20, 14], shape=shape, mode="cubic"))
        kinds.append([op.kind for op in graph.graph.ops])
    assert kinds[0] == kinds[1] == kinds[2]
