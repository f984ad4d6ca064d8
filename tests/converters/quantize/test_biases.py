"""Biases that make up for rounded weights: means of channels are the float op's, and constants stay explained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.engines.runner import Runner
from edge_sdk.parity.constants import constant_faults
from edge_sdk.signature import Arrays
from tests.graphs import Graph, options

pytestmark = [pytest.mark.keras, pytest.mark.runtime]
INPUTS, OUTPUTS = 64, 8


def float_file(*, one_bias: bool = False) -> bytes:
    """Two dense layers, which may share a bias; of each row one weight is ten times the others, which get few steps."""
    rng = np.random.default_rng(0)
    graph = Graph()
    x = graph.tensor("x", (1, INPUTS))
    value = x
    shared = graph.constant("bias", np.zeros(INPUTS, np.float32)) if one_bias else -1
    for place, features in enumerate((INPUTS, INPUTS if one_bias else OUTPUTS)):
        weights = rng.uniform(-0.1, 0.1, (features, INPUTS)).astype(np.float32)
        weights[:, 0] = 1.0
        kernel = graph.constant(f"weights{place}", weights)
        own = rng.standard_normal(features).astype(np.float32)
        bias = shared if one_bias else graph.constant(f"bias{place}", own)
        result = graph.tensor(f"y{place}", (1, features))
        relu = {"fused_activation_function": 1} if place == 0 else {}
        graph.op("FULLY_CONNECTED", (value, kernel, bias), (result,), options("FullyConnectedOptions", **relu))
        value = result
    return graph.finish((x,), (value,))


def samples(seed: int = 1) -> Iterator[Arrays]:
    """Positive, as behind a ReLU: a shift of the weights is a shift of the sum."""
    rng = np.random.default_rng(seed)
    for _ in range(64):
        yield {"x": rng.uniform(0.5, 1.5, (1, INPUTS)).astype(np.float32)}


def quantized(data: bytes, folder: Path, **changes: Any) -> tuple[dict[str, Any], bytes]:
    from dataclasses import replace

    from edge_sdk.converters.quantize.static_range import quantize
    from edge_sdk.data import spool
    from edge_sdk.data.opening import DataSource
    from edge_sdk.engines.values import specs_of
    from edge_sdk.recipe import find_recipe

    source, target = folder / "float.tflite", folder / "int8.tflite"
    source.write_bytes(data)
    store, _ = spool(DataSource("s", None, samples), specs_of(parse_artifact(data).signature.inputs), folder / "s")
    recipe = replace(find_recipe("int8"), **changes)
    return quantize(str(source), str(target), recipe.as_json(), str(store.folder), {}), target.read_bytes()


def outputs(data: bytes, folder: Path) -> npt.NDArray[np.float32]:
    path = folder / "run.tflite"
    path.write_bytes(data)
    runner = Runner(path)
    return np.concatenate([next(iter(runner.run_real(one).values())) for one in samples(2)])


def test_means_of_channels_are_the_float_files(tmp_path: Path) -> None:
    """On other samples than those corrected on; the rounding of values is left, a 28th of a step in the mean."""
    data = float_file()
    plain, corrected = (quantized(data, tmp_path, bias_correction=on)[1] for on in (False, True))
    want = outputs(data, tmp_path)
    off, before = (np.abs((outputs(one, tmp_path) - want).mean(0)).max() for one in (corrected, plain))
    assert off < before / 3


def test_what_was_corrected_is_told_and_explained(tmp_path: Path) -> None:
    data = float_file()
    made, corrected = quantized(data, tmp_path)
    told = made["corrections"]["biases"]
    assert (told["ops"], told["left"], told["kept"]) == (2, 0, True)
    assert told["sqnr_db"][1] > told["sqnr_db"][0]
    explained = parse_artifact(Path(made["explained"]).read_bytes())
    assert constant_faults(explained, parse_artifact(corrected)) == []
    # Against the file that was quantized the same biases are told, for they are more than a step off.
    faults = constant_faults(parse_artifact(data), parse_artifact(corrected))
    assert {fault.what.split(" is ")[0] for fault in faults} == {"operand 2"}


def test_a_shared_bias_is_corrected_for_each_op(tmp_path: Path) -> None:
    made, corrected = quantized(float_file(one_bias=True), tmp_path)
    assert made["corrections"]["biases"]["kept"]
    explained = parse_artifact(Path(made["explained"]).read_bytes())
    assert constant_faults(explained, parse_artifact(corrected)) == []
    first, second = (explained.main.tensors[op.inputs[2]].values() for op in explained.main.ops)
    assert not np.array_equal(first, second)


def test_nothing_is_left_to_correct(tmp_path: Path) -> None:
    """A second correction finds the means where they belong, but for what the first one moved further down."""
    from edge_sdk.converters.quantize.weights.biases import correct_biases

    data = float_file()
    _, plain = quantized(data, tmp_path, bias_correction=False)
    once = correct_biases(data, plain, samples)
    again = correct_biases(data, once.quantized, samples)
    assert again.correction.largest_steps < 0.1 * once.correction.largest_steps
    if not again.correction.kept:
        assert again.quantized == once.quantized


def test_a_reshape_that_the_quantizer_drops_is_no_obstacle(tmp_path: Path) -> None:
    """A convolution of one row, whose places become rows of a dense layer: TensorFlow's reads all four dimensions."""
    rng = np.random.default_rng(0)
    graph = Graph()
    x, places = graph.tensor("x", (1, 1, INPUTS, 1)), graph.tensor("places", (1, 1, INPUTS, OUTPUTS))
    rows, y = graph.tensor("rows", (INPUTS, OUTPUTS)), graph.tensor("y", (INPUTS, OUTPUTS))
    kernel = graph.constant("kernel", rng.uniform(-1, 1, (OUTPUTS, 1, 1, 1)).astype(np.float32))
    bias = graph.constant("bias", np.zeros(OUTPUTS, np.float32))
    graph.op("CONV_2D", (x, kernel, bias), (places,), options("Conv2DOptions", padding=1, stride_w=1, stride_h=1))
    shape = graph.constant("shape", np.array([INPUTS, OUTPUTS], np.int32))
    graph.op("RESHAPE", (places, shape), (rows,), options("ReshapeOptions"))
    weights = graph.constant("weights", rng.uniform(-0.1, 1, (OUTPUTS, OUTPUTS)).astype(np.float32))
    own = graph.constant("own", rng.standard_normal(OUTPUTS).astype(np.float32))
    graph.op("FULLY_CONNECTED", (rows, weights, own), (y,), options("FullyConnectedOptions"))
    source, target = tmp_path / "float.tflite", tmp_path / "int8.tflite"
    source.write_bytes(graph.finish((x,), (y,)))

    from edge_sdk.converters.quantize.static_range import quantize
    from edge_sdk.data import spool
    from edge_sdk.data.opening import DataSource
    from edge_sdk.engines.values import specs_of
    from edge_sdk.recipe import find_recipe

    def drawn() -> Iterator[Arrays]:
        return ({"x": one["x"].reshape(1, 1, INPUTS, 1)} for one in samples())

    specs = specs_of(parse_artifact(source.read_bytes()).signature.inputs)
    store, _ = spool(DataSource("s", None, drawn), specs, tmp_path / "s")
    made = quantize(str(source), str(target), find_recipe("int8").as_json(), str(store.folder), {})
    ints = parse_artifact(target.read_bytes()).main
    (dense,) = (op for op in ints.ops if op.name == "FULLY_CONNECTED")
    assert len(ints.tensors[dense.inputs[0]].shape) != 2, "else there is nothing to test"
    assert made["findings"] == []
    assert made["corrections"]["biases"]["ops"] == 2
