"""--fix-input: an input of an ONNX graph as a constant of the file, in the reference runs as well."""

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


def test_another_kind_of_source_is_refused() -> None:
    from edge_sdk.converters.sources.source import SourceOptions, refuse_fixed

    with pytest.raises(ModelError, match="only inputs of an ONNX graph"):
        refuse_fixed("torch", SourceOptions(fixed={"flag": (1.0,)}))
