"""PReLU that an exporter wrote out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor
from edge_sdk.converters.lower.direct.passes.matching import (
    Changes,
    View,
    by_rules,
    constant,
    is_fused,
    scalar,
    split_operands,
)


def fuse_slopes(graph: Graph) -> Graph:
    """What Keras' PReLU is in ONNX and in frozen graphs, as the op that kernels know.

    Before::

        y = ADD(RELU(x), MUL(RELU(NEG(x)), -s))    y = ADD(RELU(x), MUL(MINIMUM(x, 0), s))

    After, for constants ``s`` that are the same for all samples::

        y = PRELU(x, s), or LEAKY_RELU(x) with one slope for all
    """
    return by_rules(graph, {"ADD": _sloped, "SUB": _sloped})


def _sloped(view: View, op: Op, changes: Changes) -> None:
    if is_fused(op) or op.output.dtype != "float32":
        return
    for above, below in ((op.inputs[0], op.inputs[1]), (op.inputs[1], op.inputs[0])):
        upper, found = view.maker(above, "RELU"), _below(view, below)
        if upper is None or found is None or upper.inputs[0] is not found[0] or not _alone(view, above):
            continue
        if op.kind == "ADD" or above is op.inputs[0]:
            x, slopes = found
            _put(op, x, slopes if op.kind == "ADD" else -slopes, changes)
            return


def _below(view: View, tensor: Tensor | None) -> tuple[Tensor, npt.NDArray[np.float32]] | None:
    """``x`` and its slopes where the tensor is what they make of values below zero."""
    product = view.maker(tensor, "MUL")
    operands = split_operands(product) if product is not None else None
    if product is None or operands is None or operands[1].data is None or is_fused(product) or not _alone(view, tensor):
        return None
    part = view.maker(operands[0], "RELU", "MINIMUM")
    if part is None or not _alone(view, operands[0]):
        return None
    slopes = operands[1].data.astype(np.float32)
    if part.kind == "RELU":
        turned = view.maker(part.inputs[0], "NEG")
        x = turned.inputs[0] if turned is not None else None
        return (x, -slopes) if x is not None else None
    clipped = split_operands(part)
    return (clipped[0], slopes) if clipped is not None and scalar(clipped[1]) == 0.0 else None


def _alone(view: View, tensor: Tensor | None) -> bool:
    return tensor is not None and view.only_reader(tensor) is not None


def _put(op: Op, x: Tensor, slopes: npt.NDArray[np.float32], changes: Changes) -> None:
    if slopes.size == 1:
        changes.replace(op, Op("LEAKY_RELU", (x,), op.outputs, {"alpha": float(slopes.reshape(-1)[0])}))
        return
    rank = len(x.shape)
    whole = slopes.reshape((1,) * (rank - slopes.ndim) + slopes.shape)
    if op.output.shape == x.shape and rank > 1 and whole.shape[0] == 1:
        changes.replace(op, Op("PRELU", (x, constant(op.output.origin, whole[0])), op.outputs))
