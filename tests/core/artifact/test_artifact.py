"""What is read off a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact import parse_artifact, read_artifact
from edge_sdk.artifact.compute import accumulation_length, compute_type, macs
from edge_sdk.artifact.indices import index_bounds
from edge_sdk.artifact.note import note_of, put_note, set_metadata
from edge_sdk.artifact.runtimes import measured_runtimes, missing_ops, runtime_need
from edge_sdk.artifact.summary import summarize, summary_as_json
from edge_sdk.artifact.tree import parse_tree
from edge_sdk.errors import ModelError
from tests.graphs import Graph, conv_model, options


def test_signature_keeps_names_order_and_open_dimensions() -> None:
    artifact = parse_artifact(conv_model())
    assert list(artifact.signature.inputs) == ["image"]
    assert artifact.signature.inputs["image"].shape == (1, 8, 8, 3)
    assert artifact.signature.inputs["image"].shape_signature == (-1, 8, 8, 3)
    assert list(artifact.signature.outputs) == ["scores"]


def test_file_without_signature_gets_tensor_names() -> None:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    graph.op("RELU", (x,), (y,))
    artifact = parse_artifact(graph.finish((x,), (y,), signature=False))
    assert artifact.implicit_signature
    assert list(artifact.signature.inputs) == ["x"]


def test_macs_of_convolution_and_dense_layer() -> None:
    artifact = parse_artifact(conv_model(side=8, channels=4))
    conv, mean, dense = artifact.main.ops
    assert macs(artifact.main, conv) == 8 * 8 * 4 * 3 * 3 * 3
    assert macs(artifact.main, mean) == 0
    assert macs(artifact.main, dense) == 5 * 4
    assert accumulation_length(artifact.main, conv) == 27
    assert accumulation_length(artifact.main, mean) == 64


@pytest.mark.parametrize(
    ("name", "weights", "out", "expected"),
    [
        ("DEPTHWISE_CONV_2D", (1, 3, 3, 6), (1, 5, 5, 6), 5 * 5 * 6 * 9),
        ("CONV_2D", (8, 1, 1, 6), (1, 5, 5, 8), 5 * 5 * 8 * 6),
    ],
)
def test_macs_of_other_convolutions(name: str, weights: tuple[int, ...], out: tuple[int, ...], expected: int) -> None:
    graph = Graph()
    x = graph.tensor("x", (1, 5, 5, 6))
    w = graph.constant("w", np.zeros(weights, np.float32))
    y = graph.tensor("y", out)
    graph.op(name, (x, w), (y,))
    artifact = parse_artifact(graph.finish((x,), (y,)))
    assert macs(artifact.main, artifact.main.ops[0]) == expected


def test_macs_of_transposed_convolution_count_the_input() -> None:
    graph = Graph()
    size = graph.constant("size", np.array([1, 8, 8, 2], np.int32))
    w = graph.constant("w", np.zeros((2, 2, 2, 6), np.float32))
    x, y = graph.tensor("x", (1, 4, 4, 6)), graph.tensor("y", (1, 8, 8, 2))
    graph.op("TRANSPOSE_CONV", (size, w, x), (y,))
    artifact = parse_artifact(graph.finish((x,), (y,)))
    assert macs(artifact.main, artifact.main.ops[0]) == 4 * 4 * 6 * 2 * 2 * 2


def test_macs_of_batch_matmul_and_lstm() -> None:
    graph = Graph()
    a, b = graph.tensor("a", (2, 3, 5)), graph.tensor("b", (2, 5, 7))
    c = graph.tensor("c", (2, 3, 7))
    graph.op("BATCH_MATMUL", (a, b), (c,), options("BatchMatMulOptions"))
    x, y = graph.tensor("x", (1, 10, 4)), graph.tensor("y", (1, 10, 6))
    weights = [graph.constant(f"w{i}", np.zeros((6, 4), np.float32)) for i in range(4)]
    recurrent = [graph.constant(f"r{i}", np.zeros((6, 6), np.float32)) for i in range(4)]
    graph.op("UNIDIRECTIONAL_SEQUENCE_LSTM", (x, *weights, *recurrent), (y,))
    main = parse_artifact(graph.finish((a, b, x), (c, y))).main
    assert macs(main, main.ops[0]) == 2 * 3 * 7 * 5
    assert macs(main, main.ops[1]) == 10 * 4 * (6 * 4 + 6 * 6)


def _typed(name: str, dtype: str, weights: np.ndarray[tuple[int, ...], np.dtype[np.generic]] | None) -> str:
    graph = Graph()
    scale = [0.1] if dtype in ("int8", "uint8", "int16") else None
    x, y = graph.tensor("x", (1, 4), dtype, scale=scale), graph.tensor("y", (1, 4), dtype, scale=scale)
    inputs = [x]
    if weights is not None:
        inputs.append(graph.constant("w", weights, scale=[0.1] if weights.dtype == np.int8 else None))
    graph.op(name, inputs, (y,))
    artifact = parse_artifact(graph.finish((x,), (y,)))
    return compute_type(artifact.main, artifact.main.ops[0])


def test_compute_type_tells_hybrid_from_float_and_integer() -> None:
    square = np.zeros((4, 4))
    assert _typed("FULLY_CONNECTED", "float32", square.astype(np.float32)) == "float32"
    assert _typed("FULLY_CONNECTED", "float32", square.astype(np.int8)) == "hybrid_int8"
    assert _typed("FULLY_CONNECTED", "int8", square.astype(np.int8)) == "int8"
    assert _typed("FULLY_CONNECTED", "int16", square.astype(np.int8)) == "int16"
    assert _typed("RELU", "float16", None) == "float16"
    assert _typed("ADD", "int32", None) == "integer"
    assert _typed("QUANTIZE", "int8", None) == "convert"
    assert _typed("WHILE", "float32", None) == "control"


def test_compute_type_of_an_index_result_is_the_operands() -> None:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4), "int8", scale=[0.1]), graph.tensor("y", (1,), "int32")
    graph.op("ARG_MAX", (x,), (y,))
    artifact = parse_artifact(graph.finish((x,), (y,)))
    assert compute_type(artifact.main, artifact.main.ops[0]) == "int8"


def test_summary_counts_ops_and_macs_by_type() -> None:
    summary = summarize(parse_artifact(conv_model()))
    assert summary.ops == {"float32": 3}
    assert summary.total_macs == 8 * 8 * 4 * 27 + 20
    assert summary.mac_share("float32") == 1.0
    assert [name.split()[0] for name in summary.float_ops] == ["CONV_2D", "MEAN", "FULLY_CONNECTED"]
    assert summary.weights_bytes == (4 * 27 + 4 + 5 * 4 + 5) * 4 + 8
    assert not summary.stateful


def test_summary_as_json_is_complete() -> None:
    artifact = parse_artifact(conv_model())
    data = summary_as_json(artifact, summarize(artifact))
    assert data["sha256"] == artifact.sha256
    assert data["signatures"][0]["tensors"][0]["shape_signature"] == [-1, 8, 8, 3]
    assert data["minimum_runtime"] == "tflite-runtime 2.7.0"


def test_runtime_need_names_the_version_that_rules_out_older_runtimes() -> None:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    graph.op("FULLY_CONNECTED", (x,), (y,), version=12)
    artifact = parse_artifact(graph.finish((x,), (y,)))
    need = runtime_need(artifact)
    assert need.because == (("FULLY_CONNECTED", 12),)
    assert need.runtime is not None
    older = measured_runtimes()[measured_runtimes().index(need.runtime) - 1]
    assert missing_ops(artifact, older) == (("FULLY_CONNECTED", 12),)
    assert missing_ops(artifact, need.runtime) == ()


def test_runtime_need_is_none_for_a_custom_op() -> None:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    graph.op("CUSTOM", (x,), (y,), custom="Mine")
    need = runtime_need(parse_artifact(graph.finish((x,), (y,))))
    assert need.runtime is None
    assert need.because == (("CUSTOM:Mine", 1),)


def test_index_bounds_follow_casts_to_the_table() -> None:
    graph = Graph()
    ids, wide = graph.tensor("ids", (1, 3), "int32"), graph.tensor("wide", (1, 3), "int64")
    graph.op("CAST", (ids,), (wide,))
    table = graph.constant("table", np.zeros((50, 8), np.float32))
    rows = graph.tensor("rows", (1, 3, 8))
    graph.op("GATHER", (table, wide), (rows,), options("GatherOptions"))
    other = graph.tensor("other", (1,), "int32")
    artifact = parse_artifact(graph.finish((ids, other), (rows,)))
    assert index_bounds(artifact) == {"ids": 50}


def test_note_is_read_back_and_replaced() -> None:
    tree, _ = parse_tree(conv_model())
    put_note(tree, {"recipe": "a"})
    put_note(tree, {"recipe": "b"})
    from edge_sdk.artifact.tree import pack_tree

    artifact = parse_artifact(pack_tree(tree))
    assert note_of(artifact) == {"recipe": "b"}
    assert list(artifact.metadata) == ["edge_sdk"]


def test_note_that_is_not_json_is_no_note() -> None:
    tree, _ = parse_tree(conv_model())
    set_metadata(tree, "edge_sdk", b"\xff{")
    from edge_sdk.artifact.tree import pack_tree

    assert note_of(parse_artifact(pack_tree(tree))) is None


def test_constant_of_the_wrong_size_is_an_error() -> None:
    graph = Graph()
    x = graph.constant("x", np.zeros(4, np.float32))
    graph.node.tensors[x].shape = [5]
    with pytest.raises(ModelError, match="needs 20 bytes, its buffer has 16"):
        parse_artifact(graph.finish((), ()))


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda g: setattr(g.node, "inputs", [99]), "tensor 99 of"),
        (lambda g: setattr(g.node.operators[0], "inputs", [77]), "tensor 77 of"),
        (lambda g: setattr(g.node.operators[0], "opcode_index", 9), "operator code 9 of"),
        (lambda g: setattr(g.node.tensors[0], "buffer", 44), "buffer 44 of"),
        (lambda g: setattr(g.node.tensors[0], "type", 99), "unknown type 99"),
        (lambda g: setattr(g.node.tensors[0], "shape", [-2]), "negative shape"),
        (lambda g: setattr(g.root, "subgraphs", []), "no subgraph"),
    ],
)
def test_index_that_points_nowhere_is_an_error(break_it: object, message: str) -> None:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    graph.op("RELU", (x,), (y,))
    graph.node.inputs, graph.node.outputs = [x], [y]
    break_it(graph)  # type: ignore[operator]
    from edge_sdk.artifact.tree import pack_tree

    with pytest.raises(ModelError, match=message):
        parse_artifact(pack_tree(graph.root))


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        read_artifact(tmp_path / "absent.tflite")
