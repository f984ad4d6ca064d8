"""Fourier transforms against NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.converters.direct.compare import check, lowered, model, run

pytestmark = pytest.mark.onnx


def _random(shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def _complex(pairs: Any) -> Any:
    return pairs[..., 0] if pairs.shape[-1] == 1 else pairs[..., 0] + 1j * pairs[..., 1]


def _pairs(numbers: Any) -> Any:
    return np.stack([numbers.real, numbers.imag], -1)


def _close(proto: Any, feeds: Any, want: Any) -> None:
    """float32's rounding (6e-8) over sums of up to a hundred terms of about one."""
    (found,) = run(lowered(proto, feeds), feeds)
    assert found.shape == want.shape
    np.testing.assert_allclose(found, want, rtol=0, atol=1e-5 * max(1.0, float(np.abs(want).max())))


@pytest.mark.parametrize("length", [None, 8, 21])
@pytest.mark.parametrize("axis", [1, 2, -2])
@pytest.mark.parametrize(("parts", "how"), [(1, {}), (2, {}), (1, {"onesided": 1}), (2, {"inverse": 1})], ids=str)
@pytest.mark.parametrize("opset", [17, 20])
def test_transforms(opset: int, parts: int, how: dict[str, int], axis: int, length: int | None) -> None:
    from onnx import helper

    x = _random((2, 11, 13, parts))
    weights = {} if length is None else {"n": np.array(length)}
    inputs = ["x", "" if length is None else "n"]
    if opset == 20:
        weights["a"] = np.array(axis)
        inputs.append("a")
    node = helper.make_node("DFT", inputs, ["y"], **how, **({"axis": axis} if opset == 17 else {}))
    place = axis % 4
    transform = np.fft.ifft if "inverse" in how else np.fft.fft
    want = transform(_complex(x), length, axis=place)
    if "onesided" in how:
        want = want.take(range((length or x.shape[place]) // 2 + 1), axis=place)
    _close(model([node], {"x": x}, ["y"], weights, opset), {"x": x}, _pairs(want))


@pytest.mark.parametrize(("step", "length"), [(4, 16), (6, 16), (5, 16), (16, 16)])
@pytest.mark.parametrize("onesided", [0, 1])
@pytest.mark.parametrize("window", ["none", "known", "runtime"])
def test_short_time_transforms(window: str, onesided: int, step: int, length: int) -> None:
    from onnx import helper

    x, hann = _random((2, 75, 1)), np.hanning(length).astype(np.float32)
    weights: dict[str, Any] = {"step": np.array(step), "length": np.array(length)}
    feeds = {"x": x}
    if window != "none":
        (feeds if window == "runtime" else weights)["w"] = hann
    node = helper.make_node("STFT", ["x", "step", "" if window == "none" else "w", "length"], ["y"], onesided=onesided)
    frames = np.lib.stride_tricks.sliding_window_view(x[..., 0], length, axis=1)[:, ::step]
    want = np.fft.fft(frames * (1 if window == "none" else hann))
    want = want[..., : length // 2 + 1] if onesided else want
    _close(model([node], feeds, ["y"], weights), feeds, _pairs(want))


def test_a_spectrogram_is_one_convolution() -> None:
    from onnx import helper

    x = _random((1, 800))
    weights = {"step": np.array(160), "w": np.hanning(400).astype(np.float32)}
    node = helper.make_node("STFT", ["x", "step", "w"], ["y"])
    graph = lowered(model([node], {"x": x}, ["y"], weights), {"x": x})
    convolution = next(op for op in graph.graph.ops if op.kind == "CONV_2D")
    assert [op.kind for op in graph.graph.ops] == ["RESHAPE", "CONV_2D", "RESHAPE"]
    # 80 divides the step and the frame: five taps of 80 channels, not 400 of one.
    assert convolution.inputs[1] is not None
    assert convolution.inputs[1].shape == (402, 1, 5, 80)


@pytest.mark.parametrize("kind", ["HannWindow", "HammingWindow", "BlackmanWindow"])
def test_known_windows_are_constants(kind: str) -> None:
    from onnx import helper

    x = _random((3, 16))
    nodes = [helper.make_node(kind, ["n"], ["w"]), helper.make_node("Mul", ["x", "w"], ["y"])]
    graph = check(model(nodes, {"x": x}, ["y"], {"n": np.array(16)}), {"x": x})
    assert [op.kind for op in graph.graph.ops] == ["MUL"]
