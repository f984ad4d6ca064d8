"""4-bit weights: where they are taken, what is told where they are not, and that the file computes with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact.compute import compute_type
from edge_sdk.artifact.constants import ConstantEdit
from edge_sdk.artifact.edit import with_own_names
from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.checks.placement.rule_sets import place_by
from edge_sdk.converters.quantize import by_ai_edge_quantizer
from edge_sdk.converters.quantize.by_ai_edge_quantizer import int4_findings
from edge_sdk.engines.runner import Runner
from edge_sdk.errors import RecipeError
from edge_sdk.recipe import Granularity, change_recipe, find_recipe, parse_recipe
from tests.graphs import Graph, options

pytestmark = [pytest.mark.keras, pytest.mark.runtime]
WIDE = 64


def dense() -> bytes:
    """Two dense layers of normal weights."""
    rng = np.random.default_rng(0)
    graph = Graph()
    value = graph.tensor("x", (1, WIDE))
    first = value
    for place in range(2):
        weights = graph.constant(f"w{place}", rng.standard_normal((WIDE, WIDE)).astype(np.float32))
        bias = graph.constant(f"b{place}", np.zeros(WIDE, np.float32))
        result = graph.tensor(f"y{place}", (1, WIDE))
        graph.op("FULLY_CONNECTED", (value, weights, bias), (result,), options("FullyConnectedOptions"))
        value = result
    return graph.finish((first,), (value,))


def made(recipe: str, folder: Path, granularity: Granularity | None = None) -> tuple[dict[str, Any], bytes]:
    from edge_sdk.converters.quantize.by_ai_edge_quantizer import quantize

    (folder / "float.tflite").write_bytes(dense())
    wanted = change_recipe(find_recipe(recipe), granularity=granularity).as_json()
    told = quantize(str(folder / "float.tflite"), str(folder / "m.tflite"), wanted)
    return told, (folder / "m.tflite").read_bytes()


@pytest.mark.parametrize(
    ("recipe", "granularity"),
    [("dynamic_wi4_afp32", None), ("dynamic_wi4_afp32", "blockwise_32"), ("weight_only_wi4_afp32", None)],
)
def test_dense_weights_are_four_bits_and_keep_their_values(
    tmp_path: Path, recipe: str, granularity: Granularity | None
) -> None:
    told, data = made(recipe, tmp_path, granularity)
    graph = parse_artifact(data).main
    stored = [t for t in graph.tensors if t.is_stored and t.elements == WIDE * WIDE]
    assert {t.dtype for t in stored} == {"int4"}
    assert all((t.blockwise is not None) == (granularity is not None) for t in stored)
    assert len(data) < 0.35 * len(dense())
    x = {"x": np.random.default_rng(1).standard_normal((1, WIDE)).astype(np.float32)}
    (want,), (got,) = (list(Runner(tmp_path / name).run(x).values()) for name in ("float.tflite", "m.tflite"))
    # A step is a seventh of the largest of 64 normal values, up to 0.43: 18 dB in each of two layers, 15 in both; the
    # mean of 64 outputs of one sample is within 3 dB of that.
    assert np.mean((want - got) ** 2) < 10**-1.2 * np.mean(want**2)
    kinds = {compute_type(graph, op) for op in graph.ops if op.name == "FULLY_CONNECTED"}
    outside = [finding for finding in told["findings"] if finding["rule"] == "int4-outside-delegate"]
    if recipe.startswith("dynamic"):
        assert kinds == {"hybrid_int8"}
        assert outside == []
    else:
        assert kinds == {"float32"}
        assert "DEQUANTIZE with 4-bit weights stay outside XNNPACK" in outside[0]["message"]


@pytest.mark.parametrize(("results", "activation"), [(64, 1), (64, 3), (3, 0)])
def test_blocks_are_computed_alike_by_xnnpack_and_by_the_engines_own_kernels(
    tmp_path: Path, results: int, activation: int
) -> None:
    """TFLite's kernel reads blocks without their scales beside an activation, or of fewer than four rows: 0 dB."""
    rng = np.random.default_rng(0)
    graph = Graph()
    x, last = graph.tensor("x", (1, WIDE)), graph.tensor("last", (1, results))
    first = graph.tensor("first", (1, WIDE))
    for source, result, rows, fused in ((x, first, WIDE, 0), (first, last, results, activation)):
        weights = (rng.standard_normal((rows, WIDE)) * np.exp(rng.normal(0, 1, (rows, 1)))).astype(np.float32)
        operands = (source, graph.constant(f"w{result}", weights), -1)
        fields = options("FullyConnectedOptions", fused_activation_function=fused)
        graph.op("FULLY_CONNECTED", operands, (result,), fields)
    (tmp_path / "float.tflite").write_bytes(graph.finish((x,), (last,)))
    wanted = change_recipe(find_recipe("dynamic_wi4_afp32"), granularity="blockwise_32").as_json()
    by_ai_edge_quantizer.quantize(str(tmp_path / "float.tflite"), str(tmp_path / "m.tflite"), wanted)
    made = parse_artifact((tmp_path / "m.tflite").read_bytes()).main
    assert any(tensor.blockwise for tensor in made.tensors)
    sample = {"x": rng.standard_normal((1, WIDE)).astype(np.float32)}
    one, other = (next(iter(Runner(tmp_path / "m.tflite", xnnpack=on).run(sample).values())) for on in (True, False))
    # Both sum the same integers; an operand rounded on the fly is rounded to other steps: 30 dB each.
    assert np.sum((one - other) ** 2) < 1e-2 * np.sum(one**2)


