"""--fix-input: an input of an ONNX graph as a constant of the file; --end-at: a value within as its output; in the
reference runs as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.errors import ModelError, SignatureError

pytestmark = pytest.mark.onnx


def _model() -> Any:
    """``y = x * 2`` at a rate of 8000 and ``x * 3`` else, by If, as silero-vad chooses its network."""
    import onnx
    from onnx import TensorProto, helper

    def branch(name: str, factor: float) -> Any:
        made = helper.make_tensor_value_info("made", TensorProto.FLOAT, [2])
        known = onnx.numpy_helper.from_array(np.array(factor, np.float32), "factor")
        return helper.make_graph([helper.make_node("Mul", ["x", "factor"], ["made"])], name, [], [made], [known])

    nodes = [
        helper.make_node("Equal", ["rate", "low"], ["is_low"]),
        helper.make_node("If", ["is_low"], ["y"], then_branch=branch("low", 2), else_branch=branch("high", 3)),
    ]
    graph = helper.make_graph(
        nodes,
        "rates",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [2]),
            helper.make_tensor_value_info("rate", TensorProto.INT64, []),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
        [onnx.numpy_helper.from_array(np.array(8000, np.int64), "low")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(("rate", "factor"), [(8000, 2), (16000, 3)])
def test_the_branch_that_it_chooses_is_the_only_one_left(tmp_path: Path, rate: int, factor: int) -> None:
    from ai_edge_litert.interpreter import Interpreter

    from edge_sdk.converters import convert

    report = convert(_model(), tmp_path / "y.tflite", recipe="float32", fixed={"rate": [rate]})
    assert report.verified
    assert list(report.artifact.signature.inputs) == ["x"]
    assert {op.name for op in report.artifact.subgraphs[0].ops} == {"MUL"}
    assert "input-fixed" in {finding.rule for finding in report.findings}
    run = Interpreter(str(tmp_path / "y.tflite")).get_signature_runner()
    np.testing.assert_array_equal(run(x=np.array([1, -2], np.float32))["y"], [factor, -2 * factor])


@pytest.mark.parametrize(
    ("fixed", "said"),
    [
        ({"speed": [1]}, "no input `speed`"),
        ({"rate": [1, 2]}, "so 1 numbers; got 2"),
        ({"rate": [0.5]}, "int64, which does not hold"),
    ],
)
def test_what_does_not_fit_is_named(fixed: dict[str, list[float]], said: str) -> None:
    from edge_sdk.converters.sources.onnx_fixed import with_fixed_inputs

    with pytest.raises(SignatureError, match=said):
        with_fixed_inputs(_model(), fixed, {})


def _boxes() -> Any:
    """Features, and behind them what depends on data; ``bias`` is read by a branch alone, ``late`` behind the cut."""
    import onnx
    from onnx import TensorProto, helper

    made = helper.make_tensor_value_info("made", TensorProto.FLOAT, [2])
    branches = {
        f"{word}_branch": helper.make_graph([helper.make_node(op, ["x", "bias"], ["made"])], word, [], [made])
        for word, op in (("then", "Add"), ("else", "Sub"))
    }
    nodes = [
        helper.make_node("Greater", ["rate", "zero"], ["above"]),
        helper.make_node("If", ["above"], ["features"], **branches),
        helper.make_node("Mul", ["features", "late"], ["scaled"]),
        helper.make_node("NonZero", ["scaled"], ["found"]),
    ]
    known = {"bias": np.ones(2, np.float32), "late": np.ones(2, np.float32), "zero": np.array(0, np.float32)}
    graph = helper.make_graph(
        nodes,
        "boxes",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [2]),
            helper.make_tensor_value_info("rate", TensorProto.FLOAT, []),
            helper.make_tensor_value_info("late", TensorProto.FLOAT, [2]),
        ],
        [helper.make_tensor_value_info("found", TensorProto.INT64, [1, None])],
        [onnx.numpy_helper.from_array(values, name) for name, values in known.items() if name != "late"],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_graph_ends_before_what_has_no_form(tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    from edge_sdk.converters import convert

    report = convert(_boxes(), tmp_path / "f.tflite", recipe="float32", ends=["features"], fixed={"rate": [1]})
    assert report.verified
    run = Interpreter(str(tmp_path / "f.tflite")).get_signature_runner()
    assert list(run.get_input_details()) == ["x"]
    np.testing.assert_array_equal(run(x=np.array([1, -2], np.float32))["features"], [2, -1])


def test_what_is_not_needed_goes_and_what_branches_read_stays() -> None:
    from edge_sdk.converters.sources.onnx_ends import ending_at

    cut = ending_at(_boxes(), ["features", "above"]).graph
    assert [node.op_type for node in cut.node] == ["Greater", "If"]
    assert [value.name for value in cut.input] == ["x", "rate"]
    assert [tensor.name for tensor in cut.initializer] == ["bias", "zero"]
    assert [value.name for value in cut.output] == ["features", "above"]
    with pytest.raises(SignatureError, match=r"--end-at feature: no node .* did you mean `features`"):
        ending_at(_boxes(), ["feature"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fixed": {"flag": (1.0,)}}, "only inputs of an ONNX or frozen"),
        ({"ends": ("a",)}, "can end at an inner value"),
    ],
)
def test_another_kind_of_source_is_refused(options: dict[str, Any], said: str) -> None:
    from edge_sdk.converters.sources.source import SourceOptions, refuse_cuts

    with pytest.raises(ModelError, match=said):
        refuse_cuts("torch", SourceOptions(**options))
