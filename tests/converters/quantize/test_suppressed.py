"""What leads to a suppression stays in float, and its rows are held to what they find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact.model import Subgraph, parse_artifact, read_artifact
from edge_sdk.converters.quantize.floats.choice import without_ranges
from edge_sdk.converters.quantize.floats.suppressed import around_suppressions
from edge_sdk.errors import ConversionError
from edge_sdk.recipe import find_recipe
from edge_sdk.recipe.reading import KeepFloat
from edge_sdk.signature import Arrays
from tests.graphs import Graph, options
from tests.runtime.test_decisions import detector

SIDE, CLASSES, MOST = 8, 2, 12
CELLS = SIDE * SIDE


def ssd(noise: float = 0.0) -> bytes:
    """A convolution to offsets and scores of one anchor a cell, and TFLite_Detection_PostProcess behind it.

    Args:
        noise: that weights have, of each.
    """
    from flatbuffers import flexbuffers

    rng, other, graph = np.random.default_rng(0), np.random.default_rng(1), Graph()
    x, parts = graph.tensor("x", (1, SIDE, SIDE, 3)), []
    for name, width, gain in (("offsets", 4, 0.4), ("logits", CLASSES + 1, 0.3)):
        kernel = rng.normal(0, gain, (width, 3, 3, 3))
        kernel *= 1 + noise * other.standard_normal(kernel.shape)
        weights = graph.constant(f"{name} w", kernel.astype(np.float32))
        bias = graph.constant(f"{name} b", rng.normal(0, 0.1, width).astype(np.float32))
        made, flat = graph.tensor(f"{name} 4d", (1, SIDE, SIDE, width)), graph.tensor(name, (1, CELLS, width))
        graph.op("CONV_2D", (x, weights, bias), (made,), options("Conv2DOptions", stride_h=1, stride_w=1))
        shape = graph.constant(f"{name} shape", np.array([1, CELLS, width], np.int32))
        graph.op("RESHAPE", (made, shape), (flat,), options("ReshapeOptions"))
        parts.append(flat)
    scores = graph.tensor("probabilities", (1, CELLS, CLASSES + 1))
    graph.op("LOGISTIC", (parts[1],), (scores,))
    middles = (np.indices((SIDE, SIDE)).reshape(2, -1).T + 0.5) / SIDE
    anchors = np.concatenate([middles, np.full((CELLS, 2), 0.3)], 1).astype(np.float32)
    ends = [graph.tensor(name, shape) for name, shape in (("boxes", (1, MOST, 4)), ("classes", (1, MOST)))]
    ends += [graph.tensor("scores", (1, MOST)), graph.tensor("number", (1,))]
    given = (parts[0], scores, graph.constant("anchors", anchors))
    graph.op("CUSTOM", given, ends, custom="TFLite_Detection_PostProcess")
    builder = flexbuffers.Builder()
    with builder.Map():
        for name, value in (("max_detections", MOST), ("max_classes_per_detection", 1), ("num_classes", CLASSES)):
            builder.Int(name, value)
        for name, number in (("nms_score_threshold", 0.8), ("nms_iou_threshold", 0.4)):
            builder.Float(name, number)
        for side, factor in (("y", 10.0), ("x", 10.0), ("h", 5.0), ("w", 5.0)):
            builder.Float(f"{side}_scale", factor)
    graph.node.operators[-1].custom_options = np.frombuffer(bytes(builder.Finish()), np.uint8)
    return graph.finish((x,), ends)


def samples(shape: tuple[int, ...]) -> Iterator[Arrays]:
    rng = np.random.default_rng(3)
    return ({"x": rng.normal(0, 1, shape).astype(np.float32)} for _ in range(16))


def names(graph: Subgraph, kind: str) -> list[str]:
    return [op.name for op in getattr(around_suppressions(graph), kind)]


def test_what_leads_to_a_suppression_and_what_reads_it() -> None:
    graph = parse_artifact(ssd()).main
    assert names(graph, "last") == ["RESHAPE", "RESHAPE", "LOGISTIC", "CUSTOM:TFLite_Detection_PostProcess"]
    graph = parse_artifact(detector("NON_MAX_SUPPRESSION_V4", chained=True)).main
    assert names(graph, "last") == ["RESHAPE", "NON_MAX_SUPPRESSION_V4", "GATHER"]
    assert around_suppressions(parse_artifact(detector("GREATER_EQUAL")).main).last == ()


def test_a_second_stage_is_quantized_again() -> None:
    """Boxes that are kept, gathered and multiplied: the product is in integers, so nothing before it is cut off."""
    graph = Graph()
    x, scores = graph.tensor("x", (1, 4)), graph.tensor("scores", (1, 3))
    weights = graph.constant("w", np.ones((3, 4), np.float32))
    graph.op("FULLY_CONNECTED", (x, weights, -1), (scores,), options("FullyConnectedOptions"))
    flat, shape = graph.tensor("flat", (3,)), graph.constant("shape", np.array([3], np.int32))
    graph.op("RESHAPE", (scores, shape), (flat,), options("ReshapeOptions"))
    corners = graph.constant("corners", np.array([[0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5]], np.float32))
    limits = [graph.constant(str(i), np.array(v)) for i, v in enumerate((np.int32(2), np.float32(0.5), np.float32(0)))]
    chosen, count = graph.tensor("chosen", (2,), "int32"), graph.tensor("count", (), "int32")
    kind = options("NonMaxSuppressionV4Options")
    graph.op("NON_MAX_SUPPRESSION_V4", (corners, flat, *limits), (chosen, count), kind)
    picked, y = graph.tensor("picked", (2, 4)), graph.tensor("y", (2, 3))
    graph.op("GATHER", (corners, chosen), (picked,), options("GatherOptions"))
    graph.op("FULLY_CONNECTED", (picked, weights, -1), (y,), options("FullyConnectedOptions"))
    main = parse_artifact(graph.finish((x,), (y, count))).main
    assert names(main, "between") == ["RESHAPE", "NON_MAX_SUPPRESSION_V4", "GATHER"]
    assert names(main, "last") == []


def masked() -> bytes:
    """Scores of six anchors, those of at most 0.1 at minus infinity, the best four of which go to a suppression."""
    graph, rng = Graph(), np.random.default_rng(0)
    x, scores, seen = graph.tensor("x", (1, 8)), graph.tensor("scores", (1, 6)), graph.tensor("seen", (6,))
    weights = graph.constant("w", rng.normal(0, 0.5, (6, 8)).astype(np.float32))
    graph.op("FULLY_CONNECTED", (x, weights, -1), (scores,), options("FullyConnectedOptions"))
    shape = graph.constant("shape", np.array([6], np.int32))
    graph.op("RESHAPE", (scores, shape), (seen,), options("ReshapeOptions"))
    above, ranked = graph.tensor("above", (6,), "bool"), graph.tensor("ranked", (6,))
    graph.op("GREATER", (seen, graph.constant("least", np.array(0.1, np.float32))), (above,))
    graph.op("SELECT_V2", (above, seen, graph.constant("none", np.array(-np.inf, np.float32))), (ranked,))
    values, places = graph.tensor("values", (4,)), graph.tensor("places", (4,), "int32")
    best = graph.constant("k", np.array(4, np.int32))
    graph.op("TOPK_V2", (ranked, best), (values, places), options("TopKV2Options"))
    lefts = np.arange(6.0, dtype=np.float32)
    corners = graph.constant("corners", np.stack([lefts * 0, lefts, lefts * 0 + 1, lefts + 1.5], 1))
    boxes = graph.tensor("boxes", (4, 4))
    graph.op("GATHER", (corners, places), (boxes,), options("GatherOptions"))
    limits = [graph.constant(str(i), np.array(v)) for i, v in enumerate((np.int32(4), np.float32(0.2), np.float32(0)))]
    chosen, count = graph.tensor("chosen", (4,), "int32"), graph.tensor("count", (), "int32")
    graph.op("NON_MAX_SUPPRESSION_V4", (boxes, values, *limits), (chosen, count), options("NonMaxSuppressionV4Options"))
    kept = graph.tensor("kept", (4, 4))
    graph.op("GATHER", (boxes, chosen), (kept,), options("GatherOptions"))
    return graph.finish((x,), (kept, count))


@pytest.mark.keras
@pytest.mark.runtime
def test_infinities_that_float_ops_alone_read_have_no_range(tmp_path: Path) -> None:
    """torchvision's SSDlite writes them for places that do not count; a product that reads one is still refused."""
    from edge_sdk.converters import convert

    source, target = tmp_path / "masked.tflite", tmp_path / "int8.tflite"
    source.write_bytes(masked())
    data: list[Any] = list(samples((1, 8)))
    report = convert(source, target, recipe="int8", calibration=data, timing=False)
    assert "suppression-in-float" in {one.rule for one in report.findings}
    graph = read_artifact(target).main
    kinds = {op.name: graph.tensors[op.inputs[0]].dtype for op in graph.ops}
    assert (kinds["FULLY_CONNECTED"], kinds["TOPK_V2"]) == ("int8", "float32")
    with pytest.raises(ConversionError, match=r"`ranked` goes from -inf to .* no scale does"):
        convert(source, tmp_path / "plain.tflite", recipe="int8", forms="plain", calibration=data, timing=False)
    by_name: Any = replace(
        find_recipe("int8"), forms="plain", keep_float=KeepFloat(ops=("SELECT_V2", "TOPK_V2", "NON_MAX"))
    )
    plain = tmp_path / "named.tflite"
    convert(source, plain, recipe=by_name, calibration=data, timing=False, keep_unverified=True)
    assert {op.name for op in read_artifact(plain).main.ops} >= {"SELECT_V2", "TOPK_V2"}, "named, it needs no range"


