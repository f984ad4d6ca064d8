"""A constant that is a factor here and weights there: one scale for the one, rows of them for the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.apart import real_constant
from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.quantize.forms.factors import with_plain_factors
from edge_sdk.signature import Arrays
from tests.converters.quantize.made import int8_of
from tests.graphs import Graph, options

pytestmark = [pytest.mark.keras, pytest.mark.runtime]
N = 16


def factor_and_weights() -> bytes:
    """``y = W x`` and ``z = x W^T`` of one ``W``, whose rows differ in size by 64."""
    rng = np.random.default_rng(0)
    graph = Graph()
    x, y, z = (graph.tensor(name, (1, N, N)) for name in ("x", "y", "z"))
    rows = np.geomspace(1 / 64, 1, N)[:, None]
    weights = graph.constant("w", (rows * rng.standard_normal((N, N))).astype(np.float32))
    graph.op("BATCH_MATMUL", (weights, x), (y,), options("BatchMatMulOptions"))
    graph.op("FULLY_CONNECTED", (x, weights, -1), (z,), options("FullyConnectedOptions", keep_num_dims=True))
    return graph.finish((x,), (y, z))


def samples() -> Iterator[Arrays]:
    rng = np.random.default_rng(1)
    for _ in range(16):
        yield {"x": rng.standard_normal((1, N, N)).astype(np.float32)}


def test_a_constant_factor_is_read_with_the_scale_that_it_was_stored_with(tmp_path: Path) -> None:
    from edge_sdk.converters.quantize.static_range import quantize
    from edge_sdk.data import spool
    from edge_sdk.data.opening import DataSource
    from edge_sdk.engines.runner import Runner
    from edge_sdk.engines.values import specs_of
    from edge_sdk.recipe import find_recipe

    data = factor_and_weights()
    source, target = tmp_path / "float.tflite", tmp_path / "int8.tflite"
    source.write_bytes(data)
    store, _ = spool(DataSource("s", None, samples), specs_of(parse_artifact(data).signature.inputs), tmp_path / "s")
    quantize(str(source), str(target), find_recipe("int8").as_json(), str(store.folder), {})
    left, right = Runner(source), Runner(target)
    for place in range(2):
        pairs = [[list(runner.run_real(one).values())[place] for runner in (left, right)] for one in samples()]
        noise, signal = (
            float(sum(np.sum(v**2) for v in values)) for values in ([a - b for a, b in pairs], [a for a, _ in pairs])
        )
        assert 10 * np.log10(signal / noise) > 30
    assert with_plain_factors(data, data) is data


def test_a_constant_second_factor_has_zero_point_0_and_is_rounded_once(tmp_path: Path) -> None:
    """TensorFlow's quantizer gives it one, which XNNPACK of ai-edge-litert 2.1.0 to 2.1.2 takes for 0."""
    from edge_sdk.converters.quantize.static_range import quantize
    from edge_sdk.data import spool
    from edge_sdk.data.opening import DataSource
    from edge_sdk.engines.values import specs_of
    from edge_sdk.parity.ops import check_ops
    from edge_sdk.recipe import find_recipe

    blocks = np.random.default_rng(2).uniform(-0.2, 1.0, (2, N, N)).astype(np.float32)
    graph = Graph()
    x, y = graph.tensor("x", (2, N, N)), graph.tensor("y", (2, N, N))
    graph.op("BATCH_MATMUL", (x, graph.constant("w", blocks)), (y,), options("BatchMatMulOptions"))
    source, target = tmp_path / "float.tflite", tmp_path / "int8.tflite"
    source.write_bytes(graph.finish((x,), (y,)))

    def pairs() -> Iterator[Arrays]:
        for one in samples():
            yield {"x": np.concatenate([one["x"], -one["x"]])}

    specs = specs_of(parse_artifact(source.read_bytes()).signature.inputs)
    store, _ = spool(DataSource("s", None, pairs), specs, tmp_path / "s")
    quantize(str(source), str(target), find_recipe("int8").as_json(), str(store.folder), {})
    main = parse_artifact(target.read_bytes()).main
    (factor,) = (main.tensors[op.inputs[1]] for op in main.ops if op.name == "BATCH_MATMUL")
    assert factor.quantization is not None
    assert factor.quantization.zero_point == (0,)
    assert np.abs(real_constant(factor) - blocks).max() <= factor.quantization.scale[0] * 0.5001
    assert check_ops(target.read_bytes(), list(pairs())[:2]).faults == ()


