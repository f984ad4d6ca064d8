"""The .tflite file: read, measured, and edited, without TensorFlow."""

from edge_sdk.artifact.model import (
    Artifact,
    Op,
    Quantization,
    Signature,
    Subgraph,
    Tensor,
    parse_artifact,
    read_artifact,
)

__all__ = [
    "Artifact",
    "Op",
    "Quantization",
    "Signature",
    "Subgraph",
    "Tensor",
    "parse_artifact",
    "read_artifact",
]
