"""PyTorch to a float .tflite by litert-torch, without ONNX and TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_sdk.artifact.model import read_artifact
from edge_sdk.converters.worker_main import running, tool_version
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
        A hand-over of kind ``tflite``; see :class:`~edge_sdk.converters.source.Source`.
    """
    import litert_torch
    import torch

    images = [i for i, spec in enumerate(inputs) if layout == "nhwc" and spec.layout == "NCHW"]
    examples = [torch.zeros(spec.static_shape, dtype=getattr(torch, spec.dtype)) for spec in inputs]
    with torch.no_grad():
        ranks = [result.ndim for result in module(*examples)]
    image_outputs = [i for i, rank in enumerate(ranks) if images and rank == 4]
    if images:
        module = litert_torch.to_channel_last_io(module, args=images, outputs=image_outputs)
        examples = [e.permute(_TO_NHWC) if i in images else e for i, e in enumerate(examples)]
    path = folder / "lowered.tflite"
    with running("litert-torch", "lowering the module"):
        litert_torch.convert(module.eval(), tuple(examples)).export(str(path))
    graph = read_artifact(path).main
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


def _port(name: str, tensor: int, *, image: bool) -> dict[str, Any]:
    return {"name": name, "tensor": tensor, "axes": list(_TO_NHWC) if image else None}
