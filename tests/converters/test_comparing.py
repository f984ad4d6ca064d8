"""``compare``: any two models, by name, in each other's layout, held to what was asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import read_artifact
from edge_sdk.converters import Workers
from edge_sdk.converters.comparing import compare
from edge_sdk.converters.pixels import feed_pixels
from edge_sdk.data.images import ImageOptions
from edge_sdk.data.png import png_bytes
from edge_sdk.errors import SignatureError
from edge_sdk.parity.bounds import float_bound
from edge_sdk.parity.classes import ClassSums
from edge_sdk.report.comparing import comparison_text
from edge_sdk.signature import TensorSpec
from tests.converters.sources.test_front_ends import HERE
from tests.converters.test_recipes import NCHW_IN
from tests.graphs import Graph, conv_model, options
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


@pytest.mark.torch
def test_two_files_of_one_source_with_their_tensors(tmp_path: Path, workers: Workers) -> None:
    plain, int8 = (converted(workers, TORCH_CNN, recipe, NCHW_IN) for recipe in ("float32", "static_wi8_ai8"))
    result = compare(plain, int8, tensors=True, min_sqnr_db=15, workers=workers)
    assert result.ok
    losses = [row["alone_db"] for row in result.tensors if row["alone_db"] is not None]
    assert len(losses) > 3
    assert losses == sorted(losses)
    # No op alone costs more than all of them together, but for what roundings take back from each other.
    assert losses[0] > result.outputs[0].sqnr_db - 1
    assert {row["module"] for row in result.tensors if row["op"] == "CONV_2D"} <= {
        "model.stem.2",
        "model.block.1",
        "model.block.2",
    }
    # Of the source itself they are those of its float file.
    of_source = compare(TORCH_CNN, int8, tensors=True, workers=workers)
    assert {row["tensor"] for row in of_source.tensors} == {row["tensor"] for row in result.tensors}
    with pytest.raises(SignatureError, match="is none"):
        compare(plain, TORCH_CNN, tensors=True, workers=workers)
    worst = comparison_text(result).split("alone dB\n")[1].splitlines()[0]
    assert result.tensors[0]["op"] in worst
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


def steep(path: Path, *factors: float) -> Path:
    """``SIN(x * factors)``: what is lost in the last place of a large angle comes out 1000 times as large."""
    graph = Graph()
    x = value = graph.tensor("x", (1, 64))
    for place, factor in enumerate(factors):
        result = graph.tensor(f"m{place}", (1, 64))
        constant = graph.constant(f"c{place}", np.array(factor, np.float32))
        graph.op("MUL", (value, constant), (result,), options("MulOptions"))
        value = result
    y = graph.tensor("y", (1, 64))
    graph.op("SIN", (value,), (y,))
    path.write_bytes(graph.finish((x,), (y,)))
    return path


@pytest.mark.runtime
@pytest.mark.parametrize("calls", [(), ("serving_default",)], ids=["outputs", "calls"])
def test_a_float_file_is_held_to_how_its_reference_is_conditioned_as_convert_does(
    tmp_path: Path, workers: Workers, calls: tuple[str, ...]
) -> None:
    plain = steep(tmp_path / "plain.tflite", 1000.0)
    same = steep(tmp_path / "same.tflite", 30.0, 1000.0 / 30)
    other = steep(tmp_path / "other.tflite", 30.0, 1000.0 / 30 * 1.0001)
    result = compare(plain, same, workers=workers, calls=calls)
    bound = result.outputs[0].bound
    assert bound is not None
    assert "the source itself moves by" in bound.derivation
    assert result.ok
    rounding = float_bound(read_artifact(same), 1.0)
    assert result.outputs[0].max_abs_error > rounding.value, "rounding alone explains it: this shows nothing"
    assert not compare(plain, other, workers=workers, calls=calls).ok


@pytest.mark.runtime
@pytest.mark.parametrize("quantized", [False, True], ids=["float32", "int8"])
def test_images_are_fed_as_one_of_the_files_wants_them(tmp_path: Path, workers: Workers, quantized: bool) -> None:
    for place in range(3):
        pixels = np.random.default_rng(place).integers(0, 256, (8, 8, 3), np.uint8)
        (tmp_path / f"{place}.png").write_bytes(png_bytes(pixels))
    reference, candidate = tmp_path / "plain.tflite", tmp_path / "scaled.tflite"
    reference.write_bytes(scaling_model(quantized=False))
    candidate.write_bytes(scaling_model(quantized=quantized))
    result = compare(reference, candidate, data=tmp_path, workers=workers)
    assert result.data.inputs[0].maximum > 200
    (told,) = [one for one in result.findings if one.rule.startswith("images-")]
    assert "images are fed as 0 to 255" in told.message
    assert feed_pixels([read_artifact(candidate)], SCALED_INPUT, ImageOptions(), [tmp_path]).images.scale == 1
    asked = compare(reference, candidate, data=tmp_path, images=ImageOptions(scale=1 / 255), workers=workers)
    assert asked.data.inputs[0].maximum <= 1
    assert not [one for one in asked.findings if one.rule.startswith("images-")]


SCALED_INPUT = (TensorSpec("image", (1, 8, 8, 3), "float32", layout="NHWC"),)


def scaling_model(*, quantized: bool) -> bytes:
    """``image / 255``, as Keras's Rescaling is written; in int8 between a QUANTIZE and a DEQUANTIZE."""
    graph, shape = Graph(), (1, 8, 8, 3)
    x, y = graph.tensor("image", shape), graph.tensor("y", shape)
    if not quantized:
        graph.op("MUL", (x, graph.constant("c", np.array(1 / 255, np.float32))), (y,), options("MulOptions"))
        return graph.finish((x,), (y,))
    stored = graph.tensor("image_int8", shape, "int8", scale=[1.0], zero_point=[-128])
    made = graph.tensor("y_int8", shape, "int8", scale=[1 / 255], zero_point=[-128])
    constant = graph.constant("c", np.array(127, np.int8), scale=[1 / 255 / 127], zero_point=[0])
    graph.op("QUANTIZE", (x,), (stored,), options("QuantizeOptions"))
    graph.op("MUL", (stored, constant), (made,), options("MulOptions"))
    graph.op("DEQUANTIZE", (made,), (y,), options("DequantizeOptions"))
    return graph.finish((x,), (y,))


