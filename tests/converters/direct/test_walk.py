"""The walk: order and names of nodes, what the standard defines by other ops, and all that has no form at once."""

from __future__ import annotations

import gc
import re
import time
from typing import Any

import numpy as np
import pytest

from edge_sdk.converters.lower.direct.collecting import no_search
from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor
from edge_sdk.errors import ModelError, UnsupportedOpError
from tests.converters.direct.compare import Arrays, check, lowered, model

pytestmark = pytest.mark.onnx
X = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)


def test_a_function_op_becomes_its_nodes() -> None:
    from onnx import helper

    node = helper.make_node("CenterCropPad", ["x", "shape"], ["y"], axes=[1])
    weights = {"shape": np.array([2], np.int64)}
    check(model([node], {"x": X}, ["y"], weights), {"x": X})


def test_unsorted_nodes_are_sorted() -> None:
    from onnx import helper

    nodes = [helper.make_node("Neg", ["a"], ["y"]), helper.make_node("Exp", ["x"], ["a"])]
    graph = lowered(model(nodes, {"x": X}, ["y"], {}), {"x": X})
    assert [op.kind for op in graph.graph.ops] == ["EXP", "NEG"]


def _held() -> int:
    # Not isinstance, which asks lazy objects of other packages for their class.
    return sum(type(held) in (Graph, Op, Tensor) for held in gc.get_objects())


