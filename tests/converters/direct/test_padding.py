"""Rows whose number depends on data: what passes them on, what fills them first, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.converters.sources.padded import padded
from edge_sdk.errors import UnsupportedOpError
from tests.converters.direct.compare import expected, lowered, model, run

pytestmark = pytest.mark.onnx
Numbers = npt.NDArray[Any]
FLOAT = np.float32
WEIGHTS: dict[str, Numbers] = {
    "zero": np.array(0.0, FLOAT),
    "low": np.array(-0.5, FLOAT),
    "first": np.array([0]),
    "one": np.array([1]),
    "column": np.array(0),
    "two": np.array(2),
    "four": np.array([4]),
    "five": np.array([5]),
    "limit": np.array([2**62]),
    "iou": np.array([0.4], FLOAT),
    "pair": np.array([-1, 4]),
    "table": np.random.default_rng(5).standard_normal((10, 3)).astype(FLOAT),
    "dense": np.random.default_rng(6).standard_normal((4, 4)).astype(FLOAT),
}


@dataclass(frozen=True)
class _Node:
    """A node that is made where the test runs: these tables are read where onnx is not installed, too."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]

    def made(self) -> Any:
        from onnx import helper

        return helper.make_node(self.op, self.inputs, self.outputs, name=self.outputs[0], **self.attributes)


def _node(op: str, *inputs: str, to: str = "y", **attributes: Any) -> _Node:
    return _Node(op, inputs, tuple(to.split(",")), attributes)


def _rows(name: str, mask: str, data: str) -> list[_Node]:
    """``data[mask]`` as PyTorch's exporters write it."""
    return [
        _node("NonZero", mask, to=f"{name}/places"),
        _node("Transpose", f"{name}/places", to=f"{name}/index", perm=[1, 0]),
        _node("GatherND", data, f"{name}/index", to=name),
    ]


# Rows of `x` [10, 4] whose score `s` [10] is above zero, and of those above a half.
SELECTED = [_node("Greater", "s", "zero", to="mask"), *_rows("kept", "mask", "x"), *_rows("score", "mask", "s")]
OTHER = [_node("Greater", "s", "low", to="more"), *_rows("others", "more", "x"), *_rows("other", "more", "s")]
MANY = [_node("Shape", "score", to="shape"), _node("Concat", "shape", "four", to="both", axis=0)]
MANY += [_node("ReduceMin", "both", to="k", keepdims=0), _node("Reshape", "k", "one", to="k1")]
NOTHING = [_node("Shape", "score", to="n"), _node("ReduceProd", "n", to="all", keepdims=0)]
NOTHING += [_node("Equal", "all", "column", to="none")]

BOTH = [_node("Concat", "score", "other", to="c", axis=0), _node("Greater", "c", "zero", to="g")]

CASES: dict[str, tuple[list[_Node], list[str]]] = {
    "rows": (SELECTED, ["kept", "score"]),
    "arithmetic": ([*SELECTED, _node("Mul", "kept", "kept", to="m"), _node("Exp", "m")], ["y"]),
    "dense": ([*SELECTED, _node("MatMul", "kept", "dense")], ["y"]),
    "several rows of one": (
        [*SELECTED, _node("MatMul", "kept", "dense", to="d"), _node("Reshape", "d", "limit1")],
        ["y"],
    ),
    "maximum": ([*SELECTED, _node("ReduceMax", "kept", to="y", axes=[0])], ["y"]),
    "sum": ([*SELECTED, _node("ReduceSum", "kept", "first")], ["y"]),
    "mean": ([*SELECTED, _node("ReduceMean", "kept", to="y", axes=[0], keepdims=0)], ["y"]),
    "best": ([*SELECTED, *MANY, _node("TopK", "score", "k1", to="v,i"), _node("Gather", "kept", "i")], ["v", "y"]),
    "least": ([*SELECTED, *MANY, _node("TopK", "score", "k1", to="v,i", largest=0)], ["v", "i"]),
    "first rows": ([*SELECTED, _node("Slice", "kept", "first", "four", "first")], ["y"]),
    "joined": (
        [
            *SELECTED,
            *OTHER,
            _node("Concat", "kept", "others", to="c", axis=0),
            _node("Concat", "score", "other", axis=0),
        ],
        ["c", "y"],
    ),
    "of the joined": (
        [*SELECTED, *OTHER, *BOTH, *_rows("y", "g", "c")],
        ["y"],
    ),
    "running sums": ([*SELECTED, _node("CumSum", "score", "column")], ["y"]),
    "as many zeros": (
        [*SELECTED, _node("Shape", "score", to="n"), _node("ConstantOfShape", "n", to="z"), _node("Add", "score", "z")],
        ["y"],
    ),
    "as many numbers": (
        [
            *SELECTED,
            _node("Shape", "score", to="n"),
            _node("Squeeze", "n", to="e"),
            _node("Range", "column", "e", "step"),
        ],
        ["y"],
    ),
    "how many": ([*SELECTED, _node("Shape", "score")], ["y"]),
    "put where they were": (
        [*SELECTED, _node("ScatterND", "x", "kept/index", "kept")],
        ["y"],
    ),
    "along two axes": ([_node("Greater", "x", "zero", to="mask"), *_rows("y", "mask", "x")], ["y"]),
    "by a mask": ([_node("Greater", "s", "zero", to="mask"), _node("Compress", "x", "mask", to="y", axis=0)], ["y"]),
}
CASES["several rows of one"][0][-1] = _node("Reshape", "d", "flat")
WEIGHTS["flat"] = np.array([-1, 2])
WEIGHTS["step"] = np.array(1)