@pytest.mark.runtime
def test_boxes_of_two_files_and_what_the_report_says_of_them(tmp_path: Path, workers: Workers) -> None:
    """Twenty boxes in pixels beside a score; the candidate makes each a tenth wider and higher."""
    for name, factor in (("plain", 1.0), ("wider", 1.1)):
        graph = Graph()
        x, y = graph.tensor("x", (1, 20, 5)), graph.tensor("y", (1, 20, 5))
        sizes = graph.constant("c", np.array([1, 1, factor, factor, 1], np.float32))
        graph.op("MUL", (x, sizes), (y,), options("MulOptions"))
        (tmp_path / f"{name}.tflite").write_bytes(graph.finish((x,), (y,)))
    rows = np.random.default_rng(0).uniform((0, 0, 20, 20, 0.5), (640, 640, 40, 40, 1), (3, 1, 20, 5))
    data = {"x": rows.astype(np.float32)}
    plain, wider = tmp_path / "plain.tflite", tmp_path / "wider.tflite"
    result = compare(plain, wider, data=data, workers=workers)
    boxes = result.as_json()["outputs"][0]["boxes"]
    assert boxes["mean_iou"] == pytest.approx(1 / 1.21, rel=1e-3)
    assert f"mean IoU {1 / 1.21:.3f}, {boxes['matched']} of {boxes['matched']} found again" in comparison_text(result)
    untold = compare(plain, wider, data=data, boxes={"y": "none"}, workers=workers)
    assert untold.as_json()["outputs"][0]["boxes"] is None
    with pytest.raises(SignatureError, match="there is no output `z`"):
        compare(plain, wider, data=data, boxes={"z": "corners"}, workers=workers)


def _detector(folder: Path, name: str, *, lifted: float, wide: float = 4.0) -> Path:
    """The five best of eight boxes by score; where scores are equal, of two the later one if it is ``lifted``."""
    graph = Graph()
    x = graph.tensor("x", (1, 8))
    seen, scores, boxes = (graph.tensor(*one) for one in (("s", (1, 8)), ("scores", (1, 5)), ("boxes", (1, 5, 2))))
    places = graph.tensor("places", (1, 5), "int32")
    graph.op("ADD", (x, graph.constant("lift", np.array([0, 0, lifted] + [0] * 5, np.float32))), (seen,))
    graph.op("TOPK_V2", (seen, graph.constant("k", np.array(5, np.int32))), (scores, places), options("TopKV2Options"))
    table = np.arange(16, dtype=np.float32).reshape(8, 2)
    table[2, 1] = wide
    graph.op("GATHER", (graph.constant("table", table), places), (boxes,), options("GatherOptions"))
    path = folder / name
    path.write_bytes(graph.finish((x,), (boxes, scores, places)))
    return path


def test_rows_of_equal_scores_are_compared_with_the_ones_that_they_are(tmp_path: Path, workers: Workers) -> None:
    # A detector of three outputs on what shows nothing: rounding alone says which of two rows comes first.
    data = [{"x": np.array([[0.25, 0.5, 0.5, 0.5, 0, 0.125, 0.75, 0]], np.float32) + step} for step in (0, 0.125)]
    source = _detector(tmp_path, "source.tflite", lifted=0.0)
    other, wrong = (_detector(tmp_path, f"{w}.tflite", lifted=1e-7, wide=w) for w in (4.0, 4.5))
    for asked in ({}, {"max_abs_error": 1e-4}, {"signature": "serving_default"}):
        call = "serving_default/" if "signature" in asked else ""
        given = [{f"{call}{name}": values for name, values in one.items()} for one in data]
        result = compare(source, other, data=given, workers=workers, **asked)
        assert result.ok, asked
        told = [finding for finding in result.findings if finding.rule == "rows-in-another-order"]
        assert len(told) == 3
        # Two samples of five rows, the second and the third of each in the other's place.
        assert told[0].message.startswith("4 of 10 rows stand in another place")
    beyond = compare(source, wrong, data=data, workers=workers)
    assert {row.name for row in beyond.outputs if not row.ok} == {"boxes", "places"}
    assert not any(row.ranks for row in beyond.outputs)
