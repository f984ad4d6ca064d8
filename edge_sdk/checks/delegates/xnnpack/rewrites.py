"""What XNNPACK makes of the graph that it is given, as far as it changes memory.

*Predicted* by ``src/subgraph.c`` of XNNPACK 77468446ebfd (LiteRT v2.1.0). Rewrites that leave the sizes as they are, or
nearly so, are not among it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from edge_sdk.artifact.model import Subgraph
from edge_sdk.checks.delegates.xnnpack.nodes import Node

_LONGEST_TABLE = 10
RESHAPES = frozenset({"EXPAND_DIMS", "RESHAPE", "SQUEEZE", "reshape"})
CLAMPS = frozenset({"RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1"})
_CLAMPED = frozenset(
    {"AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "TRANSPOSE_CONV"}
)


def merge_padding(graph: Subgraph, nodes: Sequence[Node]) -> list[Node]:
    """``xnn_subgraph_fusion``: a PAD of height and width goes into the one convolution that reads it."""
    readers = Counter(value for node in nodes for value in node.inputs)
    makers = {value: node for node in nodes for value in node.outputs}
    moved: dict[int, int] = {}
    for node in nodes:
        maker = makers.get(node.inputs[0]) if node.inputs else None
        if maker and maker.name == "PAD" and readers[node.inputs[0]] == 1 and _pads(graph, node, maker):
            moved[node.inputs[0]] = maker.inputs[0]
    kept = [node for node in nodes if not (node.name == "PAD" and node.outputs[0] in moved)]
    return [replace(node, inputs=tuple(moved.get(value, value) for value in node.inputs)) for node in kept]


def _pads(graph: Subgraph, node: Node, maker: Node) -> bool:
    op = next((op for op in graph.ops if op.outputs == node.outputs), None)
    pad = next((op for op in graph.ops if op.outputs == maker.outputs), None)
    if (
        op is None
        or pad is None
        or op.name not in {"CONV_2D", "DEPTHWISE_CONV_2D"}
        or maker.outputs[0] in graph.outputs
    ):
        return False
    weights, amounts = graph.tensors[op.inputs[1]], graph.tensors[pad.inputs[1]]
    plain = weights.shape[1:3] == (1, 1) and op.name == "CONV_2D"
    if op.options.get("padding") != 1 or plain or amounts.constant is None or amounts.shape != (4, 2):
        return False
    return not amounts.values()[[0, 3]].any()


def merge_tables(nodes: Sequence[Node], inside: Collection[int], bytes_wide: Collection[int]) -> list[Node]:
    """``xnn_subgraph_fuse_unary_quantized_into_lut``: a row of element-wise ops on 8 bits becomes one table."""
    left: dict[int, Node] = dict(enumerate(nodes))
    for place, node in enumerate(nodes):
        if place not in left or not node.single or len(node.inputs) != 1 or node.inputs[0] not in bytes_wide:
            continue
        row, known = [place], {*node.inputs, *node.outputs}
        while len(row) < _LONGEST_TABLE and (after := _follows(nodes, row[-1], known, inside)) is not None:
            row.append(after)
            known.update(nodes[after].outputs)
        while len(row) > 1 and nodes[row[-1]].outputs[0] not in bytes_wide:
            row.pop()
        if len(row) > 1:
            for gone in row[:-1]:
                del left[gone]
            last = nodes[row[-1]]
            left[row[-1]] = replace(last, inputs=node.inputs, in_place=True, single=True, is_table=True)
    return [left[place] for place in sorted(left)]


def _follows(nodes: Sequence[Node], place: int, known: Collection[int], inside: Collection[int]) -> int | None:
    """The node that alone reads the result, if all that it reads is known."""
    result = nodes[place].outputs[0]
    readers = [at for at in range(place + 1, len(nodes)) if result in nodes[at].inputs] if result in inside else []
    if len(readers) != 1:
        return None
    after = nodes[readers[0]]
    return readers[0] if after.single and all(value in known for value in after.inputs) else None


def merge_clamps(nodes: Sequence[Node], inside: Collection[int]) -> list[Node]:
    """``optimize_common_subgraphs_merge_clamps``: a RELU goes into the layer that alone feeds it."""
    readers = Counter(value for node in nodes for value in node.inputs)
    merged: list[Node] = []
    makers: dict[int, int] = {}
    for node in nodes:
        value = node.inputs[0] if node.inputs else -1
        at = makers.get(value)
        if node.name in CLAMPS and at is not None and readers[value] == 1 and value in inside:
            merged[at] = replace(merged[at], outputs=node.outputs)
            makers[node.outputs[0]] = at
            continue
        if node.name in _CLAMPED or node.name in CLAMPS:
            makers[node.outputs[0]] = len(merged)
        merged.append(node)
    return merged


def merge_reshapes(nodes: Sequence[Node]) -> list[Node]:
    """``optimize_common_subgraphs_static_reshapes``: of two in a row the first goes, where nothing else reads it.

    One of a constant is done beforehand.
    """
    readers = Counter(value for node in nodes for value in node.inputs)
    merged: list[Node] = []
    makers: dict[int, Node] = {}
    for node in (node for node in nodes if node.inputs or node.name not in RESHAPES):
        first = makers.get(node.inputs[0]) if node.name in RESHAPES and readers[node.inputs[0]] == 1 else None
        if first:
            merged.remove(first)
        merged.append(replace(node, inputs=first.inputs) if first else node)
        if node.name in RESHAPES:
            makers[node.outputs[0]] = merged[-1]
    return merged


def drop_unused(nodes: Sequence[Node], wanted: Collection[int]) -> list[Node]:
    """``xnn_subgraph_clean_up``: what makes nothing that is read or leaves is not built."""
    read = set(wanted)
    kept: list[Node] = []
    for node in reversed(nodes):
        if not node.outputs or read.intersection(node.outputs):
            kept.append(node)
            read.update(node.inputs)
    return kept[::-1]
