"""What the manifest says of a model, read off the model itself."""

from __future__ import annotations

from edge_sdk.artifact.model import Artifact, Tensor
from edge_sdk.bundle.manifest import Port, VariantSignature


def describe_signature(artifact: Artifact) -> VariantSignature:
    """Inputs and outputs of the default entry point."""
    signature = artifact.signature
    return VariantSignature(
        signature.key,
        tuple(_port(name, tensor) for name, tensor in signature.inputs.items()),
        tuple(_port(name, tensor) for name, tensor in signature.outputs.items()),
    )


def _port(name: str, tensor: Tensor) -> Port:
    quantization = tensor.quantization
    return Port(
        name=name,
        dtype=tensor.dtype,
        shape=tensor.shape,
        scale=quantization.scale[0] if quantization else None,
        zero_point=quantization.zero_point[0] if quantization else None,
    )
