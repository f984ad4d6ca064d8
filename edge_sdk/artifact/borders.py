"""Where int8 meets int16 inside a file: by way of float, which LiteRT's kernels take, or by one op, which NPUs take.

LiteRT's QUANTIZE has no kernel from int8 to int16 (2.1: ``quantize.cc`` prepares int8 or uint8 of int8 alone), so that
a file that is run here goes over float. Vela places that op on an Ethos-U, and leaves float ones to the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator

from edge_sdk.artifact.edit import GraphEdit
from edge_sdk.artifact.model import Op, Subgraph, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree


def by_way_of_float(data: bytes) -> bytes:
    """``data`` itself where nothing rises.

    Before: ``int8 -> QUANTIZE -> int16``. After: ``int8 -> DEQUANTIZE -> QUANTIZE -> int16``.
    """
    graph = parse_artifact(data).main
    rising = [op for op in graph.ops if op.name == "QUANTIZE" and _dtypes(graph, op) == ("int8", "int16")]
    if not rising:
        return data
    root, _ = parse_tree(data)
    edit = GraphEdit(root)
    for op in rising:
        (source,) = op.inputs
        made = edit.add_tensor(source, f"{graph.tensors[op.outputs[0]].name}_float", "float32")
        edit.put_before(op.index, "DEQUANTIZE", [source], [made])
        edit.read(op.index, [made])
    edit.finish()
    return pack_tree(root)


def in_one_op(data: bytes) -> bytes:
    """The inverse of :func:`by_way_of_float`: what an NPU's compiler is given."""
    graph = parse_artifact(data).main
    pairs = list(rising_borders(graph))
    if not pairs:
        return data
    root, _ = parse_tree(data)
    edit = GraphEdit(root)
    for whole, op in pairs:
        edit.read(op.index, list(whole.inputs))
        edit.drop_if_unread(whole.index)
    edit.finish()
    return pack_tree(root)


def rising_borders(graph: Subgraph) -> Iterator[tuple[Op, Op]]:
    """Each DEQUANTIZE of int8 with a QUANTIZE to int16 that reads it."""
    makers = graph.makers
    for op in graph.ops:
        if op.name == "QUANTIZE" and _dtypes(graph, op) == ("float32", "int16"):
            whole = makers.get(op.inputs[0])
            if whole is not None and whole.name == "DEQUANTIZE" and _dtypes(graph, whole) == ("int8", "float32"):
                yield whole, op


def _dtypes(graph: Subgraph, op: Op) -> tuple[str, str]:
    return graph.tensors[op.inputs[0]].dtype, graph.tensors[op.outputs[0]].dtype