def test_a_second_factor_that_is_split_off_is_centred_where_it_is_computed() -> None:
    """Of a product that holds queries, keys and values side by side, as YOLO's attention has it."""
    from edge_sdk.converters.quantize.static_range import center_second_factors
    from edge_sdk.engines.observe import Observation

    graph = Graph()
    x, joint = graph.tensor("x", (1, N, N)), graph.tensor("joint", (1, N, 2 * N))
    queries, keys, y = (graph.tensor(name, (1, N, N)) for name in ("queries", "keys", "y"))
    weights = graph.constant("w", np.ones((2 * N, N), np.float32))
    graph.op("FULLY_CONNECTED", (x, weights, -1), (joint,), options("FullyConnectedOptions", keep_num_dims=True))
    sizes, axis = graph.constant("sizes", np.array([N, N], np.int32)), graph.constant("axis", np.array(2, np.int32))
    graph.op("SPLIT_V", (joint, sizes, axis), (queries, keys), options("SplitVOptions", num_splits=2))
    graph.op("BATCH_MATMUL", (queries, keys), (y,), options("BatchMatMulOptions"))
    main = parse_artifact(graph.finish((x,), (y,))).main
    seen = {index: Observation(-1.0, 3.0) for index in (x, joint, queries, keys, y)}
    center_second_factors(main, seen)
    for index in (joint, keys):
        assert (seen[index].minimum, seen[index].maximum) == pytest.approx((-3 * 128 / 127, 3))
    assert seen[x].minimum == -1.0, "what a product reads has a scale of its own"


@pytest.mark.parametrize("kind", ["SOFTMAX", "LOGISTIC", "RESIZE_BILINEAR"])
def test_a_computed_second_factor_is_centred_whatever_scale_it_has(tmp_path: Path, kind: str) -> None:
    """A prescribed scale has zero point -128; a resize has its operand's, which is read elsewhere with its own."""
    from edge_sdk.parity.ops import check_ops

    graph = Graph()
    x, lifted, weights, turned, y, z = (graph.tensor(name, (1, N, N)) for name in ("x", "l", "w", "t", "y", "z"))
    graph.op("ADD", (x, graph.constant("two", np.array(2, np.float32))), (lifted,), options("AddOptions"))
    if kind == "RESIZE_BILINEAR":
        image, wide = graph.tensor("image", (1, N, N, 1)), graph.tensor("wide", (1, N, N, 1))
        four, three = (
            graph.constant(name, np.array(s, np.int32)) for name, s in (("s", (1, N, N, 1)), ("r", (1, N, N)))
        )
        graph.op("RESHAPE", (lifted, four), (image,), options("ReshapeOptions"))
        sides = graph.constant("sides", np.array([N, N], np.int32))
        graph.op(kind, (image, sides), (wide,), options("ResizeBilinearOptions", half_pixel_centers=True))
        graph.op("RESHAPE", (wide, three), (weights,), options("ReshapeOptions"))
    else:
        graph.op(kind, (lifted,), (weights,), options("SoftmaxOptions", beta=1.0) if kind == "SOFTMAX" else None)
    order = graph.constant("order", np.array([0, 2, 1], np.int32))
    graph.op("TRANSPOSE", (weights, order), (turned,), options("TransposeOptions"))
    graph.op("BATCH_MATMUL", (x, turned), (y,), options("BatchMatMulOptions"))
    graph.op("BATCH_MATMUL", (y, turned), (z,), options("BatchMatMulOptions"))
    _, _, target = int8_of(tmp_path, graph.finish((x,), (y, z)), samples)
    main = parse_artifact(target.read_bytes()).main
    factors = [main.tensors[op.inputs[1]] for op in main.ops if op.name == "BATCH_MATMUL"]
    assert [(f.dtype, f.quantization and f.quantization.zero_point) for f in factors] == [("int8", (0,))] * 2
    assert check_ops(target.read_bytes(), list(samples())[:2]).faults == ()
