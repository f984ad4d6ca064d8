"""The last touch to a .tflite: one signature, the source's names in the source's order, and a note on its making."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.note import put_note
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.layout import Port

_KEY = "serving_default"


def finish(data: bytes | memoryview, inputs: Sequence[Port], outputs: Sequence[Port], note: Mapping[str, Any]) -> bytes:
    """Rewrites the signature and the note of a file.

    Before: inputs in the converter's order, named ``serving_default_x:0``; or no signature at all.
    After: the main subgraph's inputs and outputs in the order given, under ``serving_default`` by the names given; and
    no tensor with an ``@`` in its name, at which TensorFlow's quantizer cuts names off (``op_or_arg_name_mapper.cc``),
    so that nothing in its file would be known again.

    Args:
        data: a .tflite file.
        inputs: in the order that the file shall have.
        outputs: likewise.
        note: what the file should say of its making; must not vary between equal conversions.
    """
    root, _ = parse_tree(data)
    graph = root.subgraphs[0]
    graph.inputs, input_maps = _ordered(graph.inputs, inputs)
    graph.outputs, output_maps = _ordered(graph.outputs, outputs)
    root.signature_defs = [
        new_node(schema(), "SignatureDef", signature_key=_KEY, inputs=input_maps, outputs=output_maps, subgraph_index=0)
    ]
    for subgraph in root.subgraphs:
        _name_whole(subgraph.tensors or [])
    put_note(root, note)
    return pack_tree(root)


def _name_whole(tensors: Sequence[Node]) -> None:
    taken = {tensor.name for tensor in tensors}
    for tensor in tensors:
        if tensor.name and "@" in tensor.name:
            name = tensor.name.replace("@", "_")
            while name in taken:
                name += "_"
            taken.add(name)
            tensor.name = name


def _ordered(present: Sequence[int], ports: Sequence[Port]) -> tuple[np.ndarray[Any, Any], list[Node]]:
    if len(present) != len(ports):
        raise ValueError(f"{len(ports)} ports for {len(present)} inputs or outputs")
    indices = [int(i) if port.tensor is None else port.tensor for i, port in zip(present, ports, strict=True)]
    maps = [
        new_node(schema(), "TensorMap", name=port.name, tensor_index=index)
        for index, port in zip(indices, ports, strict=True)
    ]
    return np.array(indices, np.int32), maps
