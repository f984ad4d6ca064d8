"""What exporters write in ops without an integer kernel, written in ops that have one, before a file is quantized.

===============================  =======================  ==========================================================
before                           after                    why
===============================  =======================  ==========================================================
``SQUARE(x)``                    ``MUL(x, x)``            TFLite computes SQUARE, NEG, SQRT and DIV in float only, so
``NEG(x)``                       ``MUL(x, -1)``           that an integer file would be float there
``DIV(1, SQRT(x))``              ``RSQRT(x)``
``REVERSE_V2(x, axis)``          ``GATHER(x, [n-1..0])``  TFLite's quantizer gives its two ends two scales, and its
                                                          kernel copies the integers as they are
``x * s + (beta - mean * s)``    ``(x - mean) * s +       the difference of two large numbers, each rounded before
                                 beta``                   it is taken; see :mod:`~edge_sdk.converters.quantize.norms`
``SQUARED_DIFFERENCE(x, mean)``  ``d * d``                XNNPACK has no integer kernel for it
===============================  =======================  ==========================================================

The same in real numbers, op by op; what comes out is compared with the source like every file.
"""

from __future__ import annotations

import numpy as np

from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.model import Op, Subgraph, pack_tree, parse_artifact, parse_tree
from edge_sdk.converters.quantize.kept import kept_ops
from edge_sdk.converters.quantize.norms import center_norms
from edge_sdk.recipe import Recipe


def with_integer_forms(data: bytes, recipe: Recipe) -> bytes:
    """A copy of a float .tflite in ops that can be quantized; the file itself where nothing is to be done.

    Args:
        data: the file; only its main subgraph is changed, and names of what stays are kept.
        recipe: ops that it keeps in float stay as they are.

    Raises:
        RecipeError: what it wants to keep is not there.
    """
    for rewrite in (_replace, center_norms):
        artifact = parse_artifact(data)
        kept = {op.index for graph, op in kept_ops(artifact, recipe) if graph.index == 0}
        root, _ = parse_tree(data)
        edit = GraphEdit(root)
        if rewrite(artifact.main, kept, edit):
            edit.finish()
            data = pack_tree(root)
    return data


def _replace(graph: Subgraph, kept: set[int], edit: GraphEdit) -> int:
    """The rules of one or two ops; returns how many were applied."""
    makers = {index: op for op in graph.ops for index in op.outputs}
    count = 0
    minus = -1
    for op in graph.ops:
        if op.index in kept or graph.tensors[op.outputs[0]].dtype != "float32":
            continue
        if op.name == "SQUARE":
            edit.become(op.index, "MUL", (op.inputs[0], op.inputs[0]))
        elif op.name == "NEG":
            if minus < 0:
                minus = edit.add_constant(np.array(-1, np.float32), "minus_one")
            edit.become(op.index, "MUL", (op.inputs[0], minus))
        elif (root := _square_root(graph, op, makers)) is not None and root.index not in kept:
            edit.become(op.index, "RSQRT", (root.inputs[0],))
            edit.drop_if_unread(root.index)
        elif op.name == "REVERSE_V2" and (axis := _reversed_axis(graph, op)) is not None:
            backwards = np.arange(graph.tensors[op.inputs[0]].shape[axis] - 1, -1, -1, dtype=np.int32)
            indices = edit.add_constant(backwards, f"{graph.tensors[op.outputs[0]].name}_order")
            edit.become(op.index, "GATHER", (op.inputs[0], indices), axis=axis)
        else:
            continue
        count += 1
    return count


def _square_root(graph: Subgraph, op: Op, makers: dict[int, Op]) -> Op | None:
    """The SQRT that an op divides 1 by."""
    if op.name != "DIV" or op.options.get("fused_activation_function"):
        return None
    one, root = graph.tensors[op.inputs[0]], makers.get(op.inputs[1])
    if root is None or root.name != "SQRT" or one.constant is None or not np.all(one.values() == 1):
        return None
    return root if one.elements == 1 else None


def _reversed_axis(graph: Subgraph, op: Op) -> int | None:
    """The axis that a REVERSE_V2 turns round, where it is one and known."""
    source, axes = graph.tensors[op.inputs[0]], graph.tensors[op.inputs[1]]
    if axes.constant is None or axes.elements != 1:
        return None
    axis = int(axes.values().reshape(-1)[0]) % len(source.shape)
    return axis if -1 not in source.shape_signature else None
