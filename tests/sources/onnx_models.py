"""ONNX models for the tests, written by a worker."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def save_custom_ops(path: str) -> None:
    """Two custom ops and one that TFLite has no form for."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])
    nodes = [
        helper.make_node("Mine", ["x"], ["a"], domain="com.acme", name="first"),
        helper.make_node("Relu", ["a"], ["b"], name="known"),
        helper.make_node("Other", ["b"], ["y"], domain="com.acme", name="second"),
    ]
    graph = helper.make_graph(nodes, "custom", [x], [y])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.acme", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)


def save_gelu(path: str, order: str) -> None:
    """Exact GELU as exporters below opset 20 write it, halved ``before`` or ``after``."""
    generator = np.random.default_rng(0)
    weights = numpy_helper.from_array(generator.standard_normal((8, 8)).astype(np.float32), "w")
    constants = {"root": 2.0**0.5, "one": 1.0, "half": 0.5}
    initializers = [weights, *(numpy_helper.from_array(np.float32(v).reshape(()), n) for n, v in constants.items())]
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Div", ["h", "root"], ["d"]),
        helper.make_node("Erf", ["d"], ["e"]),
        helper.make_node("Add", ["e", "one"], ["s"]),
    ]
    if order == "after":
        nodes += [helper.make_node("Mul", ["h", "s"], ["m"]), helper.make_node("Mul", ["m", "half"], ["y"])]
    else:
        nodes += [helper.make_node("Mul", ["h", "half"], ["m"]), helper.make_node("Mul", ["m", "s"], ["y"])]
    _save(path, nodes, initializers, [1, 8], [1, 8])


def save_word_counts(path: str) -> None:
    """An op of classical text models, which no lowering has."""
    counts = {"mode": "TF", "min_gram_length": 1, "max_gram_length": 1, "max_skip_count": 0}
    pool = {"ngram_counts": [0], "ngram_indexes": [0, 1], "pool_int64s": [1, 2]}
    nodes = [
        helper.make_node("Cast", ["x"], ["ids"], to=TensorProto.INT64),
        helper.make_node("TfIdfVectorizer", ["ids"], ["y"], **counts, **pool),
    ]
    _save(path, nodes, [], [1, 8], [1, 2])


def save_odd_names(path: str) -> None:
    """Names that tools rewrite: slashes, colons, a leading digit."""
    shape = [1, 3, 8, 8]
    image = helper.make_tensor_value_info("serving/image:0", TensorProto.FLOAT, shape)
    other = helper.make_tensor_value_info("0", TensorProto.FLOAT, shape)
    out = helper.make_tensor_value_info("/head/out.1", TensorProto.FLOAT, shape)
    kernel = np.random.default_rng(0).standard_normal((3, 3, 1, 1)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["serving/image:0", "k"], ["c"], kernel_shape=[1, 1]),
        helper.make_node("Sub", ["c", "0"], ["/head/out.1"]),
    ]
    graph = helper.make_graph(nodes, "odd", [image, other], [out], [numpy_helper.from_array(kernel, "k")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def _save(
    path: str,
    nodes: list[onnx.NodeProto],
    initializers: list[onnx.TensorProto],
    inputs: list[int],
    outputs: list[int],
) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, inputs)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, outputs)
    graph = helper.make_graph(nodes, "small", [x], [y], initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