def test_a_table_that_is_looked_up_in_is_not_called_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """No XNNPACK takes EMBEDDING_LOOKUP, and int8 makes none faster; of a convolution both is said."""
    graph = Graph()
    ids, image = graph.tensor("ids", (4,), "int32"), graph.tensor("image", (1, 4, 4, 8))
    table = graph.constant("table", np.ones((10, 8), np.int8), scale=[0.1] * 10)
    kernel = graph.constant("kernel", np.ones((8, 1, 1, 8), np.int8), scale=[0.1] * 8)
    bias = graph.constant("bias", np.zeros(8, np.float32))
    rows, y = graph.tensor("rows", (4, 8)), graph.tensor("y", (1, 4, 4, 8))
    graph.op("EMBEDDING_LOOKUP", (ids, table), (rows,))
    graph.op("CONV_2D", (image, kernel, bias), (y,), options("Conv2DOptions", stride_w=1, stride_h=1))
    root, _ = parse_tree(graph.finish((ids, image), (rows, y)))
    edit = ConstantEdit(root)
    for index in (table, kernel):
        edit.set_type(index, "int4")
        edit.set_values(index, np.ones(root.subgraphs[0].tensors[index].shape, np.int8))
    asked: list[str] = []

    def counted(*given: Any, engine: str) -> Any:
        asked.append(engine)
        return place_by(*given, engine=engine)

    monkeypatch.setattr(by_ai_edge_quantizer, "place_by", counted)
    (told,) = int4_findings(parse_artifact(pack_tree(root)).main, "dynamic_wi4_afp32")
    assert len(asked) == len(set(asked)), "a GRU of 543 ops was placed 249 times: 100 s"
    assert told.message.startswith("1 CONV_2D with 4-bit weights stay outside XNNPACK")


@pytest.mark.parametrize(
    ("mode", "weights", "fault"),
    [
        ("dynamic_range", 'dtype = "int4"\ngranularity = "per_tensor"', "int4 allows per_channel or blockwise_32"),
        ("dynamic_range", 'dtype = "int8"\ngranularity = "blockwise_32"', "int8 allows per_channel or per_tensor"),
        ("weight_only", 'dtype = "int8"\nmixed = true', "mixed: is for int4 weights, got int8"),
        (
            "static_range",
            'dtype = "int4"\ngranularity = "blockwise_32"\n[activations]\ndtype = "int8"',
            "static ranges go with one scale for each channel",
        ),
    ],
)
def test_what_has_no_form_is_refused(mode: str, weights: str, fault: str) -> None:
    with pytest.raises(RecipeError, match=fault):
        parse_recipe("mine", f'description = "x"\nmode = "{mode}"\n[weights]\n{weights}\n', where="mine.toml")


def test_tensors_that_share_a_name_are_told_apart(tmp_path: Path) -> None:
    from edge_sdk.converters.quantize.by_ai_edge_quantizer import quantize

    root, _ = parse_tree(dense())
    for tensor in root.subgraphs[0].tensors:
        tensor.name = "layer"
    data = pack_tree(root)
    kept = with_own_names(data)
    assert with_own_names(kept) is kept
    (tmp_path / "float.tflite").write_bytes(data)
    quantize(str(tmp_path / "float.tflite"), str(tmp_path / "m.tflite"), find_recipe("dynamic").as_json())
    graph = parse_artifact((tmp_path / "m.tflite").read_bytes()).main
    assert [t.dtype for t in graph.tensors if t.is_stored and t.elements == WIDE * WIDE] == ["int8", "int8"]
    assert len({t.name for t in graph.tensors}) == len(graph.tensors)
