"""A channel that batch norm switched off: its bias does not fit the scale of its weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edge_sdk
from edge_sdk.artifact import read_artifact
from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.quantize.weights.narrow_channels import restore, widen
from edge_sdk.engines.observe import Observation
from tests.graphs import Graph, options


def _model(small: float = 1e-9) -> bytes:
    graph = Graph()
    weights = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
    weights[1] *= small
    x, y = graph.tensor("x", (1, 8, 8, 3)), graph.tensor("y", (1, 8, 8, 4))
    w, b = graph.constant("w", weights), graph.constant("b", np.array([0.1, 0.5, -0.2, 0.3], np.float32))
    graph.op("CONV_2D", (x, w, b), (y,), options("Conv2DOptions", padding=0, stride_w=1, stride_h=1))
    return graph.finish((x,), (y,))


_RANGE = {0: Observation(-2.0, 2.0)}


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_the_bias_fits_and_other_channels_stay(dtype: str) -> None:
    data, widened = widen(_model(), _RANGE, dtype)
    (one,) = widened
    assert (one.name, one.channels) == ("w", (1,))
    before, after = (
        next(t.values() for t in parse_artifact(d).main.tensors if t.name == "w") for d in (_model(), data)
    )
    assert np.array_equal(before[[0, 2, 3]], after[[0, 2, 3]])
    scale = 4 / 255 if dtype == "int8" else 4 / 65534
    assert 0.5 / (scale * np.abs(after[1]).max() / 127) < 2**31


def test_a_model_whose_biases_fit_is_left_alone() -> None:
    data = _model(small=1.0)
    assert widen(data, _RANGE, "int8") == (data, ())


def test_a_layer_that_stays_in_float_gets_its_weights_back() -> None:
    data, widened = widen(_model(), _RANGE, "int8")
    values = next(t.values() for t in parse_artifact(restore(data, widened)).main.tensors if t.name == "w")
    assert np.array_equal(values, next(t.values() for t in parse_artifact(_model()).main.tensors if t.name == "w"))


@pytest.mark.keras
def test_int16_activations_of_such_a_model(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(_model())
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(1).standard_normal((40, 8, 8, 3)).astype(np.float32))
    report = edge_sdk.convert(
        tmp_path / "net.tflite",
        tmp_path / "net16.tflite",
        recipe="int16x8",
        calibration=tmp_path / "x.npz",
        timing=False,
    )
    assert report.verified
    weights = next(t.values() for t in read_artifact(tmp_path / "net16.tflite").main.tensors if t.shape == (4, 3, 3, 3))
    assert not weights[1].any()
    assert weights[0].any()
