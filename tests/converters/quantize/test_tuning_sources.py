"""Tuning serves every source alike: teacher and student are both .tflite files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.converters import Workers

SIDE, CHANNELS = 6, 8


def weights(place: int) -> npt.NDArray[np.float32]:
    """``[height, width, in, out]``; one large weight to a result makes the others coarse."""
    rng = np.random.default_rng(place)
    made = 0.1 * rng.standard_normal((1, 1, CHANNELS, CHANNELS))
    made[0, 0, np.arange(CHANNELS), rng.permutation(CHANNELS)] = 3
    return made.astype(np.float32)


def images() -> npt.NDArray[np.float32]:
    """Channels are mixed from two, as those of a trained network are."""
    rng = np.random.default_rng(9)
    values = rng.standard_normal((40, SIDE, SIDE, 2)) @ rng.standard_normal((2, CHANNELS)) + 1
    return values.astype(np.float32)


def saved_model(folder: Path, workers: Workers) -> Path:
    import tensorflow as tf

    module = tf.Module()
    module.kernels = [tf.Variable(weights(place)) for place in range(2)]

    @tf.function(input_signature=[tf.TensorSpec((1, SIDE, SIDE, CHANNELS), tf.float32, name="x")])  # type: ignore[untyped-decorator]
    def serve(x: Any) -> dict[str, Any]:
        inner = tf.nn.relu(tf.nn.conv2d(x, module.kernels[0], 1, "SAME"))
        return {"y": tf.nn.conv2d(inner, module.kernels[1], 1, "SAME")}

    tf.saved_model.save(module, str(folder / "saved"), signatures=serve)
    return folder / "saved"


def onnx_file(folder: Path, workers: Workers) -> Path:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    kernels = [
        numpy_helper.from_array(np.ascontiguousarray(weights(p).transpose(3, 2, 0, 1)), f"w{p}") for p in range(2)
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w1"], ["y"]),
    ]
    shape = [1, CHANNELS, SIDE, SIDE]
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)] for name in "xy"]
    graph = helper.make_graph(nodes, "net", *ends, initializer=kernels)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "net.onnx")
    return folder / "net.onnx"


def tflite_file(folder: Path, workers: Workers) -> Path:
    from edge_sdk.converters import convert

    convert(saved_model(folder, workers), folder / "float.tflite", workers=workers)
    return folder / "float.tflite"


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.onnx
@pytest.mark.keras
@pytest.mark.runtime
@pytest.mark.parametrize(
    ("make", "data"),
    [(onnx_file, images().transpose(0, 3, 1, 2)), (saved_model, images()), (tflite_file, images())],
    ids=["onnx", "saved_model", "tflite"],
)
def test_every_source_is_tuned_to_its_end(
    tmp_path: Path, workers: Workers, make: Any, data: npt.NDArray[np.float32]
) -> None:
    from edge_sdk.converters import convert

    np.savez(tmp_path / "data.npz", x=np.ascontiguousarray(data))
    report = convert(
        make(tmp_path, workers),
        tmp_path / "tuned.tflite",
        recipe="int8",
        tune=True,
        tune_minutes=1e4,
        calibration=str(tmp_path / "data.npz"),
        timing=False,
        workers=workers,
    )
    told = report.corrections["tuned"]
    assert report.verified
    assert (told["layers"], told["ended"]["by"]) == (2, "end")
    assert {"layers", "whole"} <= {one["stage"] for one in told["ended"]["stages"]}
    assert told["learned"] is not None, told["not_learned"]
    assert told["learned"]["steps"] > 0
    before, after = told["sqnr_db"]
    assert after > before or not told["kept"]
