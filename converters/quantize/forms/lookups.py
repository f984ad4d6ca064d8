"""Tables of embeddings that a dynamic range recipe stores in integers: GATHER as EMBEDDING_LOOKUP.

Before: ``GATHER(table, ids)``, of which no kernel reads a table of integers and gives floats, so that the largest
tensor of a language model stays float32. After: ``RESHAPE(ids) -> EMBEDDING_LOOKUP(ids, table) -> RESHAPE``, which
does: rows of int8 or int4, each with a scale of its own or one for each block.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.model import Op, Subgraph, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.quantize.kept import kept_in_main
from edge_sdk.recipe import Recipe

_INDICES = frozenset({"int32", "int64"})


def with_lookups(data: bytes, recipe: Recipe) -> bytes:
    """A float file in which rows of constant tables are looked up; ``data`` itself where there are none.

    Args:
        data: the file; only its main subgraph is changed, and names of what stays are kept.
        recipe: ops that it keeps in float stay as they are.

    Raises:
        RecipeError: what it wants to keep is not there.
    """
    artifact = parse_artifact(data)
    kept = kept_in_main(artifact, recipe)
    found = [op for op in artifact.main.ops if op.index not in kept and _looks_up(artifact.main, op)]
    if not found:
        return data
    root, _ = parse_tree(data)
    edit = GraphEdit(root)
    for op in found:
        _rewrite(artifact.main, op, edit)
    edit.finish()
    return pack_tree(root)


def _looks_up(graph: Subgraph, op: Op) -> bool:
    """Rows of a float table that nothing else reads, by ids whose number is known."""
    if op.name != "GATHER" or op.options.get("axis", 0) != 0 or op.options.get("batch_dims", 0):
        return False
    table, ids = (graph.tensors[index] for index in op.inputs)
    readers = Counter(index for other in graph.ops if other.name != "GATHER" for index in other.inputs)
    stored = table.dtype == "float32" and table.constant is not None and len(table.shape) == 2
    return stored and not readers[table.index] and ids.dtype in _INDICES and -1 not in ids.shape_signature


def _rewrite(graph: Subgraph, op: Op, edit: GraphEdit) -> None:
    table, ids = (graph.tensors[index] for index in op.inputs)
    result = graph.tensors[op.outputs[0]]
    rows = ids.index
    if ids.dtype != "int32":
        rows = edit.add_tensor(ids.index, f"{result.name}_ids", "int32")
        edit.put_before(op.index, "CAST", [ids.index], [rows])
    if len(ids.shape) == 1:
        edit.become(op.index, "EMBEDDING_LOOKUP", (rows, table.index))
        return
    flat = edit.add_tensor(ids.index, f"{result.name}_flat", "int32", shape=(ids.elements,))
    edit.put_before(op.index, "RESHAPE", [rows, _shape(edit, (ids.elements,), result.name, "ids")], [flat])
    looked = edit.add_tensor(result.index, f"{result.name}_rows", shape=(ids.elements, table.shape[1]))
    edit.become(op.index, "EMBEDDING_LOOKUP", (flat, table.index))
    edit.write(op.index, [looked])
    edit.put_after(op.index, "RESHAPE", [looked, _shape(edit, result.shape, result.name, "shape")], [result.index])


def _shape(edit: GraphEdit, shape: tuple[int, ...], name: str, what: str) -> int:
    return edit.add_constant(np.array(shape, np.int32), f"{name}_{what}")
