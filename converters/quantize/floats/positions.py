"""Where something is read, computed in float: a position of a pixel more is another pixel, not a less exact one.

Before: ``flow -> + base grid -> FLOOR -> CAST -> * width + x -> GATHER``, all int8, as ``grid_sample`` and deformable
attention are lowered: 256 steps over 224 pixels name the wrong ones, and ``x - FLOOR(x)``, the share of each neighbour,
is nothing but rounding. After: from the last product up to the CAST in float, with what is made of the same values
alone; features that are read, and their products, stay in integers.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import Op, Subgraph
from edge_sdk.converters.quantize.kept import kinds_in_words, result_name
from edge_sdk.findings import Finding
from edge_sdk.recipe import Recipe

# Operand of an op that says where, not what.
_WHERE = {
    "GATHER": 1,
    "GATHER_ND": 1,
    "SCATTER_ND": 0,
    "EMBEDDING_LOOKUP": 0,
    "ONE_HOT": 0,
    "SLICE": 1,
    "STRIDED_SLICE": 1,
    "DYNAMIC_UPDATE_SLICE": 2,
}
_WHOLE = frozenset({"int32", "int64", "int16"})
# Of each value alone, or moved: what coordinates are computed with.
_COORDINATES = frozenset(
    {"ABS", "ADD", "BROADCAST_TO", "CEIL", "CONCATENATION", "DIV", "EXPAND_DIMS", "FLOOR", "FLOOR_DIV"}
    | {"FLOOR_MOD", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "LOGISTIC", "MAXIMUM", "MINIMUM", "MUL"}
    | {"NEG", "PACK", "RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "RESHAPE", "ROUND", "SELECT_V2", "SLICE"}
    | {"SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "SUB", "TANH", "TILE", "TRANSPOSE", "UNPACK"}
)


def exact_positions(graph: Subgraph) -> list[Op]:
    """Ops on float values that become indices, and on nothing else than these, in order.

    Args:
        graph: the float graph.
    """
    makers = graph.makers
    found: dict[int, Op] = {}
    waiting = [makers[op.inputs[0]] for op in _casts(graph) if op.inputs[0] in makers]
    while waiting:
        op = waiting.pop()
        if op.index not in found and _is_of_coordinates(graph, op):
            found[op.index] = op
            waiting += [makers[index] for index in op.inputs if index in makers]
    made = {index for op in found.values() for index in op.outputs}
    for op in graph.ops if found else ():
        given = [index for index in op.inputs if index >= 0 and graph.tensors[index].constant is None]
        if op.index not in found and given and made.issuperset(given) and _is_of_coordinates(graph, op):
            found[op.index] = op
            made.update(op.outputs)
    return [found[index] for index in sorted(found)]


def _casts(graph: Subgraph) -> list[Op]:
    """Float to whole numbers, of which some reach an operand that says where."""
    where = {op.inputs[place] for op in graph.ops if (place := _WHERE.get(op.name)) is not None}
    casts = []
    for op in reversed(graph.ops):
        if not where.intersection(op.outputs):
            continue
        if op.name == "CAST" and graph.tensors[op.inputs[0]].dtype == "float32":
            casts.append(op)
        else:
            where.update(index for index in op.inputs if index >= 0 and graph.tensors[index].dtype in _WHOLE)
    return casts


def _is_of_coordinates(graph: Subgraph, op: Op) -> bool:
    floats = any(tensor.dtype == "float32" for tensor in (*graph.operands(op), *graph.results(op)))
    return floats and op.name in _COORDINATES and not macs(graph, op)


def told_of_positions(graph: Subgraph, recipe: Recipe, ops: Sequence[Op]) -> Finding:
    """What is in float, and why."""
    listing = kinds_in_words(op.name for op in ops)
    message = (
        f"{listing} compute in float: `{result_name(graph, ops[-1])}` and others say where values are read, which "
        "int8 would round to other places"
    )
    return Finding("positions-in-float", "info", message, recipe.name, "--forms plain leaves every op in integers")
