"""Detectors with NonMaxSuppression inside: padded rows and a count, held to the source's own rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.errors import ConversionError

pytestmark = pytest.mark.onnx
BOXES = 36


def _detector(**options: Any) -> Any:
    """A head of one anchor: a convolution to boxes (centres) and scores, as one-stage detectors are exported."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    weights = {
        "w": rng.normal(0, 0.5, (7, 3, 3, 3)).astype(np.float32),
        "rows": np.array([1, 7, BOXES]),
        "most": np.array([12]),
        "iou": np.array([0.4], np.float32),
        "score": np.array([0.5], np.float32),
        "parts": np.array([4, 3]),
        "column": np.array(2),
        "image": np.array([BOXES, 4]),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1] * 4, strides=[2, 2]),
        helper.make_node("Sigmoid", ["c"], ["s"]),
        helper.make_node("Reshape", ["s", "rows"], ["r"]),
        helper.make_node("Split", ["r", "parts"], ["b", "scores"], axis=1),
        helper.make_node("Transpose", ["b"], ["boxes"], perm=[0, 2, 1]),
        helper.make_node("NonMaxSuppression", ["boxes", "scores", "most", "iou", "score"], ["kept"], **options),
        helper.make_node("Gather", ["kept", "column"], ["index"], axis=1),
        helper.make_node("Reshape", ["boxes", "image"], ["all"]),
        helper.make_node("Gather", ["all", "index"], ["found"], axis=0),
    ]
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 12, 12])],
        [
            helper.make_tensor_value_info("kept", TensorProto.INT64, ["n", 3]),
            helper.make_tensor_value_info("found", TensorProto.FLOAT, ["n", 4]),
        ],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_the_file_gives_the_sources_rows_and_their_count(tmp_path: Path) -> None:
    import onnxruntime
    from ai_edge_litert.interpreter import Interpreter

    from edge_sdk.converters import convert

    model = _detector(center_point_box=1)
    report = convert(model, tmp_path / "d.tflite", recipe="float32")
    assert report.verified
    assert {"rows-padded"} <= {finding.rule for finding in report.findings}
    assert {row.name for row in report.parity} == {"kept", "found", "kept_count"}
    run = Interpreter(str(tmp_path / "d.tflite")).get_signature_runner()
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    counts = set()
    for seed in range(5):
        x = np.random.default_rng(seed).normal(0, 1, (1, 3, 12, 12)).astype(np.float32)
        kept, found = session.run(None, {"x": x})
        made = run(x=x.transpose(0, 2, 3, 1))
        count = int(made["kept_count"])
        counts.add(count)
        np.testing.assert_array_equal(made["kept"][:count], kept)
        assert (made["kept"][count:] == -1).all()
        # One sigmoid: a few units in the last place of 1.
        np.testing.assert_allclose(made["found"][:count], found, atol=1e-6)
    assert len(counts) > 1


def _always_as_many(most: int) -> Any:
    """The detector's boxes, flattened and padded to as many as ``most`` rows of zeros, as Ultralytics exports them."""
    from onnx import TensorProto, helper, numpy_helper

    model = _detector(center_point_box=1)
    weights = {"rest": np.array(most), "four": np.array(4), "none": np.array([0]), "first": np.array([0])}
    weights |= {"flat": np.array([-1]), "whole": np.array([most, 4]), "pairs": np.array([-1, 2])}
    weights |= {"last": np.array([-1]), "back": np.array([-(2**63) + 1]), "step": np.array([-1])}
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in weights.items())
    model.graph.node.extend(
        [
            helper.make_node("Shape", ["found"], ["shape"]),
            helper.make_node("Gather", ["shape", "none"], ["count"]),
            helper.make_node("Sub", ["rest", "count"], ["missing"]),
            helper.make_node("Mul", ["missing", "four"], ["cells"]),
            helper.make_node("Concat", ["none", "cells"], ["turned"], axis=0),
            helper.make_node("Reshape", ["turned", "pairs"], ["paired"]),
            helper.make_node("Slice", ["paired", "last", "back", "first", "step"], ["backwards"]),
            helper.make_node("Transpose", ["backwards"], ["columns"], perm=[1, 0]),
            helper.make_node("Reshape", ["columns", "flat"], ["pads"]),
            helper.make_node("Reshape", ["found", "flat"], ["values"]),
            helper.make_node("Pad", ["values", "pads"], ["filled"]),
            helper.make_node("Reshape", ["filled", "whole"], ["table"]),
        ]
    )
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("table", TensorProto.FLOAT, [most, 4]))
    return model


