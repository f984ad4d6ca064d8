"""The note that edge-sdk leaves in a file it makes: version, recipe, source, and what happened to the layout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.model import Artifact
from edge_sdk.artifact.schema import schema

NAME = "edge_sdk"
"""Name of the metadata entry; its content is JSON in UTF-8."""


def note_of(artifact: Artifact) -> dict[str, Any] | None:
    """The note in a file, or None where it has none that can be read."""
    raw = artifact.metadata.get(NAME)
    try:
        found: dict[str, Any] | None = json.loads(raw) if raw else None
    except ValueError:
        return None
    return found


def put_note(root: Node, note: Mapping[str, Any]) -> None:
    """Puts the note into a tree, in place of one that is there."""
    set_metadata(root, NAME, json.dumps(note, sort_keys=True).encode())


def set_metadata(root: Node, name: str, content: bytes) -> None:
    """Puts a metadata entry in place of the one of that name, or adds it."""
    values = np.frombuffer(content, np.uint8)
    root.metadata = list(root.metadata or [])
    for entry in root.metadata:
        if entry.name == name:
            root.buffers[entry.buffer].data = values
            return
    root.buffers.append(new_node(schema(), "Buffer", data=values))
    root.metadata.append(new_node(schema(), "Metadata", name=name, buffer=len(root.buffers) - 1))