def test_what_stays_in_float_by_name_or_rule_is_not_observed() -> None:
    """Tensors between ops in float have no range to choose: 1,925 of SSDlite's 2,089 ops are such."""
    graph = parse_artifact(masked()).main
    at = {tensor.name: tensor.index for tensor in graph.tensors}
    ruled = without_ranges(graph, find_recipe("int8"), ())
    assert {at["seen"], at["ranked"], at["values"], at["kept"]} <= ruled
    assert not {at["x"], at["scores"]} & ruled
    assert without_ranges(graph, replace(find_recipe("int8"), forms="plain"), ()) == frozenset()
    topk = next(op.index for op in graph.ops if op.name == "TOPK_V2")
    select = next(op.index for op in graph.ops if op.name == "SELECT_V2")
    plain = replace(find_recipe("int8"), forms="plain")
    named = without_ranges(graph, plain, (select, topk))
    assert at["ranked"] in named
    assert not {at["seen"], at["values"]} & named, "others read or make them"


def test_names_that_the_quantizer_joined_are_known() -> None:
    from edge_sdk.converters.quantize.kept import is_named

    graph = Graph()
    x, y = graph.tensor("x", (1,)), graph.tensor("scaled;boxes1", (1,))
    graph.op("ABS", (x,), (y,))
    main = parse_artifact(graph.finish((x,), (y,))).main
    assert is_named(main, main.ops[0], {"scaled"})
    assert is_named(main, main.ops[0], {"scaled;boxes1"})
    assert not is_named(main, main.ops[0], {"box", "scale"})


