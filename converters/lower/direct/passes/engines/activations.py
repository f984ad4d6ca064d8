"""Activations that the op before them can do."""

from __future__ import annotations

from edge_sdk.converters.lower.direct.graph import Graph, with_ops

_FUSED = {"RELU": "RELU", "RELU6": "RELU6", "RELU_N1_TO_1": "RELU_N1_TO_1"}
_TAKES = frozenset(
    {"ADD", "SUB", "MUL", "DIV", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "AVERAGE_POOL_2D", "MAX_POOL_2D"}
)


def fuse_activations(graph: Graph) -> Graph:
    """Before: ``c = CONV_2D(x, w, b); y = RELU6(c)``. After: ``y = CONV_2D(x, w, b)`` with activation RELU6."""
    users, producers = graph.users(), graph.producers()
    outputs = set(graph.outputs)
    fused = {}
    gone = set()
    for op in graph.ops:
        source = op.inputs[0] if op.inputs else None
        maker = producers.get(source) if source is not None else None
        if op.kind not in _FUSED or source is None or maker is None or maker.kind not in _TAKES:
            continue
        alone = len(users[source]) == 1 and source not in outputs
        if alone and source.dtype == "float32" and "fused_activation_function" not in maker.options:
            fused[maker] = maker.making(op.output).having(fused_activation_function=_FUSED[op.kind])
            gone.add(op)
    return with_ops(graph, [fused.get(op, op) for op in graph.ops if op not in gone])
