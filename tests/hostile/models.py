"""What the mutator starts from: small files with all that a file may hold, made by code."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.engines.models import residual_model, shift_model, split_model
from tests.graphs import Graph, conv_model, int8_model, options, padded_pool_model, requantizing_model
from tests.runtime.kinds import delay, same_names, several


def branches() -> bytes:
    """``IF(flag) x + x else x * x``, then ``WHILE(y < 10) y = y + y``."""
    graph = Graph()
    flag, x = graph.tensor("flag", (), "bool"), graph.tensor("x", (1, 4))
    y, z = graph.tensor("y", (1, 4)), graph.tensor("z", (1, 4))
    graph.op("IF", (flag, x), (y,), options("IfOptions", then_subgraph_index=1, else_subgraph_index=2))
    graph.op("WHILE", (y,), (z,), options("WhileOptions", cond_subgraph_index=3, body_subgraph_index=4))
    for name, kind in (("then", "ADD"), ("else", "MUL")):
        _two(graph.another(name), kind)
    _condition(graph.another("condition"))
    _two(graph.another("body"), "ADD")
    return graph.finish((flag, x), (z,))


def _two(graph: Graph, kind: str) -> None:
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    graph.op(kind, (x, x), (y,), options(f"{kind.capitalize()}Options"))
    graph.node.inputs, graph.node.outputs = [x], [y]


def _condition(graph: Graph) -> None:
    x, largest = graph.tensor("x", (1, 4)), graph.tensor("largest", ())
    axes = graph.constant("axes", np.array([0, 1], np.int32))
    graph.op("REDUCE_MAX", (x, axes), (largest,), options("ReducerOptions"))
    less = graph.tensor("less", (), "bool")
    graph.op("LESS", (largest, graph.constant("ten", np.array(10, np.float32))), (less,), options("LessOptions"))
    graph.node.inputs, graph.node.outputs = [x], [less]


def recurrent(kind: str = "SVDF") -> bytes:
    """A variable tensor, and an op that keeps its state in it."""
    graph = Graph()
    x = graph.tensor("x", (1, 3))
    weights = graph.constant("weights", np.ones((2, 3), np.float32))
    second = graph.constant("second", np.ones((2, 2), np.float32))
    y = graph.tensor("y", (1, 2))
    if kind == "SVDF":
        state = graph.tensor("state", (1, 4))
        graph.op("SVDF", (x, weights, second, -1, state), (y,), options("SVDFOptions", rank=1))
    else:
        state = graph.tensor("state", (1, 2))
        bias = graph.constant("bias", np.zeros(2, np.float32))
        graph.op("RNN", (x, weights, second, bias, state), (y,), options("RNNOptions", fused_activation_function=4))
    graph.node.tensors[state].is_variable = True
    return graph.finish((x,), (y,))


def rearranged() -> bytes:
    """Ops whose sizes are constants: PAD, STRIDED_SLICE, TRANSPOSE, CONCATENATION, SPLIT, GATHER, ARG_MAX, RESHAPE."""
    graph = Graph()
    x = graph.tensor("x", (1, 4, 4, 2))
    padded = graph.tensor("padded", (1, 6, 6, 2))
    pads = graph.constant("pads", np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))
    graph.op("PAD", (x, pads), (padded,), options("PadOptions"))
    turned = graph.tensor("turned", (1, 2, 6, 6))
    graph.op("TRANSPOSE", (padded, graph.constant("order", np.array([0, 3, 1, 2], np.int32))), (turned,))
    ends = [graph.constant(name, np.array(values, np.int32)) for name, values in _ENDS.items()]
    cut = graph.tensor("cut", (1, 2, 3, 6))
    graph.op("STRIDED_SLICE", (turned, *ends), (cut,), options("StridedSliceOptions"))
    halves = [graph.tensor(name, (1, 1, 3, 6)) for name in ("one", "two")]
    graph.op(
        "SPLIT", (graph.constant("axis", np.array(1, np.int32)), cut), halves, options("SplitOptions", num_splits=2)
    )
    joined = graph.tensor("joined", (1, 2, 3, 6))
    graph.op("CONCATENATION", halves, (joined,), options("ConcatenationOptions", axis=1))
    picked = graph.tensor("picked", (1, 2, 2, 6))
    rows = graph.constant("rows", np.array([2, 0], np.int32))
    graph.op("GATHER", (joined, rows), (picked,), options("GatherOptions", axis=2))
    best = graph.tensor("best", (1, 2, 2), "int32")
    last = graph.constant("last", np.array(3, np.int32))
    graph.op("ARG_MAX", (picked, last), (best,), options("ArgMaxOptions", output_type=2))
    return graph.finish((x,), (best, picked))


_ENDS = {"begin": [0, 0, 0, 0], "end": [1, 2, 6, 6], "strides": [1, 1, 2, 1]}


def several_entries() -> bytes:
    return several("float32", (2, 3))


BASES: dict[str, bytes] = {
    "conv": conv_model(),
    "int8": int8_model(),
    "pool": padded_pool_model(relu=True),
    "requantizing": requantizing_model(),
    "residual": residual_model(2),
    "split": split_model(),
    "shift": shift_model(in_the_middle=True),
    "several": several_entries(),
    "delay": delay("float32", (2, 3)),
    "same_names": same_names("float32", (2, 3)),
    "branches": branches(),
    "svdf": recurrent("SVDF"),
    "rnn": recurrent("RNN"),
    "rearranged": rearranged(),
}

# Larger ones take long to write and show nothing more: what a mutant changes is the tree.
_LARGEST_BYTES = 400_000


class Files:
    """What mutants are made of: by turns of the files above and of those of a folder, where one was given."""

    def __init__(self) -> None:
        self._made = list(BASES.values())
        self._found: list[bytes] = []

    def take(self, folder: Path) -> int:
        """Takes the ``.tflite`` files of a folder and of those in it, small ones; returns how many."""
        found = [path.read_bytes() for path in sorted(folder.rglob("*.tflite"))]
        self._found = [content for content in found if len(content) <= _LARGEST_BYTES]
        return len(self._found)

    def of(self, seed: int) -> bytes:
        """The file that the mutant of a seed begins with."""
        if not self._found:
            return self._made[seed % len(self._made)]
        files = self._found if seed % 2 else self._made
        return files[seed // 2 % len(files)]


FILES = Files()
