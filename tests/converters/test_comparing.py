"""``compare``: any two models, by name, in each other's layout, held to what was asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.converters import Workers
from edge_sdk.converters.comparing import compare
from edge_sdk.errors import SignatureError
from edge_sdk.parity.classes import ClassSums
from edge_sdk.report.comparing import comparison_text
from tests.converters.sources.test_front_ends import HERE
from tests.converters.test_recipes import NCHW_IN
from tests.graphs import conv_model
from tests.store import KERAS, converted, write

TORCH_CNN = f"{HERE}/torch_models.py:cnn"


@pytest.mark.torch
def test_source_against_its_file_across_layouts(tmp_path: Path, workers: Workers) -> None:
    file = converted(workers, TORCH_CNN, "float32", NCHW_IN)
    result = compare(TORCH_CNN, file, workers=workers)
    assert result.ok
    assert result.outputs[0].sqnr_db > 100
    assert str(result.outputs[0].bound).startswith("max abs error <=")
    assert "float32 rounding" in result.outputs[0].bound.derivation  # type: ignore[union-attr]
    with pytest.raises(SignatureError, match=r"two \.tflite files only"):
        compare(TORCH_CNN, file, tensors=True, workers=workers)


@pytest.mark.torch
def test_two_files_of_one_source_with_their_tensors(tmp_path: Path, workers: Workers) -> None:
    plain, int8 = (converted(workers, TORCH_CNN, recipe, NCHW_IN) for recipe in ("float32", "static_wi8_ai8"))
    result = compare(plain, int8, tensors=True, min_sqnr_db=15, workers=workers)
    assert result.ok
    assert [row["op"] for row in result.tensors][:1] == ["CONV_2D"]
    assert all(row["sqnr_db"] > 10 for row in result.tensors)
    assert result.details is not None
    assert [op.name for op in result.details.timeline.ops].count("CONV_2D") == 2
    for one in result.details.histograms:
        assert sum(one["reference"]) == sum(one["candidate"]) > 0
        assert one["range_low"] <= one["low"] + 1e-6 or one["clipped"] > 0
    noise = [
        row["added_noise"]
        for one in result.details.histograms
        for row in result.tensors
        if row["tensor"] == one["tensor"]
    ]
    assert noise == sorted(noise, reverse=True)
    strict = compare(plain, int8, min_sqnr_db=80, workers=workers)
    assert not strict.ok
    assert "BEYOND" in comparison_text(strict).splitlines()[0]
    assert not compare(plain, int8, max_abs_error=1e-6, workers=workers).ok


@pytest.mark.keras
def test_two_sources(tmp_path: Path, workers: Workers) -> None:
    one = write(workers, KERAS, "save", name="cnn", path=str(tmp_path / "a.keras"))
    other = write(workers, KERAS, "save", name="cnn", path=str(tmp_path / "b.keras"), generation="tf_keras")
    result = compare(one, other, workers=workers)
    assert result.outputs[0].bound is None
    assert 0 < result.outputs[0].max_abs_error < 1e-5


@pytest.mark.runtime
def test_own_data_and_faulty_candidate(tmp_path: Path, workers: Workers, tflite: Path) -> None:
    other = tmp_path / "other.tflite"
    other.write_bytes(conv_model(seed=1))
    data = {"image": np.random.default_rng(0).standard_normal((10, 8, 8, 3)).astype(np.float32)}
    result = compare(tflite, other, data=data, workers=workers)
    assert result.data.count == 10
    assert not result.ok
    assert compare(tflite, tflite, data=data, workers=workers).ok


@pytest.mark.runtime
def test_signatures_that_do_not_correspond(tmp_path: Path, workers: Workers, tflite: Path) -> None:
    from tests.graphs import Graph

    graph = Graph()
    x, y = graph.tensor("picture", (1, 8, 8, 3)), graph.tensor("scores", (1, 8, 8, 3))
    graph.op("RELU", (x,), (y,))
    (tmp_path / "names.tflite").write_bytes(graph.finish((x,), (y,)))
    with pytest.raises(SignatureError, match="the inputs differ: image in the reference, picture in the candidate"):
        compare(tflite, tmp_path / "names.tflite", workers=workers)
    (tmp_path / "shape.tflite").write_bytes(conv_model(side=16))
    with pytest.raises(SignatureError, match=r"\[1, 8, 8, 3\] in the reference, \[1, 16, 16, 3\] in the candidate"):
        compare(tflite, tmp_path / "shape.tflite", workers=workers)


@pytest.mark.runtime
def test_command_exits_3_beyond_the_bound(tmp_path: Path, tflite: Path) -> None:
    other = tmp_path / "other.tflite"
    other.write_bytes(conv_model(seed=1))
    command = [sys.executable, "-m", "edge_sdk", "compare", str(tflite), str(other), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert json.loads(done.stdout)["ok"] is False


@pytest.mark.runtime
def test_a_file_against_itself_is_equal_or_says_why_not(tmp_path: Path, workers: Workers) -> None:
    """REFERENCE and CANDIDATE are run by different kernels: sums of floats come out otherwise, sums of integers not."""
    path = tmp_path / "conv.tflite"
    path.write_bytes(conv_model(side=16, channels=16))
    result = compare(path, path, workers=workers)
    told = [one.rule for one in result.findings if one.rule == "same-file-other-kernels"]
    assert told == [] if result.outputs[0].max_abs_error == 0 else ["same-file-other-kernels"]
    assert result.outputs[0].max_abs_error > 0, "XNNPACK sums as TFLite does: this shows nothing"
    other = tmp_path / "other.tflite"
    other.write_bytes(conv_model(side=16, channels=16, seed=1))
    between = compare(path, other, workers=workers)
    assert all(one.rule != "same-file-other-kernels" for one in between.findings)


def test_rows_that_do_not_sum_to_one_do_not_differ_from_themselves() -> None:
    sums = ClassSums()
    rows = np.array([[0.5, 0.26, 0.25], [0.0, 0.99, 0.0]], np.float32)
    sums.add(rows, rows)
    assert sums.divergence == 0
