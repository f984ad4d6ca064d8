"""What the manifest says of a model, read off the model itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edge_sdk.artifact.model import Artifact, Tensor
from edge_sdk.bundle.manifest import (
    Checked,
    CheckedDelegate,
    Port,
    Precision,
    PredictedMemory,
    VariantSignature,
)
from edge_sdk.engines.sequence import plan_calls
from edge_sdk.engines.values import is_scaled, real_specs

if TYPE_CHECKING:
    from edge_sdk.profile.records import DeviceProfile

_PRECISION: dict[str, Precision] = {
    "float32": "float32",
    "float16": "float16",
    "hybrid_int8": "hybrid_int8",
    "int8": "int8",
    "uint8": "int8",
    "int16": "int16",
}


def describe_signature(artifact: Artifact) -> VariantSignature:
    """Inputs and outputs of the default entry point."""
    signature = artifact.signature
    return VariantSignature(
        signature.key,
        tuple(_port(name, tensor) for name, tensor in signature.inputs.items()),
        tuple(_port(name, tensor) for name, tensor in signature.outputs.items()),
    )


def describe_calls(artifact: Artifact, calls: Sequence[str]) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """Inputs and outputs of calls that belong together, as ``Session.sequence`` has them, but raw.

    Raises:
        SignatureError: one of them does not exist, or there is none.
    """
    entered = [(key, artifact.with_signature(key).signature) for key in calls]
    planned = plan_calls([(key, real_specs(one.inputs), real_specs(one.outputs)) for key, one in entered])
    inputs, outputs = [], []
    for call, (_, one) in zip(planned, entered, strict=True):
        inputs += [_port(f"{call.label}/{name}", t) for name, t in one.inputs.items() if name not in call.carried]
        outputs += [_port(f"{call.label}/{name}", tensor) for name, tensor in one.outputs.items()]
    return tuple(inputs), tuple(outputs)


def precision(artifact: Artifact) -> Precision:
    """What most multiply-accumulates compute in, or where there are none most ops."""
    from edge_sdk.artifact.summary import summarize

    summary = summarize(artifact)
    kind = next((k for k in (*summary.macs, *summary.ops) if k in _PRECISION), "integer")
    stored = next(iter(summary.weight_storage), "")
    if kind == "float32" and stored == "float16":
        return "float16"
    return _PRECISION.get(kind, "integer")


def predicted_memory(artifact: Artifact) -> PredictedMemory:
    """What TFLite plans for the file without a delegate, and the heap with XNNPACK."""
    from edge_sdk.checks.memory.cpu_path import xnnpack_heaps
    from edge_sdk.checks.memory.need import plan_memory

    plan = plan_memory(artifact)
    planned = plan.arena_bytes + plan.persistent_bytes + plan.heap_bytes
    return PredictedMemory(
        arena_bytes=plan.arena_bytes,
        persistent_bytes=plan.persistent_bytes,
        heap_bytes=plan.heap_bytes,
        floor_bytes=artifact.size_bytes + planned,
        xnnpack_heap_bytes=xnnpack_heaps(artifact),
        complete=plan.is_complete,
    )


def checked(artifact: Artifact, profile: DeviceProfile) -> Checked:
    """The file held against a device: predicted from rules."""
    from edge_sdk.checks.checking import check

    report = check(artifact, profile)
    return Checked(
        profile=report.profile,
        fits=report.fits,
        budget_bytes=report.memory.budget_bytes,
        delegates=tuple(
            CheckedDelegate(one.rules, one.accelerator, one.verdict, one.mac_share, one.partitions, one.source)
            for one in report.delegates
        ),
        findings=tuple(str(finding) for finding in report.findings),
    )


def _port(name: str, tensor: Tensor) -> Port:
    quantization = tensor.quantization if is_scaled(tensor) else None
    return Port(
        name=name,
        dtype=tensor.dtype,
        shape=tensor.shape,
        scale=quantization.scale[0] if quantization else None,
        zero_point=quantization.zero_point[0] if quantization else None,
    )