@pytest.mark.runtime
def test_files_are_chosen_by_values_before_the_suppression() -> None:
    """One of a hundred of each weight is 40 dB, whatever becomes of the rows."""
    from edge_sdk.converters.quantize.weights.outputs import output_sqnr_db

    data = list(samples((1, SIDE, SIDE, 3)))
    assert output_sqnr_db(ssd(), ssd(), data) == float("inf")
    assert 38 < output_sqnr_db(ssd(), ssd(0.01), data) < 42


@pytest.mark.keras
@pytest.mark.runtime
def test_an_ssd_file_in_int8_finds_what_it_found(tmp_path: Path) -> None:
    from edge_sdk.converters import convert

    source, target = tmp_path / "ssd.tflite", tmp_path / "int8.tflite"
    source.write_bytes(ssd())
    data: list[Any] = list(samples((1, SIDE, SIDE, 3)))
    report = convert(source, target, recipe="int8", calibration=data, timing=False)
    assert "suppression-in-float" in {one.rule for one in report.findings}
    graph = read_artifact(target).main
    kinds = {op.name: graph.tensors[op.inputs[0]].dtype for op in graph.ops}
    assert kinds["CONV_2D"] == "int8"
    assert kinds["LOGISTIC"] == kinds["CUSTOM:TFLite_Detection_PostProcess"] == "float32"
    assert {row.bound.kind for row in report.parity if row.bound} == {"kept_rows"}
    boxes = {row.name: row for row in report.parity}["boxes"].boxes
    assert boxes is not None
    assert boxes.mean_iou is not None
    assert boxes.mean_iou > 0.9
    assert boxes.found > 0.9


@pytest.mark.onnx
@pytest.mark.keras
@pytest.mark.runtime
def test_an_onnx_detector_in_int8_finds_what_it_found(tmp_path: Path) -> None:
    from edge_sdk.converters import convert
    from tests.converters.sources.test_padded import _detector

    target = tmp_path / "int8.tflite"
    data: list[Any] = list(samples((1, 3, 12, 12)))
    # No bound in dB is for rows: there is nothing to repair, however high it is.
    options: Any = {"min_sqnr_db": 90.0, "repair": True, "calibration": data, "timing": False}
    report = convert(_detector(center_point_box=1), target, recipe="int8", **options)
    assert any("nothing to repair" in one.message for one in report.findings)
    rows = {row.name: row for row in report.parity}
    assert {row.bound.kind for row in rows.values() if row.bound} == {"kept_rows"}
    kept = rows["kept_count"].kept
    assert kept is not None
    assert kept.share > 0.9
    graph = read_artifact(target).main
    product = next(op.index for op in graph.ops if op.name == "CONV_2D")
    assert graph.tensors[graph.ops[product].outputs[0]].dtype == "int8"
    behind = {graph.tensors[index].dtype for op in graph.ops[product + 1 :] for index in op.outputs}
    assert behind == {"float32", "int32", "int64", "bool"}
