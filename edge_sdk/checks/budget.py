"""The bytes that a file needs, against what one process may take on the device. All of it is *predicted*."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edge_sdk.artifact.model import Artifact
from edge_sdk.checks.delegates.xnnpack.kernels import CpuKernels, counted_with, cpu_kernels
from edge_sdk.checks.delegation import Placed
from edge_sdk.checks.memory.footprint import Footprint, footprint
from edge_sdk.checks.memory.need import plan_memory
from edge_sdk.checks.runtimes import XnnpackEngine
from edge_sdk.checks.verdict import MemoryCheck, MemoryPath
from edge_sdk.profile.records import Delegate, DeviceProfile

KIB, MIB = 1 << 10, 1 << 20
ALONE = "no delegate"


def check_memory(
    artifact: Artifact,
    profile: DeviceProfile,
    placed: Sequence[tuple[Delegate, Placed | None]] = (),
    engine: XnnpackEngine | None = None,
) -> MemoryCheck:
    """Bytes by delegate; the floor is XNNPACK's where a runtime of the device uses it, else TFLite's own kernels'.

    Args:
        artifact: the file.
        profile: the device.
        placed: its delegates, each with where it takes ops.
        engine: the runtime whose XNNPACK was placed; None where no runtime brings it.
    """
    cores = {cluster.microarchitecture for cluster in profile.soc.cpu}
    kernels = cpu_kernels(profile.soc.arch, _common_isa(profile), cores)
    if engine and engine.rules != "xnnpack":
        # An older XNNPACK, in which nothing was counted.
        kernels = replace(kernels, evidence="read")
    elif engine:
        kernels = counted_with(kernels, engine.version)
    paths = [_path(artifact, kernels, delegate, where) for delegate, where in placed if where]
    plan = plan_memory(artifact)
    alone = _record(ALONE, footprint(artifact, kernels, plan=plan), 0, complete=plan.is_complete)
    floor = next((path for path in paths if path.name.startswith("xnnpack ") and engine), alone)
    fullest = max(plan.subgraphs, key=lambda one: one.peak.live_bytes if one.peak else 0)
    return MemoryCheck(
        file_bytes=artifact.size_bytes,
        input_bytes=_signature_bytes(artifact, artifact.main.inputs),
        output_bytes=_signature_bytes(artifact, artifact.main.outputs),
        paths=(*paths, alone),
        floor_path=floor.name,
        floor_because=_because(floor, engine),
        floor_bytes=floor.total_bytes,
        floor_most_bytes=artifact.size_bytes + floor.heap_most_bytes,
        budget_bytes=profile.device.memory.process_mib * MIB,
        peak_op=fullest.peak.name if fullest.peak else "",
        peak_bytes=fullest.peak.live_bytes if fullest.peak else 0,
        complete=plan.is_complete,
    )


def _because(floor: MemoryPath, engine: XnnpackEngine | None) -> str:
    if engine and floor.name != ALONE:
        return f"{engine.runtime} uses XNNPACK by default"
    return "no runtime of the device is known to use XNNPACK" if engine is None else "XNNPACK was not asked about"


def _common_isa(profile: DeviceProfile) -> frozenset[str]:
    """What every core can do: XNNPACK chooses its kernels so that work may move between cores."""
    clusters = [frozenset(cluster.isa) for cluster in profile.soc.cpu]
    return frozenset(clusters[0].intersection(*clusters[1:])) if clusters else frozenset()


def _path(artifact: Artifact, kernels: CpuKernels, delegate: Delegate, placed: Placed) -> MemoryPath:
    name = f"{delegate.rules} on {delegate.accelerator}"
    is_xnnpack = delegate.name == "xnnpack"
    need = footprint(artifact, kernels, partitions=placed.cuts, packs=is_xnnpack)
    return _record(name, need, _weights(placed), complete=is_xnnpack and need.complete)


def _record(name: str, need: Footprint, weights: int, *, complete: bool) -> MemoryPath:
    return MemoryPath(
        name=name,
        total_bytes=need.total_bytes,
        heap_bytes=need.heap_bytes,
        arena_bytes=need.arena_bytes,
        persistent_bytes=need.persistent_bytes,
        kernel_bytes=need.kernel_bytes,
        variable_bytes=need.variable_bytes,
        packed_bytes=need.packed_bytes,
        unpacked_bytes=need.unpacked_bytes,
        indirection_bytes=need.indirection_bytes,
        workspace_bytes=need.workspace_bytes,
        descriptor_bytes=need.descriptor_bytes,
        claimed_weight_bytes=weights,
        complete=complete,
        heap_least_bytes=need.heap_bytes - need.error_bytes,
        heap_most_bytes=need.heap_bytes + need.error_bytes,
        cpu_kernels=need.kernels,
        cpu_evidence=need.evidence,
    )


def _weights(placed: Placed) -> int:
    """Each constant once, however many ops read it."""
    stored = {
        (graph.index, tensor.index): tensor.size_bytes
        for graph, op in placed.claimed
        for tensor in graph.operands(op)
        if tensor.is_stored
    }
    return sum(stored.values())


def _signature_bytes(artifact: Artifact, tensors: Sequence[int]) -> int:
    return sum(artifact.main.tensors[index].size_bytes for index in tensors)
