"""Transposed convolutions: what SAME and VALID say needs no other op; all else is exact as well."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.converters.direct.compare import check, model

pytestmark = pytest.mark.onnx
SHAPES = {1: (2, 4, 9), 2: (2, 4, 7, 9), 3: (1, 4, 4, 5, 6)}
FORMS: list[dict[str, Any]] = [
    {},
    {"strides": 2, "pads": 1},
    {"strides": 2, "pads": 1, "output_padding": 1},
    {"strides": 3},
    {"strides": 4, "output_padding": 2},
    {"strides": 2, "dilations": 2},
    {"strides": 2, "pads": 2, "dilations": 2, "output_padding": 1},
    {"strides": 2, "auto_pad": "SAME_UPPER"},
    {"strides": 2, "auto_pad": "SAME_LOWER"},
]


def _random(shape: tuple[int, ...], seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _transposed(
    rank: int, form: dict[str, Any], *, group: int = 1, bias: bool = True, known: bool = True, kernel: int = 3
) -> tuple[Any, Any]:
    from onnx import helper

    attributes: dict[str, Any] = {"group": group}
    for name, count in (("strides", 1), ("dilations", 1), ("output_padding", 1), ("pads", 2)):
        if name in form:
            attributes[name] = [form[name]] * rank * count
    attributes |= {name: form[name] for name in ("auto_pad", "output_shape") if name in form}
    weights = {"w": _random((4, 6 // group * 1, *[kernel] * rank), 1)}
    if bias:
        weights["b"] = _random((weights["w"].shape[1] * group,), 2)
    feeds = {"x": _random(SHAPES[rank])}
    if not known:
        feeds, weights = feeds | weights, {}
    node = helper.make_node("ConvTranspose", ["x", "w", *(["b"] if bias else [])], ["y"], **attributes)
    return model([node], feeds, ["y"], weights), feeds


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_known_weights(rank: int, group: int, form: dict[str, Any]) -> None:
    check(*_transposed(rank, form, group=group))


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("group", [1, 2])
def test_weights_that_depend_on_data(group: int, form: dict[str, Any]) -> None:
    check(*_transposed(2, form, group=group, known=False))


@pytest.mark.parametrize("shape", [[13, 17], [15, 18], [12, 16], [16, 20]])
@pytest.mark.parametrize("bias", [False, True])
def test_extents_that_are_asked_for(shape: list[int], *, bias: bool) -> None:
    check(*_transposed(2, {"strides": 2, "output_shape": shape}, bias=bias))


@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_every_channel_alone(form: dict[str, Any], multiplier: int) -> None:
    from onnx import helper

    names = {"strides": 1, "dilations": 1, "output_padding": 1, "pads": 2}
    attributes = {name: [form[name]] * 2 * count for name, count in names.items() if name in form}
    attributes |= {name: form[name] for name in ("auto_pad",) if name in form}
    channels = 12
    node = helper.make_node("ConvTranspose", ["x", "w", "b"], ["y"], group=channels, **attributes)
    x = _random((2, channels, 6, 7))
    weights = {"w": _random((channels, multiplier, 3, 3), 1), "b": _random((channels * multiplier,), 2)}
    check(model([node], {"x": x}, ["y"], weights), {"x": x})


@pytest.mark.parametrize(("kernel", "form"), [(4, {"strides": 2, "pads": 1}), (2, {"strides": 2}), (3, {"pads": 1})])
def test_common_forms_are_one_op(kernel: int, form: dict[str, Any]) -> None:
    lowered = check(*_transposed(2, form, kernel=kernel), layout="nhwc")
    assert [op.kind for op in lowered.graph.ops] == ["TRANSPOSE_CONV"]
    assert len(lowered.graph.ops[0].inputs) == 4