def _feeds(seed: int) -> dict[str, Numbers]:
    """Fewer rows that count with each seed."""
    rng = np.random.default_rng(seed)
    return {"x": rng.standard_normal((10, 4)).astype(FLOAT), "s": (rng.standard_normal(10) - 0.4 * seed).astype(FLOAT)}


def _model(
    planned: list[_Node], outputs: list[str], feeds: dict[str, Numbers], weights: Any = None, opset: int = 13
) -> Any:
    """With the weights that it reads."""
    nodes = [one.made() for one in planned]
    inner = [n for node in nodes for a in node.attribute if a.HasField("g") for n in a.g.node]
    read = {name for node in (*nodes, *inner) for name in node.input}
    found = {name: values for name, values in (weights or WEIGHTS).items() if name in read}
    return model(nodes, {name: values for name, values in feeds.items() if name in read}, outputs, found, opset=opset)


def _check(proto: Any, seeds: range, feeds: Any = _feeds) -> set[int]:
    """Compares on several inputs; says how many rows there were."""
    given = {value.name for value in proto.graph.input}
    data = [{name: values for name, values in feeds(seed).items() if name in given} for seed in seeds]
    graph = lowered(proto, data[0])
    names = [output.name for output in proto.graph.output]
    counts: set[int] = set()
    for arrays in data:
        own = dict(zip(names, expected(proto, arrays), strict=True))
        wants = padded(own, graph.padded)
        made = dict(zip((*names, *graph.counts), run(graph, arrays), strict=True))
        for name, want in wants.items():
            assert (made[name].shape, made[name].dtype) == (want.shape, want.dtype)
            np.testing.assert_allclose(made[name], want, rtol=1e-5, atol=1e-5)
        counts |= {int(made[name]) for name in graph.counts}
    return counts


@pytest.mark.parametrize("case", list(CASES))
def test_rows_that_count_are_the_sources(case: str) -> None:
    nodes, outputs = CASES[case]
    proto = _model(nodes, outputs, _feeds(0))
    counts = _check(proto, range(3))
    # What has one size again has no count.
    whole = {"maximum", "sum", "mean", "put where they were", "how many"}
    assert (len(counts) > 1) == (case not in whole)


def test_no_row_at_all() -> None:
    def feeds(_: int) -> dict[str, Numbers]:
        return {"x": np.ones((10, 4), FLOAT), "s": -np.ones(10, FLOAT)}

    proto = _model(CASES["best"][0], ["v", "y"], feeds(0))
    assert _check(proto, range(1), feeds) == {0}


def _suppression(branch: bool) -> list[_Node]:
    """Boxes above a score, and a suppression of them; perhaps behind a question whether there are any (torchvision)."""
    from onnx import TensorProto, helper

    inner = [
        _node("Unsqueeze", "boxes", "first", to="b"),
        _node("Unsqueeze", "score", "zero_one", to="c"),
        _node("NonMaxSuppression", "b", "c", "limit", "iou", to="found"),
        _node("Gather", "found", "two", to="keep", axis=1),
    ]
    rest = [_node("Slice", "chosen", "first", "five", "first", to="best")]
    rest += [_node("Gather", "boxes", "best", to="y", axis=0), _node("Gather", "score", "best", to="t", axis=0)]
    before = [*SELECTED, _node("Split", "kept", "halves", to="at,size", axis=1), _node("Abs", "size", to="side")]
    before += [_node("Add", "at", "side", to="end"), _node("Concat", "at", "end", to="boxes", axis=1)]
    if not branch:
        return [*before, *inner, _node("Identity", "keep", to="chosen"), *rest]
    keep = helper.make_tensor_value_info("keep", TensorProto.INT64, ["n"])
    empty = helper.make_tensor_value_info("empty", TensorProto.INT64, [0])
    nothing = helper.make_tensor("", TensorProto.INT64, [0], [])
    then = helper.make_graph([_node("Constant", to="empty", value=nothing).made()], "then", [], [empty])
    other = helper.make_graph([one.made() for one in inner], "else", [], [keep])
    choice = _node("If", "none", to="chosen", then_branch=then, else_branch=other)
    return [*before, *NOTHING, choice, *rest]


@pytest.mark.parametrize("branch", [False, True])
def test_a_suppression_of_as_many_boxes_as_there_are(branch: bool) -> None:
    weights = {**WEIGHTS, "halves": np.array([2, 2]), "zero_one": np.array([0, 1])}
    proto = _model(_suppression(branch), ["y", "t"], _feeds(0), weights)
    assert len(_check(proto, range(3))) > 1


REFUSED: dict[str, tuple[_Node, str]] = {
    "a softmax over them": (_node("Softmax", "score", to="y", axis=0), r"Softmax at `y`: its SOFTMAX mixes rows"),
    "the last": (_node("Gather", "kept", "behind", to="y", axis=0), r"Gather at `y`: it may count from the end"),
    "all but the last": (_node("Slice", "kept", "first", "behind", "first"), r"Slice at `y`: it counts from the end"),
    "every second": (
        _node("Slice", "kept", "first", "four", "first", "second"),
        r"Slice at `y`: its STRIDED_SLICE mixes",
    ),
    "turned round": (_node("MatMul", "table", "kept"), r"MatMul at `y`: its .* mixes rows"),
    "different ones": (_node("Unique", "score"), r"Unique at `y`: how many elements it finds depends on data"),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_would_mix_them_is_refused_by_every_lowering(case: str) -> None:
    node, words = REFUSED[case]
    weights = {**WEIGHTS, "behind": np.array([-1]), "second": np.array([2]), "table": np.ones((3, 10), FLOAT)}
    with pytest.raises(UnsupportedOpError, match=words) as caught:
        lowered(_model([*SELECTED, node], ["y"], _feeds(0), weights), _feeds(0))
    assert caught.value.final
