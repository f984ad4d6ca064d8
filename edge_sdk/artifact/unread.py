"""Parts that nothing reads, in the type of those beside them.

ai-edge-quantizer gives a tensor a type for its reader's sake: the gate of an LSTM's first step that nothing reads (it
forgets a state of zeros) stays float32 beside int16 parts of one SPLIT, whose kernel writes integers into it.
"""

from __future__ import annotations

from collections.abc import Iterator

from edge_sdk.artifact.model import Subgraph, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree

_PARTS = frozenset({"SPLIT", "SPLIT_V", "UNPACK"})
_INTEGERS = frozenset({"int8", "uint8", "int16"})


def with_typed_parts(data: bytes) -> bytes:
    """A quantized file whose unread parts are of their op's type, with its scale; ``data`` itself where all are."""
    pairs = list(_untyped(parse_artifact(data).main))
    if not pairs:
        return data
    root, _ = parse_tree(data)
    tensors = root.subgraphs[0].tensors
    for index, like in pairs:
        tensors[index].type = tensors[like].type
        tensors[index].quantization = tensors[like].quantization
    return pack_tree(root)


def _untyped(graph: Subgraph) -> Iterator[tuple[int, int]]:
    """Each float result that nothing reads of an op that splits integers, and the tensor that it splits."""
    read = {index for op in graph.ops for index in op.inputs} | set(graph.outputs)
    for op in graph.ops:
        source = op.inputs[1 if op.name == "SPLIT" else 0] if op.name in _PARTS else -1
        if source >= 0 and graph.tensors[source].dtype in _INTEGERS:
            unread = (index for index in op.outputs if index not in read)
            yield from ((index, source) for index in unread if graph.tensors[index].dtype == "float32")