def test_rows_that_are_filled_up_to_a_known_number_all_count(tmp_path: Path) -> None:
    import onnxruntime
    from ai_edge_litert.interpreter import Interpreter

    from edge_sdk.converters import convert

    model = _always_as_many(40)
    report = convert(model, tmp_path / "d.tflite", recipe="float32")
    assert report.verified
    assert [row.name for row in report.parity] == ["table"]
    run = Interpreter(str(tmp_path / "d.tflite")).get_signature_runner()
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    counts = set()
    for seed in range(5):
        x = np.random.default_rng(seed).normal(0, 1, (1, 3, 12, 12)).astype(np.float32)
        (rows,) = session.run(None, {"x": x})
        # One sigmoid: a few units in the last place of 1.
        np.testing.assert_allclose(run(x=x.transpose(0, 2, 3, 1))["table"], rows, atol=1e-6)
        counts.add(int(rows.any(1).sum()))
    assert len(counts) > 1
    assert max(counts) < 40


def test_rows_of_the_source_are_what_the_file_is_held_to() -> None:
    from edge_sdk.converters.lower.direct.counts import Padded
    from edge_sdk.converters.sources.padded import padded

    own = {"kept": np.array([[1], [2]]), "score": np.array([0.5, 0.25], np.float32)}
    ends = [Padded("kept", 0, 3, "count"), Padded("score", 0, 3, "count")]
    made = padded(own, ends)
    np.testing.assert_array_equal(made["kept"], [[1], [2], [-1]])
    np.testing.assert_array_equal(made["score"], np.array([0.5, 0.25, 0], np.float32))
    assert made["count"] == 2
    with pytest.raises(
        ConversionError, match=r"`kept` is \[2, 1\] in the source; axis 0 has padding up to 1 in the file"
    ):
        padded(own, [Padded("kept", 0, 1, "count")])
    with pytest.raises(ConversionError, match=r"`score` is \[1\] in the source"):
        padded({**own, "score": own["score"][:1]}, ends)


def test_another_lowering_than_ours_has_no_count() -> None:
    from edge_sdk.converters.sources.from_onnx import OnnxSource
    from edge_sdk.converters.sources.source import SourceOptions

    source = OnnxSource(_detector(), SourceOptions(lowering="onnx2tf").as_json())
    assert source.describe()["outputs"] == ("kept", "found")


def test_a_count_is_called_after_the_rows_where_they_are_alone() -> None:
    from edge_sdk.converters.sources.from_onnx import OnnxSource
    from edge_sdk.converters.sources.source import SourceOptions

    def outputs(model: Any) -> Any:
        return OnnxSource(model, SourceOptions().as_json()).describe()["outputs"]

    model = _detector()
    assert outputs(model) == ("kept", "found", "kept_count")
    model.graph.output[0].name = "s"
    model.graph.output[0].type.tensor_type.elem_type = 1
    assert outputs(model) == ("s", "found", "found_count")


@pytest.mark.torch
def test_a_mask_in_a_pytorch_model_leaves_padded_rows(tmp_path: Path) -> None:
    import torch

    from edge_sdk.converters import convert

    class Chosen(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.layer = torch.nn.Linear(8, 5)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            rows = self.layer(x)
            scores = rows[:, 0].sigmoid()
            keep = scores > 0.5
            return rows[keep], scores[keep]

    report = convert((Chosen().eval(), (torch.randn(20, 8),)), tmp_path / "c.tflite", recipe="float32")
    assert report.verified
    assert [row.name for row in report.parity] == ["output_0", "output_1", "kept_count"]


@pytest.mark.torch
def test_torchvisions_nms_is_seen_as_it_runs() -> None:
    """torchvision is no part of any environment here: an op of its name stands for it."""
    import torch

    from edge_sdk.converters.sources.pytorch.padded import watched

    with torch.library._scoped_library("torchvision", "FRAGMENT") as library:
        library.define("nms(Tensor boxes, Tensor scores, float iou) -> Tensor")
        library.impl("nms", lambda boxes, scores, iou: scores.argsort(), "CPU")
        boxes, scores = torch.zeros(2, 4), torch.ones(2)
        with watched() as seen:
            scores + 1
            torch.ops.torchvision.nms(boxes, scores, 0.5)
    assert seen == ["torchvision.nms.default"]
    with watched() as masks:
        scores[torch.tensor([0])], scores[scores > 0]
    assert masks == ["aten.index.Tensor"]
