"""Ops that 16-bit activations have no kernel for, or one that clips, in ops that have one.

=================  ================================  =================================================================
before             after                             why
=================  ================================  =================================================================
``SUM(x, axes)``   ``MUL(MEAN(x, axes), count)``     the kernel of 16 bits wants one scale at both ends, and the
                                                     quantizer gives it the input's: sums came out as its largest value
``PRELU(x, a)``    ``MAXIMUM(x, MUL(x, a))``,        no integer kernel; slopes of 0 to 1 in all channels
                   else ``ADD(RELU(x), MUL(x -       any other
                   RELU(x), a))``
``BATCH_MATMUL(    ``FULLY_CONNECTED(x, m^T)``       its kernel wants both factors in 16 bits, and the quantizer stores
x, constant m)``                                     one in 8: the engine refused the file
=================  ================================  =================================================================

The same in real numbers. Files of 8 bits keep both ops, which have kernels of 8 bits, or a table in XNNPACK.
"""

from __future__ import annotations

import numpy as np

from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.model import Op, Subgraph


def wide_forms(graph: Subgraph, kept: set[int], edit: GraphEdit) -> int:
    """Writes such ops anew; returns how many.

    Args:
        graph: the float graph.
        kept: indices of ops that must stay as they are.
        edit: takes the changes.
    """
    rules = {"SUM": _sum, "PRELU": _prelu, "BATCH_MATMUL": _product}
    found = [op for op in graph.ops if op.name in rules and op.index not in kept]
    return sum(rules[op.name](graph, op, edit) for op in found if graph.tensors[op.outputs[0]].dtype == "float32")


def _sum(graph: Subgraph, op: Op, edit: GraphEdit) -> bool:
    source, axes = (graph.tensors[index] for index in op.inputs)
    result = graph.tensors[op.outputs[0]]
    if axes.constant is None:
        return False
    along = {int(axis) % len(source.shape) for axis in axes.values().reshape(-1)}
    if any(source.shape_signature[axis] == -1 for axis in along):
        return False
    count = float(np.prod([source.shape[axis] for axis in along]))
    mean = edit.add_tensor(result.index, f"{result.name}_mean")
    edit.put_before(op.index, "MEAN", op.inputs, [mean], keep_dims=int(op.options.get("keep_dims", 0)))
    factor = edit.add_constant(np.array(count, np.float32), f"{result.name}_count")
    edit.become(op.index, "MUL", (mean, factor))
    return True


def _product(graph: Subgraph, op: Op, edit: GraphEdit) -> bool:
    """By one matrix for the whole batch."""
    rows, stored = (graph.tensors[index] for index in op.inputs)
    turned = bool(op.options.get("adj_y", 0))
    one = stored.constant is not None and stored.elements == stored.shape[-1] * stored.shape[-2]
    if not one or op.options.get("adj_x", 0) or len(stored.shape) > len(rows.shape) or stored.dtype != "float32":
        return False
    matrix = stored.values().reshape(stored.shape[-2:])
    name = f"{graph.tensors[op.outputs[0]].name}_weights"
    weights = edit.add_constant(np.ascontiguousarray(matrix if turned else matrix.T), name)
    edit.become(op.index, "FULLY_CONNECTED", (rows.index, weights), keep_num_dims=1)
    return True


def _prelu(graph: Subgraph, op: Op, edit: GraphEdit) -> bool:
    x, slopes = op.inputs
    stored = graph.tensors[slopes]
    name = graph.tensors[op.outputs[0]].name
    scaled = edit.add_tensor(op.outputs[0], f"{name}_scaled")
    if stored.constant is not None and bool(np.all((stored.values() >= 0) & (stored.values() <= 1))):
        edit.put_before(op.index, "MUL", [x, slopes], [scaled])
        edit.become(op.index, "MAXIMUM", (x, scaled))
        return True
    above, below = (edit.add_tensor(op.outputs[0], f"{name}_{word}") for word in ("above", "below"))
    edit.put_before(op.index, "RELU", [x], [above])
    edit.put_before(op.index, "SUB", [x, above], [below])
    edit.put_before(op.index, "MUL", [below, slopes], [scaled])
    edit.become(op.index, "ADD", (above, scaled))
    return True
