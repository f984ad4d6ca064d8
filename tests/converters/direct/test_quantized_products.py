"""Products of two activations in a source that is quantized already, whatever the zero points of its grids are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.lower.direct.writing import write
from edge_sdk.converters.proving.form import check_form
from edge_sdk.errors import ConversionError
from edge_sdk.recipe import find_recipe
from tests.converters.direct.compare import expected, lowered, model, run
from tests.converters.direct.test_quantizers import step_of

pytestmark = pytest.mark.onnx


def quantized_product(zero: int) -> tuple[Any, dict[str, Any]]:
    """``relu(a) b'`` of two activations on grids; the second one's zero point is given."""
    from onnx import helper

    weights: dict[str, Any] = {"s": np.array(0.02, np.float32), "t": np.array(0.25, np.float32)}
    weights |= {"za": np.array(-7, np.int8), "zb": np.array(zero, np.int8), "zy": np.array(3, np.int8)}

    def rounded(name: str, scale: str, zero: str, result: str) -> list[Any]:
        return [
            helper.make_node("QuantizeLinear", [name, scale, zero], [f"{name}/q"]),
            helper.make_node("DequantizeLinear", [f"{name}/q", scale, zero], [result]),
        ]

    nodes = [
        *rounded("a", "s", "za", "ad"),
        helper.make_node("Relu", ["ad"], ["r"]),
        *rounded("r", "s", "za", "rd"),
        *rounded("b", "s", "zb", "bd"),
        helper.make_node("Transpose", ["bd"], ["bt"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["rd", "bt"], ["p"]),
        *rounded("p", "t", "zy", "y"),
    ]
    generator = np.random.default_rng(4)
    feeds = {name: generator.uniform(-2.5, 2.5, (2, 9, 48)).astype(np.float32) for name in "ab"}
    return model(nodes, feeds, ["y"], weights, opset=21), feeds


@pytest.mark.parametrize("zero", [0, 6, -128])
def test_a_second_factor_with_a_zero_point_is_right_under_every_kernel(zero: int) -> None:
    """XNNPACK of ai-edge-litert 2.1.0 to 2.1.2 takes that zero point for 0."""
    proto, feeds = quantized_product(zero)
    graph = lowered(proto, feeds, grids=True)
    (product,) = (op for op in graph.graph.ops if op.kind == "BATCH_MATMUL")
    assert product.output.dtype == ("float32" if zero else "int8")
    assert np.abs(run(graph, feeds)[0] - expected(proto, feeds)[0]).max() <= step_of(graph) * 1.001


@pytest.mark.parametrize("zero", [0, 6])
def test_a_product_kept_in_float_is_told_with_its_reason(zero: int) -> None:
    proto, feeds = quantized_product(zero)
    file = parse_artifact(write(lowered(proto, feeds, grids=True).graph))
    told = [one for one in check_form(file, file, find_recipe("int8")) if one.rule == "factors-in-float"]
    assert len(told) == bool(zero)
    assert all("1 BATCH_MATMUL" in one.message and "zero point 6," in one.message for one in told)


def test_an_integer_only_file_is_refused_with_the_factor_that_stands_in_the_way() -> None:
    file = parse_artifact(write(lowered(*quantized_product(6), grids=True).graph))
    with pytest.raises(ConversionError, match="1 ops are float: 1 BATCH_MATMUL by a factor whose zero point is not 0"):
        check_form(file, file, find_recipe("int8_only"))


def test_ops_that_a_quantized_source_has_in_float_are_told_as_its_own() -> None:
    from onnx import helper

    proto, feeds = quantized_product(0)
    proto.graph.node.extend([helper.make_node("Sin", ["y"], ["one"]), helper.make_node("Sin", ["one"], ["two"])])
    proto.graph.output[0].name = "two"
    file = parse_artifact(write(lowered(proto, feeds, grids=True).graph))
    (own,) = check_form(file, file, find_recipe("int8"), quantized=True)
    assert own.rule == "float-ops-left"
    assert own.message.count("the source computes them in float too") == 1
    assert "in the source's tool" in own.hint
    (other,) = check_form(file, file, find_recipe("int8"))
    assert "no integer form" in other.message
    assert "source" not in other.hint
