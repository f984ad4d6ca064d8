"""A float .tflite whose weights are stored in float16 or sparse, with them in float32 and dense."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.edit import GraphEdit, add_buffer
from edge_sdk.artifact.flatbuffer import Node
from edge_sdk.artifact.model import Op, Subgraph, parse_artifact
from edge_sdk.artifact.schema import enum_value
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.engines.runner import Runner
from edge_sdk.engines.seeded_inputs import seeded_inputs


def expansions_of_halves(graph: Subgraph) -> list[Op]:
    """The DEQUANTIZE ops that make float32 of a constant in float16."""
    return [
        op
        for op in graph.ops
        if op.name == "DEQUANTIZE"
        and (stored := graph.tensors[op.inputs[0]]).dtype == "float16"
        and stored.constant is not None
    ]


def densified(graph: Subgraph) -> list[Op]:
    """The DENSIFY ops that lay out a constant which is stored without its zeros."""
    return [op for op in graph.ops if op.name == "DENSIFY" and graph.tensors[op.inputs[0]].is_stored]


def with_whole_weights(content: bytes, path: Path) -> bytes:
    """Before: ``w = DEQUANTIZE(DENSIFY(constant))``, or one of both. After: ``w`` is a float32 constant.

    Quantizers look for such, and XNNPACK (2.1.0) computes other values from a file that has them beside constants in
    float32.

    Args:
        content: a .tflite; only its main subgraph is changed.
        path: where it lies: the engine lays sparse constants out there, in one run on seeded inputs.
    """
    graph = parse_artifact(content).main
    laid_out = densified(graph)
    dense = {op.outputs[0] for op in laid_out}
    behind = [op for op in graph.ops if op.name == "DEQUANTIZE" and op.inputs[0] in dense]
    halves = expansions_of_halves(graph)
    expanded = [*halves, *laid_out, *behind]
    if not expanded:
        return content
    made = {op.outputs[0]: graph.tensors[op.inputs[0]].values().astype(np.float32) for op in halves}
    if laid_out:
        made |= _by_the_engine(path, [op.outputs[0] for op in (*laid_out, *behind)])
    root, _ = parse_tree(content)
    edit = GraphEdit(root)
    for op in expanded:
        edit.remove(op.index)
    gone = {op.index for op in expanded}
    read = {index for op in graph.ops if op.index not in gone for index in op.inputs} | set(graph.outputs)
    for index in read & made.keys():
        root.subgraphs[0].tensors[index].buffer = add_buffer(root, made[index])
    edit.finish()
    for index in {op.inputs[0] for op in expanded} - read:
        _empty(root, index)
    return pack_tree(root)


def _by_the_engine(path: Path, wanted: Sequence[int]) -> dict[int, npt.NDArray[Any]]:
    runner = Runner(path, preserve_all_tensors=True)
    runner.run(seeded_inputs(runner.artifact)[0])
    found = {index: runner.tensor(index) for index in wanted}
    return {index: values for index, values in found.items() if values is not None}


def _empty(root: Node, index: int) -> None:
    """Leaves nothing of a tensor that nobody reads but its place, which others are counted by."""
    tensor = root.subgraphs[0].tensors[index]
    alone = sum(one.buffer == tensor.buffer for graph in root.subgraphs for one in graph.tensors) == 1
    if alone:
        root.buffers[tensor.buffer].data = None
    tensor.buffer, tensor.type, tensor.sparsity = 0, enum_value("TensorType", "FLOAT32"), None
