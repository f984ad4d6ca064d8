"""The bytes that a file needs, against what one process may take on the device. All of it is *predicted*."""

from __future__ import annotations

from edge_sdk.artifact.model import Artifact
from edge_sdk.checks.memory import plan_memory
from edge_sdk.checks.verdict import MemoryCheck
from edge_sdk.profile.records import DeviceProfile

MIB = 1 << 20


def check_memory(artifact: Artifact, profile: DeviceProfile) -> MemoryCheck:
    """Bytes that the file needs at least, against what one process may take on the device."""
    plan = plan_memory(artifact)
    fullest = max(plan.subgraphs, key=lambda one: one.peak.live_bytes if one.peak else 0)
    planned = plan.arena_bytes + plan.persistent_bytes + plan.heap_bytes
    return MemoryCheck(
        file_bytes=artifact.size_bytes,
        arena_bytes=plan.arena_bytes,
        persistent_bytes=plan.persistent_bytes,
        heap_bytes=plan.heap_bytes,
        floor_bytes=artifact.size_bytes + planned,
        budget_bytes=profile.device.memory.process_mib * MIB,
        peak_op=fullest.peak.name if fullest.peak else "",
        peak_bytes=fullest.peak.live_bytes if fullest.peak else 0,
        complete=plan.is_complete,
    )
