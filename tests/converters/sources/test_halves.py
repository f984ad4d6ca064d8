"""A .tflite with float16 or sparse weights becomes whatever a float32 one becomes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.artifact.flatbuffer import new_node
from edge_sdk.artifact.model import read_artifact
from edge_sdk.artifact.schema import schema
from edge_sdk.converters import Workers, convert
from edge_sdk.runtime import Runner
from tests.graphs import Graph, conv_model, options

pytestmark = pytest.mark.keras


def test_it_is_quantized_from_what_it_stores(tmp_path: Path, workers: Workers) -> None:
    whole, half = tmp_path / "whole.tflite", tmp_path / "half.tflite"
    whole.write_bytes(conv_model(side=8))
    convert(str(whole), half, recipe="float16", workers=workers, timing=False)
    assert "DEQUANTIZE" in {op.name for op in read_artifact(half).main.ops}
    name, port = next(iter(read_artifact(half).signature.inputs.items()))
    rows = np.random.default_rng(0).standard_normal((64, *port.shape[1:])).astype(np.float32)
    wanted = Runner(str(half)).run({name: rows[:1]})
    for recipe in ("float32", "dynamic", "int8"):
        target = tmp_path / f"{recipe}.tflite"
        report = convert(
            str(half), target, recipe=recipe, workers=workers, calibration={name: rows}, data={name: rows}, timing=False
        )
        assert report.verified
        assert "weights-in-float16" in {finding.rule for finding in report.findings}
        got = Runner(str(target)).run({name: rows[:1]})
        for output, values in wanted.items():
            # 16 bits of weights in the float file; 8 and those of activations in the others.
            off = (1e-6 if recipe == "float32" else 0.05) * np.ptp(values)
            np.testing.assert_allclose(got[output], values, atol=off)
    assert "float16" not in {tensor.dtype for tensor in read_artifact(tmp_path / "float32.tflite").main.tensors}
    # The halves are gone, not beside the whole numbers.
    assert (tmp_path / "float32.tflite").stat().st_size < 1.2 * whole.stat().st_size + 2048


def _sparse_model(dtype: str, dense: npt.NDArray[np.float32]) -> bytes:
    """``x (1, 8) -> FULLY_CONNECTED -> y (1, 32)``, twice: weights stored without zeros, and whole beside."""
    graph = Graph()
    x = graph.tensor("x", (1, dense.shape[1]))
    segments = np.concatenate([[0], np.cumsum((dense != 0).sum(1))]).astype(np.int32)
    w = graph.stored("w", dense.shape, dtype, dense[dense != 0].astype(dtype).tobytes())
    rows = new_node(schema(), "DimensionMetadata", format=0, dense_size=dense.shape[0])
    columns = new_node(
        schema(),
        "DimensionMetadata",
        format=1,
        array_segments_type=1,
        array_segments=new_node(schema(), "Int32Vector", values=segments),
        array_indices_type=1,
        array_indices=new_node(schema(), "Int32Vector", values=np.nonzero(dense)[1].astype(np.int32)),
    )
    graph.node.tensors[w].sparsity = new_node(
        schema(), "SparsityParameters", traversal_order=[0, 1], dim_metadata=[rows, columns]
    )
    laid_out = graph.tensor("laid_out", dense.shape, dtype)
    graph.op("DENSIFY", (w,), (laid_out,), options("DensifyOptions"))
    weights = [laid_out, graph.constant("other", dense.astype(dtype))]
    if dtype == "float16":
        whole = [graph.tensor(f"whole_{place}", dense.shape) for place in range(2)]
        for half, made in zip(weights, whole, strict=True):
            graph.op("DEQUANTIZE", (half,), (made,), options("DequantizeOptions"), version=3)
        weights = whole
    results = [graph.tensor(name, (1, dense.shape[0])) for name in ("y", "z")]
    for matrix, result in zip(weights, results, strict=True):
        graph.op("FULLY_CONNECTED", (x, matrix, -1), (result,), options("FullyConnectedOptions"))
    return graph.finish((x,), results)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_weights_without_their_zeros_are_laid_out(dtype: str, tmp_path: Path, workers: Workers) -> None:
    rng = np.random.default_rng(0)
    dense = rng.standard_normal((32, 8)).astype(np.float32) * (rng.random((32, 8)) < 0.3)
    source = tmp_path / "sparse.tflite"
    source.write_bytes(_sparse_model(dtype, dense.astype(np.float32)))
    rows = rng.standard_normal((64, 8)).astype(np.float32)
    wanted = rows[:1] @ dense.astype(dtype).astype(np.float32).T
    for recipe in ("float32", "int8"):
        target, data = tmp_path / f"{recipe}.tflite", {"x": rows}
        report = convert(str(source), target, recipe=recipe, workers=workers, calibration=data, data=data, timing=False)
        assert report.verified
        assert "weights-sparse" in {finding.rule for finding in report.findings}
        assert "DENSIFY" not in {op.name for op in read_artifact(target).main.ops}
        for values in Runner(str(target)).run({"x": rows[:1]}).values():
            np.testing.assert_allclose(values, wanted, atol=(1e-5 if recipe == "float32" else 0.05) * np.ptp(wanted))
