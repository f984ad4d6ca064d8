"""Running files: by name, checked, with quantized inputs and outputs, observed and timed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from edge_sdk.engines.observe import observe
from edge_sdk.errors import MissingDependencyError, ModelError, RecipeError, SignatureError
from edge_sdk.measure.side_by_side import time_side_by_side
from edge_sdk.parity import compare_tensors
from edge_sdk.runtime import Runner, find_engine
from tests.graphs import Graph, conv_model, requantizing_model

pytestmark = pytest.mark.runtime


def image(seed: int = 0) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    return {"image": np.random.default_rng(seed).standard_normal((1, 8, 8, 3)).astype(np.float32)}


def test_run_by_name_matches_numpy(tflite: Path) -> None:
    runner = Runner(tflite)
    scores = runner.run(image())["scores"]
    constants = {t.name: t.values() for t in runner.artifact.main.tensors if t.constant is not None}
    padded = np.pad(image()["image"][0], ((1, 1), (1, 1), (0, 0)))
    windows = sliding_window_view(padded, window_shape=(3, 3), axis=(0, 1))  # type: ignore[call-overload]
    features = np.einsum("yxcij,oijc->yxo", windows, constants["kernel"]) + constants["bias"]
    pooled = np.maximum(features, 0).mean((0, 1))
    np.testing.assert_allclose(scores[0], constants["weights"] @ pooled + constants["offset"], rtol=1e-4)


def test_engines_own_kernels_agree_with_xnnpack(tflite: Path) -> None:
    fast, plain = Runner(tflite).run(image()), Runner(tflite, xnnpack=False).run(image())
    np.testing.assert_allclose(fast["scores"], plain["scores"], rtol=1e-5)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "input `image` is missing"),
        ({"imag": np.zeros(1)}, "`imag` does not exist, did you mean `image`"),
        ({"image": np.zeros((1, 8, 8, 3))}, "expected dtype float32, got float64"),
        ({"image": np.zeros((8, 8, 3), np.float32)}, r"expected shape \[1, 8, 8, 3\], got \[8, 8, 3\]"),
        ({"image": np.zeros((1, 8, 8, 2), np.float32)}, "expected shape"),
    ],
)
def test_wrong_input_is_refused_before_the_engine_sees_it(
    tflite: Path, inputs: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]], message: str
) -> None:
    with pytest.raises(SignatureError, match=message):
        Runner(tflite).run(inputs)


def quantized(tmp_path: Path) -> Path:
    path = tmp_path / "q.tflite"
    path.write_bytes(requantizing_model())
    return path


def test_real_values_go_through_the_files_own_scales(tmp_path: Path) -> None:
    runner = Runner(quantized(tmp_path))
    real = {"x": np.array([[1.0, -2.0, 0.24, 1000.0]], np.float32)}
    # 0.24 rounds to 0 steps of 0.5; 1000 saturates the input at (127 - 3) * 0.5 and the output at (127 + 1) / 4.
    np.testing.assert_allclose(runner.run_real(real)["y"], [[1.0, -2.0, 0.0, 32.0]])
    raw = runner.run({"x": np.array([[5, -1, 3, 127]], np.int8)})["y"]
    assert raw.dtype == np.int8
    assert raw.tolist() == [[3, -9, -1, 127]]


def test_integer_of_another_type_is_not_taken_for_real(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="expected int8 or float32, got int64"):
        Runner(quantized(tmp_path)).run_real({"x": np.array([[1, 2, 3, 4]])})


def test_damaged_file_never_reaches_the_engine(tmp_path: Path) -> None:
    path = tmp_path / "half.tflite"
    path.write_bytes(conv_model()[:300])
    with pytest.raises(ModelError, match="not a whole TFLite file"):
        Runner(path)


def test_file_that_the_engine_refuses_is_a_model_error(tmp_path: Path) -> None:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    graph.op("CUSTOM", (x,), (y,), custom="NoSuchOp")
    path = tmp_path / "custom.tflite"
    path.write_bytes(graph.finish((x,), (y,)))
    with pytest.raises(ModelError, match=r"refuses the file: .*NoSuchOp"):
        Runner(path)


def test_unknown_and_missing_engine() -> None:
    with pytest.raises(RecipeError, match="unknown engine `litert`, did you mean"):
        find_engine("litert")
    if find_spec("tflite_runtime") is None:
        with pytest.raises(MissingDependencyError) as caught:
            find_engine("tflite-runtime")
        assert caught.value.hint == "pip install 'edge-sdk[tflite-runtime]'"


def test_observation_is_the_exact_range(tflite: Path) -> None:
    samples = [image(seed) for seed in range(5)]
    seen = observe(str(tflite), samples)
    runner = Runner(tflite, preserve_all_tensors=True)
    features = next(t.index for t in runner.artifact.main.tensors if t.name == "features")
    values = []
    for sample in samples:
        runner.run(sample)
        values.append(runner.tensor(features))
    stacked = np.stack([v for v in values if v is not None])
    assert seen[features].minimum == stacked.min()
    assert seen[features].maximum == stacked.max()
    assert seen[features].mean_square == pytest.approx(float(np.mean(stacked.astype(np.float64) ** 2)), rel=1e-5)


def test_constants_are_not_observed(tflite: Path) -> None:
    artifact = Runner(tflite).artifact
    seen = observe(str(tflite), [image()])
    assert all(artifact.main.tensors[index].constant is None for index in seen)


def test_tensor_comparison_finds_the_op_that_was_broken(tflite: Path, tmp_path: Path) -> None:
    """A fault planted in one op is found there, and not in the ops that inherit it."""
    from edge_sdk.artifact.tree import pack_tree, parse_tree

    tree, _ = parse_tree(tflite.read_bytes())
    kernel = next(t for t in tree.subgraphs[0].tensors if t.name == "kernel")
    broken = tree.buffers[kernel.buffer].data.copy().view(np.float32)
    broken[:9] += 1.0
    tree.buffers[kernel.buffer].data = broken.view(np.uint8)
    path = tmp_path / "broken.tflite"
    path.write_bytes(pack_tree(tree))
    rows = compare_tensors(str(tflite), str(path), [image(seed) for seed in range(3)])
    worst = max(rows, key=lambda row: row.added_noise)
    assert (worst.op, worst.tensor) == ("CONV_2D", "features")
    assert [row.tensor for row in rows] == ["features", "pooled", "scores"]


def test_equal_files_take_equal_time(tflite: Path) -> None:
    base, same = time_side_by_side([str(tflite), str(tflite)], seconds=0.2)
    assert base.ratio == 1.0
    assert same.ratio_low <= same.ratio <= same.ratio_high
    assert 20 <= same.rounds <= 2000
