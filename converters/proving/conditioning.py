"""What a source itself loses when its weights are rounded: the measure that a file's accuracy is held to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Op, Subgraph, Tensor, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.quantize.kept import kept_ops
from edge_sdk.recipe import Recipe

# Which operand holds weights, and along which axis they have a scale each; None for one scale.
_WEIGHTS: dict[str, tuple[int, int | None]] = {
    "BATCH_MATMUL": (1, None),
    "CONV_2D": (1, 0),
    "CONV_3D": (1, 4),
    "DEPTHWISE_CONV_2D": (1, 3),
    "EMBEDDING_LOOKUP": (1, 0),
    "FULLY_CONNECTED": (1, 0),
    "GATHER": (0, None),
    "TRANSPOSE_CONV": (1, 0),
}
_LIMITS = {"int8": 127, "int4": 7}


def with_rounded_weights(data: bytes, recipe: Recipe) -> bytes:
    """A float file whose weights hold what a recipe's precision leaves of them; all results stay in float.

    Integer weights have a scale for each channel whatever the recipe says, for that is what the precision allows; ops
    that the recipe keeps in float keep their weights.
    """
    artifact = parse_artifact(data)
    root, _ = parse_tree(data)
    kept = {(graph.index, op.index) for graph, op in kept_ops(artifact, recipe)}
    ops = ((graph, op) for graph, op in artifact.all_ops() if (graph.index, op.index) not in kept)
    for tensor, axis in {id(t): (t, axis) for graph, op in ops for t, axis in _weights(graph, op, recipe)}.values():
        rounded = _rounded(tensor.values(), axis, recipe.weights.dtype)
        root.buffers[tensor.buffer].data = np.frombuffer(rounded.tobytes(), np.uint8)
    return pack_tree(root)


def _weights(graph: Subgraph, op: Op, recipe: Recipe) -> Iterator[tuple[Tensor, int | None]]:
    if recipe.mode == "float16":
        places: list[tuple[int, int | None]] = [(place, None) for place in range(len(op.inputs))]
    else:
        places = [_WEIGHTS[op.name]] if op.name in _WEIGHTS else []
    for place, axis in places:
        tensor = graph.tensors[op.inputs[place]] if place < len(op.inputs) and op.inputs[place] >= 0 else None
        if tensor is not None and tensor.constant is not None and tensor.dtype == "float32" and tensor.elements > 1:
            yield tensor, axis


def _rounded(values: npt.NDArray[np.float32], axis: int | None, dtype: str) -> npt.NDArray[np.float32]:
    if dtype not in _LIMITS:
        return np.clip(values, -65504, 65504).astype(np.float16).astype(np.float32)
    others = None if axis is None else tuple(i for i in range(values.ndim) if i != axis)
    largest = np.max(np.abs(values), axis=others, keepdims=True)
    step = np.where(largest > 0, largest, 1) / _LIMITS[dtype]
    return (np.round(values / step) * step).astype(np.float32)
