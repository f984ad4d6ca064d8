"""SAME convolutions without anything to pad written as VALID ones.

They are the same by TFLite's definition. XNNPACK of ai-edge-litert 1.0.1 to 2.1.5 computes the first wrongly where
windows leave a row or column unread (3x3 with stride 4 on 32x32 is off by the size of its result); the second is right
there, and both are from 2.2.0 on. Tried on 1.0.1, 1.4.0, 2.1.0, 2.1.3, 2.1.4, 2.1.5, 2.2.0 and 2.3.0.
"""

from __future__ import annotations

from edge_sdk.artifact.idle_padding import VALID, idle_paddings
from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree


def without_idle_padding(data: bytes | memoryview) -> bytes | memoryview:
    """A .tflite with such convolutions as VALID ones; the same bytes where there are none."""
    found = [
        (place, op.index) for place, graph in enumerate(parse_artifact(data).subgraphs) for op in idle_paddings(graph)
    ]
    if not found:
        return data
    root, _ = parse_tree(data)
    for place, index in found:
        root.subgraphs[place].operators[index].builtin_options.padding = VALID
    return pack_tree(root)
