"""The TRANSPOSE before a flattened image's first dense layer, moved into the layer's weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor, with_ops


def permute_dense_weights(graph: Graph) -> Graph:
    """Moves a permutation of what is flattened into the dense layer behind it.

    Before::

        t = TRANSPOSE(x, [0, 3, 1, 2])    f = RESHAPE(t, [N, C * H * W])    y = FULLY_CONNECTED(f, w, b)

    After, with the columns of ``w`` in the order of ``x``::

        f = RESHAPE(x, [N, H * W * C])    y = FULLY_CONNECTED(f, w', b)
    """
    users, producers = graph.users(), graph.producers()
    outputs = set(graph.outputs)
    changed: dict[Op, Op] = {}
    for op in graph.ops:
        if op.kind != "FULLY_CONNECTED" or op.inputs[0] is None:
            continue
        flat = producers.get(op.inputs[0])
        turned = (
            producers.get(flat.inputs[0]) if flat is not None and flat.kind == "RESHAPE" and flat.inputs[0] else None
        )
        if flat is None or turned is None or turned.kind != "TRANSPOSE" or flat.output in outputs:
            continue
        if all(user.kind == "FULLY_CONNECTED" for user in users[flat.output]) and _keeps_rows(turned, flat):
            changed[flat] = flat.reading(turned.inputs[0], flat.inputs[1])
            for user in users[flat.output]:
                changed[user] = _permuted(user, turned)
    return with_ops(graph, [changed.get(op, op) for op in graph.ops])


def _keeps_rows(turned: Op, flat: Op) -> bool:
    """The batch comes first before and after, and all else is one axis; the weights are constants."""
    source, permutation = turned.inputs[:2]
    if source is None or permutation is None or permutation.data is None:
        return False
    rows = flat.output.shape
    return bool(len(rows) == 2 and permutation.data[0] == 0 and rows[0] == source.shape[0])


def _permuted(dense: Op, turned: Op) -> Op:
    x, weights, bias = dense.inputs[:3]
    source, permutation = turned.inputs[:2]
    if weights is None or weights.data is None or source is None or permutation is None or permutation.data is None:
        return dense
    # Column j of the new weights is the old column of the element that the image has at j.
    inner = [source.shape[axis] for axis in permutation.data[1:]]
    old = np.arange(weights.shape[1]).reshape(inner)
    columns = old.transpose(np.argsort(permutation.data[1:])).reshape(-1)
    data = np.ascontiguousarray(weights.data[:, columns])
    made: Tensor = replace(weights, data=data)
    return dense.reading(x, made, bias)