def _of_all_kinds() -> tuple[Any, Arrays]:
    """Borders before a pool, a product with weights, a loop of a length that the input decides."""
    from onnx import TensorProto, helper

    one = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Exp", ["last"], ["next"])],
        "body",
        [one("i", TensorProto.INT64, []), one("go", TensorProto.BOOL, []), one("last", TensorProto.FLOAT, [2, 3])],
        [one("on", TensorProto.BOOL, []), one("next", TensorProto.FLOAT, [2, 3])],
    )
    nodes = [
        helper.make_node("Relu", ["image"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["pooled"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("Loop", ["rounds", "", "m"], ["looped"], body=body),
    ]
    feeds: Arrays = {"x": X, "image": np.ones((1, 3, 6, 6), np.float32), "rounds": np.array(3, np.int64)}
    return model(nodes, feeds, ["pooled", "looped"], {"w": np.eye(3, dtype=np.float32)}), feeds


def test_graphs_are_freed_without_the_collector() -> None:
    """While it rests, a circle would hold each graph that a pass has replaced, with its weights."""
    proto, feeds = _of_all_kinds()
    gc.collect()
    before = _held()
    gc.disable()
    try:
        made = lowered(proto, feeds)
        kinds = {op.kind for op in made.graph.ops}
        del made
        assert kinds >= {"WHILE", "PAD", "MAX_POOL_2D"}
        assert _held() == before
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([("Exp", ["b"], ["a"]), ("Neg", ["a"], ["b"])], "in a circle: Exp"),
        ([("Add", ["x", "b"], ["b"])], "in a circle: Add"),
        ([("Exp", ["x"], ["b"]), ("Neg", ["x"], ["b"])], "`b` is made by two nodes"),
        ([("Exp", ["x"], ["x"]), ("Neg", ["x"], ["b"])], "makes `x`, the name of an input or a weight"),
        ([("Exp", ["nowhere"], ["b"])], "reads `nowhere`, which nothing makes"),
    ],
)
def test_a_graph_that_is_none_is_refused(nodes: list[tuple[str, list[str], list[str]]], message: str) -> None:
    from onnx import helper

    protos = [helper.make_node(*node) for node in nodes]
    with pytest.raises(ModelError, match=re.escape(message)):
        lowered(model(protos, {"x": X}, ["b"], {}), {"x": X})


def test_every_node_without_a_form_is_listed_whatever_it_reads() -> None:
    from onnx import helper

    nodes = [
        helper.make_node("Unique", ["x"], ["a"], name="first"),
        helper.make_node("Neg", ["a"], ["b"], name="reads it"),
        helper.make_node("Own", ["b"], ["c"], name="second", domain="somebody"),
    ]
    with pytest.raises(UnsupportedOpError) as caught:
        lowered(model(nodes, {"x": X}, ["c"], {}), {"x": X})
    assert [(op, where) for op, where, _ in caught.value.ops] == [("Unique", "first"), ("somebody::Own", "second")]


def _seconds(count: int) -> float:
    """Processor time of lowering a chain of so many nodes of four kinds, without the collector's own growth."""
    from onnx import helper

    kinds = [("Relu", [], {}), ("Transpose", [], {"perm": [1, 0]}), ("MatMul", ["w"], {}), ("Exp", [], {})]
    nodes = [
        helper.make_node(kind, [f"v{i}" if i else "x", *more], [f"v{i + 1}"], **attributes)
        for i, (kind, more, attributes) in enumerate(kinds[i % 4] for i in range(count))
    ]
    x = {"x": np.ones((4, 4), np.float32)}
    proto = model(nodes, x, [f"v{count}"], {"w": np.eye(4, dtype=np.float32)})
    gc.collect()
    gc.disable()
    try:
        begin = time.process_time()
        lowered(proto, x)
        return time.process_time() - begin
    finally:
        gc.enable()


def test_time_grows_with_the_number_of_nodes() -> None:
    _seconds(100)
    # Eight times the nodes: 8 times the work, 64 if anything were quadratic.
    # The least of three: what other programs add to a run is no growth.
    many, few = (min(_seconds(count) for _ in range(3)) for count in (8000, 1000))
    assert many < 32 * few


def test_the_collector_rests_while_a_graph_is_lowered_and_not_afterwards() -> None:
    with no_search():
        assert not gc.isenabled()
        with no_search():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ModelError), no_search():
        raise ModelError("it fails")
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("kind", "shape", "attributes", "why"),
    [
        ("Add", (2, 4), {}, "do not broadcast to one"),
        ("MatMul", (4, 5), {}, "are no factors of a product"),
        ("Gemm", (3, 5), {"transB": 1}, "are no factors of a product"),
        ("Concat", (2, 4), {"axis": 0}, "differ beside axis 0"),
    ],
)
def test_shapes_that_contradict_are_told_with_where(
    kind: str, shape: tuple[int, ...], attributes: dict[str, int], why: str
) -> None:
    from onnx import helper

    node = helper.make_node(kind, ["x", "w"], ["y"], name="here", **attributes)
    proto = model([node], {"x": X}, ["y"], {"w": np.ones(shape, np.float32)})
    message = f"at `here` the graph's shapes contradict each other: [2, 3] and {list(shape)} {why}"
    if kind == "Gemm":
        message = message.replace("[3, 5]", "[5, 3]")
    with pytest.raises(ModelError, match=re.escape(message)):
        lowered(proto, {"x": X})


@pytest.mark.parametrize(("batch", "hint"), [(1, "--batch 4"), (3, "--batch 4"), (2, "--batch 2"), (4, None)])
def test_a_graph_that_takes_several_samples_at_once_says_how_many(batch: int, hint: str | None) -> None:
    from onnx import helper

    x = {"x": np.ones((batch, 7), np.float32)}
    proto = model([helper.make_node("Reshape", ["x", "s"], ["y"])], x, ["y"], {"s": np.array([4, -1])})
    if hint is None:
        assert lowered(proto, x)
        return
    with pytest.raises(ModelError, match=re.escape(f"{7 * batch} elements do not fill the shape [4, -1]")) as caught:
        lowered(proto, x)
    assert hint in str(caught.value.hint)


def test_trees_are_told_by_one_hint_and_other_ops_by_another() -> None:
    from onnx import helper

    for op, said in (("TreeEnsembleRegressor", "gradient boosting"), ("ZipMap", "--end-at VALUE")):
        node = helper.make_node(op, ["x"], ["y"], name="trees", domain="ai.onnx.ml")
        with pytest.raises(UnsupportedOpError, match=r"an op of the domain `ai\.onnx\.ml`") as caught:
            lowered(model([node], {"x": X}, ["y"], {}), {"x": X})
        assert said in str(caught.value.hint)
