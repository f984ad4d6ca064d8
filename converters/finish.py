"""The last touch to a .tflite: one signature with the source's names in the source's order, and a note on its making."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.model import pack_tree, parse_artifact, parse_tree
from edge_sdk.artifact.schema import schema

NOTE = "edge_sdk"
"""Name of the metadata entry that holds the note, JSON in UTF-8."""
_KEY = "serving_default"


@dataclass(frozen=True)
class Port:
    """One input or output of a file.

    Attributes:
        name: the source's.
        axes: how the source's array is transposed to the file's (``numpy.transpose``); None where it is not.
        tensor: its index in the main subgraph; None where its place in the list says it.
    """

    name: str
    axes: tuple[int, ...] | None = None
    tensor: int | None = None

    def as_json(self) -> dict[str, Any]:
        """What a reader of the file needs: name and axes."""
        return {"name": self.name, "axes": list(self.axes) if self.axes else None}


def finish(data: bytes, inputs: Sequence[Port], outputs: Sequence[Port], note: Mapping[str, Any]) -> bytes:
    """Rewrites the signature and the note of a file.

    Before: inputs in the converter's order, named ``serving_default_x:0``; or no signature at all.
    After: the main subgraph's inputs and outputs in the order given, under ``serving_default`` by the names given.

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
        new_node(
            schema(), "SignatureDef", signature_key=_KEY, inputs=input_maps, outputs=output_maps, subgraph_index=0
        )
    ]
    set_metadata(root, NOTE, json.dumps(note, sort_keys=True).encode())
    return pack_tree(root)


def read_note(data: bytes) -> dict[str, Any] | None:
    """The note in a file, or None."""
    raw = parse_artifact(data).metadata.get(NOTE)
    found: dict[str, Any] | None = json.loads(raw) if raw else None
    return found


def set_metadata(root: Node, name: str, content: bytes) -> None:
    """Puts a metadata entry in place of the one of that name, or adds it."""
    root.metadata = list(root.metadata or [])
    values = np.frombuffer(content, np.uint8)
    for entry in root.metadata:
        if entry.name == name:
            root.buffers[entry.buffer].data = values
            return
    root.buffers.append(new_node(schema(), "Buffer", data=values))
    root.metadata.append(new_node(schema(), "Metadata", name=name, buffer=len(root.buffers) - 1))


def _ordered(present: Sequence[int], ports: Sequence[Port]) -> tuple[np.ndarray[Any, Any], list[Node]]:
    if len(present) != len(ports):
        raise ValueError(f"{len(ports)} ports for {len(present)} inputs or outputs")
    indices = [int(i) if port.tensor is None else port.tensor for i, port in zip(present, ports, strict=True)]
    maps = [
        new_node(schema(), "TensorMap", name=port.name, tensor_index=index)
        for index, port in zip(indices, ports, strict=True)
    ]
    return np.array(indices, np.int32), maps
