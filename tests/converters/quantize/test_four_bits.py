"""Which layers take 4 bits, and integer files with such weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.artifact.apart import real_constant
from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.quantize import quantizer_package
from edge_sdk.converters.quantize.weights.four_bits import four_bit_ops, one_row, with_four_bits
from edge_sdk.engines.runner import Runner
from edge_sdk.errors import ConversionError
from edge_sdk.recipe import Recipe, find_recipe
from tests.graphs import Graph, options

WIDE = 16
INPUT, RESULT = 0.05, 0.1


def stack(count: int, dtype: str = "float32", *, bias: float = 0.3, last: int = WIDE) -> bytes:
    """Dense layers in a row, float or int8, the same weights in both; the last one with so many results."""
    graph = Graph()
    scale = [INPUT] if dtype == "int8" else None
    value = first = graph.tensor("x", (1, WIDE), dtype, scale=scale)
    for place in range(count):
        units = last if place == count - 1 else WIDE
        weights = _weights(place)[:units]
        added = np.full(units, bias, np.float32)
        if dtype == "int8":
            steps = np.abs(weights).max(axis=1) / 127
            stored = np.rint(weights / steps[:, None]).astype(np.int8)
            operands = (
                graph.constant(f"w{place}", stored, scale=steps.tolist()),
                graph.constant(
                    f"b{place}", np.rint(added / (INPUT * steps)).astype(np.int32), scale=(INPUT * steps).tolist()
                ),
            )
        else:
            operands = graph.constant(f"w{place}", weights), graph.constant(f"b{place}", added)
        result = graph.tensor(f"y{place}", (1, units), dtype, scale=scale)
        graph.op("FULLY_CONNECTED", (value, *operands), (result,), options("FullyConnectedOptions"))
        value = result
    return graph.finish((first,), (value,))


def _weights(place: int) -> npt.NDArray[np.float32]:
    made: npt.NDArray[np.float32] = np.random.default_rng(place).standard_normal((WIDE, WIDE)).astype(np.float32)
    return made


def mixed(name: str) -> Recipe:
    recipe = find_recipe(name)
    return replace(recipe, weights=replace(recipe.weights, mixed=True))


def test_first_and_last_layers_stay_in_eight_bits_where_that_is_asked() -> None:
    graph = parse_artifact(stack(4)).main
    assert [op.index for op in four_bit_ops(graph, find_recipe("static_wi4_ai8"))] == [0, 1, 2, 3]
    assert [op.index for op in four_bit_ops(graph, mixed("static_wi4_ai8"))] == [1, 2]
    assert [op.index for op in four_bit_ops(graph, find_recipe("mixed48"))] == [1, 2]


def test_nothing_between_the_ends_is_told() -> None:
    with pytest.raises(ConversionError, match="no FULLY_CONNECTED or CONV_2D between its first and its last layers"):
        four_bit_ops(parse_artifact(stack(2)).main, mixed("static_wi4_ai8"))


def test_heads_side_by_side_and_an_embedding_are_ends() -> None:
    graph = Graph()
    ids = graph.tensor("ids", (4,), "int32")
    table = graph.constant("table", np.ones((10, WIDE), np.float32))
    rows = graph.tensor("rows", (4, WIDE))
    graph.op("EMBEDDING_LOOKUP", (ids, table), (rows,))
    body, *heads = (graph.tensor(name, (4, WIDE)) for name in ("body", "left", "right"))
    middle = graph.tensor("middle", (4, WIDE))
    for source, result in ((rows, middle), (middle, body), *((body, head) for head in heads)):
        weights = graph.constant(f"w{result}", np.ones((WIDE, WIDE), np.float32))
        graph.op("FULLY_CONNECTED", (source, weights, -1), (result,), options("FullyConnectedOptions"))
    found = four_bit_ops(parse_artifact(graph.finish((ids,), tuple(heads))).main, find_recipe("mixed48"))
    # The first layer reads the table alone, which no layer made.
    assert [op.index for op in found] == [2]


def test_weights_and_biases_stand_for_the_float_files_numbers() -> None:
    reference = stack(2)
    made = parse_artifact(with_four_bits(reference, stack(2, "int8"), find_recipe("static_wi4_ai8"))).main
    for op in made.ops:
        weights, bias = (made.tensors[index] for index in op.inputs[1:])
        assert (weights.dtype, bias.dtype) == ("int4", "int32")
        assert weights.quantization is not None
        assert bias.quantization is not None
        steps = np.asarray(weights.quantization.scale)[:, None]
        assert np.abs(real_constant(weights) - _weights(op.index)).max() <= 0.51 * steps.max()
        np.testing.assert_allclose(bias.quantization.scale, INPUT * steps.ravel(), rtol=1e-6)
        np.testing.assert_allclose(real_constant(bias), 0.3, atol=0.51 * INPUT * steps.max())


def test_a_bias_far_larger_than_its_weights_widens_their_steps() -> None:
    made = parse_artifact(
        with_four_bits(stack(1, bias=3e9), stack(1, "int8", bias=0.3), find_recipe("static_wi4_ai8"))
    ).main
    stored = made.tensors[made.ops[0].inputs[2]].values()
    assert np.abs(stored).max() <= 2**30 * (1 + 1e-6)
    np.testing.assert_allclose(real_constant(made.tensors[made.ops[0].inputs[2]]), 3e9, rtol=1e-6)


def test_a_layer_with_a_single_result_stays_in_eight_bits() -> None:
    """In 4 bits XNNPACK of 2.1.0 claims it, has no kernel, and the engine refuses the file."""
    recipe = find_recipe("static_wi4_ai8")
    made = with_four_bits(stack(2, last=1), stack(2, "int8", last=1), recipe)
    assert [t.dtype for t in parse_artifact(made).main.tensors if t.name.startswith("w")] == ["int4", "int8"]
    assert one_row(parse_artifact(stack(2, last=1)).main, recipe) == [1]
    # Activations of 16 bits run on TFLite's own kernels, which take it.
    assert not one_row(parse_artifact(stack(2, last=1)).main, find_recipe("static_wi4_ai16"))


@pytest.mark.runtime
def test_the_engine_takes_a_file_with_such_a_layer(tmp_path: Path) -> None:
    path = tmp_path / "narrow.tflite"
    path.write_bytes(with_four_bits(stack(2, last=1), stack(2, "int8", last=1), find_recipe("static_wi4_ai8")))
    (result,) = Runner(path).run({"x": np.ones((1, WIDE), np.int8)}).values()
    assert result.shape == (1, 1)


def test_weights_that_an_op_in_eight_bits_reads_too_stay_as_they_are() -> None:
    keep = replace(find_recipe("static_wi4_ai8"), keep_float=replace(find_recipe("int8").keep_float, tensors=("y1",)))
    made = parse_artifact(with_four_bits(stack(2), stack(2, "int8"), keep)).main
    assert [made.tensors[op.inputs[1]].dtype for op in made.ops] == ["int4", "int8"]


@pytest.mark.parametrize(
    ("here", "tool"),
    [
        (("litert_quantizer", "ai_edge_quantizer"), "litert-quantizer"),
        (("litert_quantizer",), "litert-quantizer"),
        (("ai_edge_quantizer",), "ai-edge-quantizer"),
    ],
)
def test_either_name_of_the_quantizer_will_do(
    monkeypatch: pytest.MonkeyPatch, here: tuple[str, ...], tool: str
) -> None:
    monkeypatch.setattr(quantizer_package, "find_spec", lambda name: name if name in here else None)
    monkeypatch.setattr(quantizer_package, "tool_version", lambda name: f"of {name}")
    assert quantizer_package.tool() == f"{tool} of {tool}"
