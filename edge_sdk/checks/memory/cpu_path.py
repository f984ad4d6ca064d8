"""The memory of a file with an engine's own XNNPACK, from the file alone; *predicted*, see :mod:`.footprint`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from edge_sdk.artifact.model import Artifact
from edge_sdk.checks.delegates.xnnpack.kernels import KERNELS, CpuKernels, counted_with
from edge_sdk.checks.memory.footprint import Footprint, footprint
from edge_sdk.checks.memory.need import MemoryPlan, plan_memory
from edge_sdk.checks.placement.partition import Partition, partition
from edge_sdk.checks.placement.rule_sets import place_by

RULES: Mapping[str, str] = MappingProxyType({"ai-edge-litert": "xnnpack", "tflite-runtime": "xnnpack_tflite_runtime"})
"""Engine to the rules that its XNNPACK follows."""
_Cuts = Mapping[int, tuple[Partition, ...]]


def xnnpack_footprint(
    artifact: Artifact, kernels: CpuKernels, *, engine: str = "ai-edge-litert", version: str | None, threads: int = 1
) -> Footprint:
    """What one interpreter takes with XNNPACK.

    Args:
        artifact: the file.
        kernels: of the CPU.
        engine: key of ``RULES``.
        version: of the engine; None for the one whose rules were read first.
        threads: of the interpreter.

    Raises:
        ModelError: an op has operands that its kernel refuses.
    """
    known = counted_with(kernels, version) if engine == "ai-edge-litert" else replace(kernels, evidence="read")
    return footprint(artifact, known, partitions=_cuts(artifact, RULES[engine], version), threads=threads)


def xnnpack_heaps(artifact: Artifact) -> dict[str, int]:
    """Heap with XNNPACK on each kind of CPU, one thread, bytes; by the rules of the engine that was read first."""
    cuts = _cuts(artifact, RULES["ai-edge-litert"], None)
    plan = plan_memory(artifact, partitions=cuts)
    return {name: _heap(artifact, kernels, cuts, plan) for name, kernels in KERNELS.items()}


def _heap(artifact: Artifact, kernels: CpuKernels, cuts: _Cuts, plan: MemoryPlan) -> int:
    return footprint(artifact, kernels, partitions=cuts, plan=plan).heap_bytes


def _cuts(artifact: Artifact, rules: str, version: str | None) -> _Cuts:
    """The default delegate visits every subgraph, those included that nothing calls."""
    placed = (place_by(rules, graph, engine=version) for graph in artifact.subgraphs)
    return {one.subgraph: tuple(partition(artifact.subgraphs[one.subgraph], one.claimed)) for one in placed}
