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


def index_bounds(artifact: Artifact) -> dict[str, int]:
    """Input name to the fewest rows of any constant table that it reaches as an index.

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


def _rows_reached(graph: Subgraph, start: int) -> list[int]:
    front, seen, rows = [start], {start}, []
    while front:
        index = front.pop()
        for op in graph.ops:
            if index not in op.inputs:
                continue
            rows += _rows(graph, op, index)
            if op.name in _PASSED:
                fresh = [out for out in op.outputs if out not in seen]
                seen.update(fresh)
                front.extend(fresh)
    return rows


def _rows(graph: Subgraph, op: Op, index: int) -> list[int]:
    if op.name == "GATHER" and op.inputs[1] == index:
        table = graph.tensors[op.inputs[0]]
        axis = int(op.options.get("axis") or 0)
        return [table.shape[axis]] if table.constant is not None and table.shape else []
    if op.name == "EMBEDDING_LOOKUP" and op.inputs[0] == index:
        return [graph.tensors[op.inputs[1]].shape[0]]
    return []
