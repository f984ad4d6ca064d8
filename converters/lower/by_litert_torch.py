"""PyTorch to a float .tflite by litert-torch, without ONNX and TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.artifact.edit import add_operator_code, new_operator
from edge_sdk.artifact.flatbuffer import Node, new_node
from edge_sdk.artifact.model import Subgraph, parse_artifact
from edge_sdk.artifact.schema import enum_value, schema
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.workers.child import running, tool_version
from edge_sdk.signature import TensorSpec

_TO_NHWC = (0, 2, 3, 1)


def write_tflite(
    module: Any, inputs: Sequence[TensorSpec], outputs: Sequence[str], folder: Path, *, layout: str
) -> dict[str, Any]:
    """Lowers a module that takes and returns flat tuples of tensors.

    Args:
        module: in eval mode.
        inputs: with static shapes, in the source's layout.
        outputs: names.
        folder: where ``lowered.tflite`` is written.
        layout: ``nhwc`` or ``source``.

    Returns:
        A hand-over of kind ``tflite``; see :class:`~edge_sdk.converters.sources.source.Source`.
    """
    import litert_torch
    import torch

    images = [i for i, spec in enumerate(inputs) if layout == "nhwc" and spec.layout == "NCHW"]
    examples = [torch.zeros(spec.static_shape, dtype=getattr(torch, spec.dtype)) for spec in inputs]
    with torch.no_grad():
        results = module(*examples)
    image_outputs = [i for i, result in enumerate(results) if images and result.ndim == 4]
    dtypes = [str(result.dtype).removeprefix("torch.") for result in results]
    if images:
        module = litert_torch.to_channel_last_io(module, args=images, outputs=image_outputs)
        examples = [e.permute(_TO_NHWC) if i in images else e for i, e in enumerate(examples)]
    path = folder / "lowered.tflite"
    with running("litert-torch", "lowering the module"):
        litert_torch.convert(module, tuple(examples)).export(str(path))
    data = with_int64_io(path.read_bytes(), [spec.dtype for spec in inputs], dtypes)
    path.write_bytes(data)
    graph = parse_artifact(data).main
    return {
        "kind": "tflite",
        "path": str(path),
        "inputs": [
            _port(s.name, t, image=i in images) for i, (s, t) in enumerate(zip(inputs, graph.inputs, strict=True))
        ],
        "outputs": [
            _port(n, t, image=i in image_outputs) for i, (n, t) in enumerate(zip(outputs, graph.outputs, strict=True))
        ],
        "tool": f"litert-torch {tool_version('litert-torch')}",
    }


def with_int64_io(data: bytes, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """Gives back the 64-bit integers at both ends that litert-torch narrows to 32 bits.

    Before: ``GATHER(ids: int32)``. After: ``narrow = CAST(ids: int64); GATHER(narrow: int32)``, and likewise at the
    outputs, so that a file has the source's dtypes whichever tool lowered it.

    Args:
        data: the file as it was lowered, its inputs and outputs in the module's order.
        inputs: dtypes of the source.
        outputs: likewise.
    """
    graph = parse_artifact(data).main
    wide_inputs = [t for t, dtype in zip(graph.inputs, inputs, strict=True) if _is_narrowed(graph, t, dtype)]
    wide_outputs = [t for t, dtype in zip(graph.outputs, outputs, strict=True) if _is_narrowed(graph, t, dtype)]
    if not wide_inputs + wide_outputs:
        return data
    root, _ = parse_tree(data)
    node = root.subgraphs[0]
    code = add_operator_code(root, "CAST", 1)
    outer = {tensor: _add_int64(node, tensor) for tensor in (*wide_inputs, *wide_outputs)}
    node.inputs = np.array([outer.get(t, t) for t in graph.inputs], np.int32)
    node.outputs = np.array([outer.get(t, t) for t in graph.outputs], np.int32)
    node.operators = [
        *(new_operator(code, [outer[tensor]], [tensor], "CastOptions") for tensor in wide_inputs),
        *(node.operators or []),
        *(new_operator(code, [tensor], [outer[tensor]], "CastOptions") for tensor in wide_outputs),
    ]
    return pack_tree(root)


def _is_narrowed(graph: Subgraph, tensor: int, dtype: str) -> bool:
    return (graph.tensors[tensor].dtype, dtype) == ("int32", "int64")


def _add_int64(node: Node, tensor: int) -> int:
    old = node.tensors[tensor]
    kind = enum_value("TensorType", "INT64")
    node.tensors.append(new_node(schema(), "Tensor", shape=old.shape, type=kind, name=f"{old.name}_int64"))
    return len(node.tensors) - 1


def _port(name: str, tensor: int, *, image: bool) -> dict[str, Any]:
    return {"name": name, "tensor": tensor, "axes": list(_TO_NHWC) if image else None}
