"""Integer inputs that index a table: how many rows it has."""

from __future__ import annotations

from edge_sdk.artifact.model import Artifact, Op, Subgraph

# Ops that hand an index on unchanged, or fold negative ones: ids + rows * (ids < 0).
_PASSED = frozenset(
    {
        "CAST",
        "RESHAPE",
        "SQUEEZE",
        "EXPAND_DIMS",
        "ADD",
        "MUL",
        "SELECT_V2",
        "SELECT",
        "SLICE",
        "STRIDED_SLICE",
        "LESS",
        "MAXIMUM",
        "MINIMUM",
        "CONCATENATION",
        "TRANSPOSE",
        "PACK",
        "UNPACK",
    }
)


# Divisions by a constant: the index is that many times smaller than the input.
_DIVIDING = frozenset({"DIV", "FLOOR_DIV"})
# Ops that take positions, sizes or counts from an operand, at any place but the first.
_POSITIONS = frozenset(
    {
        *("BROADCAST_TO", "DYNAMIC_UPDATE_SLICE", "GATHER", "GATHER_ND", "PAD", "PADV2", "RESHAPE", "RESIZE_BILINEAR"),
        *("RESIZE_NEAREST_NEIGHBOR", "REVERSE_SEQUENCE", "SEGMENT_SUM", "SLICE", "STRIDED_SLICE", "TILE", "TOPK_V2"),
    }
)
# Ops that take them at the first as well, that other graphs hide behind, or that are not defined everywhere.
_BARRED = frozenset(
    {
        *("EMBEDDING_LOOKUP", "FILL", "HASHTABLE_LOOKUP", "ONE_HOT", "RANGE", "SCATTER_ND", "SPARSE_TO_DENSE"),
        *("CALL", "CALL_ONCE", "IF", "WHILE", "LOG", "POW", "RSQRT", "SQRT"),
    }
)


def index_bounds(artifact: Artifact) -> dict[str, int]:
    """Input name to the least number that is one too many for any constant table that it reaches as an index.

    Inputs that index nothing, as far as this follows them, are absent.
    """
    graph = artifact.main
    found: dict[str, int] = {}
    for name, tensor in artifact.signature.inputs.items():
        if tensor.dtype in ("int32", "int64"):
            rows = _rows_reached(graph, tensor.index)
            if rows:
                found[name] = min(rows)
    return found


def free_integers(artifact: Artifact) -> frozenset[str]:
    """Names of int32 and int64 inputs that may hold any number: nothing takes a position, a size or a root of them."""
    graph = artifact.main
    integers = {n: t.index for n, t in artifact.signature.inputs.items() if t.dtype in ("int32", "int64")}
    return frozenset(name for name, index in integers.items() if _is_free(graph, index))


def _is_free(graph: Subgraph, start: int) -> bool:
    reached = {start}
    for op in graph.ops:
        places = [place for place, index in enumerate(op.inputs) if index in reached]
        if not places:
            continue
        if op.name in _BARRED or op.name.startswith("CUSTOM:") or (op.name in _POSITIONS and max(places) > 0):
            return False
        reached.update(op.outputs)
    return True


def _rows_reached(graph: Subgraph, start: int) -> list[int]:
    front, seen, rows = [(start, 1)], {start}, []
    while front:
        index, factor = front.pop()
        for op in graph.ops:
            if index not in op.inputs:
                continue
            rows += [factor * count for count in _rows(graph, op, index)]
            divisor = _divisor(graph, op, index)
            if op.name in _PASSED or divisor:
                fresh = [out for out in op.outputs if out not in seen]
                seen.update(fresh)
                front.extend((out, factor * (divisor or 1)) for out in fresh)
    return rows


def _divisor(graph: Subgraph, op: Op, index: int) -> int:
    """The whole number above 0 that an op divides a tensor by; 0 where it does not."""
    if op.name not in _DIVIDING or op.inputs[0] != index:
        return 0
    by = graph.tensors[op.inputs[1]]
    number = int(by.values().reshape(-1)[0]) if by.constant is not None and by.elements == 1 else 0
    return max(0, number)


def _rows(graph: Subgraph, op: Op, index: int) -> list[int]:
    if op.name == "GATHER" and op.inputs[1] == index:
        table = graph.tensors[op.inputs[0]]
        axis = int(op.options.get("axis") or 0)
        return [table.shape[axis]] if table.constant is not None and table.shape else []
    if op.name == "EMBEDDING_LOOKUP" and op.inputs[0] == index:
        return [graph.tensors[op.inputs[1]].shape[0]]
    return []
