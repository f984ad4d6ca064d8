"""The memory that a file takes on the CPU: what TFLite plans, and what XNNPACK adds where it runs.

*Predicted* for LiteRT v2.1.0; nothing is run. Large blocks follow from the sources named in
:mod:`~edge_sdk.checks.memory.need` and, in :mod:`edge_sdk.checks.delegates.xnnpack`, ``heap`` and ``workspace``;
XNNPACK's and TFLite's records have the sizes that a traced ``malloc`` showed on x86-64. Two small ones are fitted
(LiteRT 2.1.0, least squares over 55 files on four kinds of x86): what comes on top for an op that TFLite's own kernel
runs, and for a scratch tensor of one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from edge_sdk.artifact.model import Artifact, Op, Subgraph
from edge_sdk.checks.delegates.xnnpack.blocks import aligned_block, bucket_block, grown_block, heap_block
from edge_sdk.checks.delegates.xnnpack.heap import OpHeap, op_heap
from edge_sdk.checks.delegates.xnnpack.kernels import ERROR_BYTES, ERRORS, CpuKernels, Evidence
from edge_sdk.checks.delegates.xnnpack.records import record_bytes
from edge_sdk.checks.delegates.xnnpack.values import find_values
from edge_sdk.checks.delegates.xnnpack.workspace import workspace_bytes
from edge_sdk.checks.memory.homes import find_homes
from edge_sdk.checks.memory.need import MemoryPlan, plan_memory
from edge_sdk.checks.memory.scratch import reserved, scratch
from edge_sdk.checks.placement.partition import Partition

OP_BYTES = 200
SCRATCH_BYTES = 65
# A plan's own records, one for each tensor of it, for a tensor that an op reads or writes, for an input or output.
_PLANNER, _PLACED, _INDEX, _USE, _LINK = 432, 32, 4, 48, 32
# The delegate, whatever it takes.
_DELEGATE = 1760
# ``TfLiteTensor``, and how many of them a subgraph has room for.
_TENSOR, _FEWEST_TENSORS, _SPARE_TENSORS = 112, 128, 16


@dataclass(frozen=True)
class Footprint:
    """Bytes of the process by what takes them.

    Attributes:
        file_bytes: the file, mapped; its weights stay there.
        arena_bytes: TFLite's arena, for inputs, outputs and what its own kernels pass on.
        persistent_bytes: variables and constants that its kernels prepared.
        kernel_bytes: what its own kernels keep on the heap, results of open size among it.
        variable_bytes: resource variables, once they are assigned.
        packed_bytes: weights as XNNPACK packs them once more.
        unpacked_bytes: weights that XNNPACK converts to float32 first.
        indirection_bytes: XNNPACK's tables of pointers.
        workspace_bytes: the room that all of its partitions share.
        descriptor_bytes: XNNPACK's records of operators and values.
        complete: whether the memory of every kernel that TFLite runs itself is known.
        kernels: the kind of CPU by whose kernels XNNPACK's part was computed; empty where it has none.
        evidence: how far these kernels were counted.
    """

    file_bytes: int
    arena_bytes: int
    persistent_bytes: int
    kernel_bytes: int
    variable_bytes: int
    packed_bytes: int = 0
    unpacked_bytes: int = 0
    indirection_bytes: int = 0
    workspace_bytes: int = 0
    descriptor_bytes: int = 0
    complete: bool = True
    kernels: str = ""
    evidence: Evidence = "measured"

    @property
    def delegate_bytes(self) -> int:
        """What XNNPACK adds."""
        packed = self.packed_bytes + self.unpacked_bytes + self.indirection_bytes
        return packed + self.workspace_bytes + self.descriptor_bytes

    @property
    def heap_bytes(self) -> int:
        """All but the mapped file."""
        own = self.arena_bytes + self.persistent_bytes + self.kernel_bytes + self.variable_bytes
        return own + self.delegate_bytes

    @property
    def error_bytes(self) -> int:
        """By how much the heap may be smaller or larger."""
        return int(ERRORS[self.evidence] * self.heap_bytes) + ERROR_BYTES

    @property
    def total_bytes(self) -> int:
        """The mapped file and the heap."""
        return self.file_bytes + self.heap_bytes


_NO_PARTITIONS: Mapping[int, Sequence[Partition]] = MappingProxyType({})


def footprint(
    artifact: Artifact,
    kernels: CpuKernels,
    *,
    partitions: Mapping[int, Sequence[Partition]] = _NO_PARTITIONS,
    threads: int = 1,
    packs: bool = True,
    plan: MemoryPlan | None = None,
) -> Footprint:
    """What one interpreter takes from the heap until its first run is over, and the file.

    Args:
        artifact: the file.
        kernels: of the CPU.
        partitions: subgraph index to its cut by a delegate; empty for TFLite's own kernels alone.
        threads: of the interpreter.
        packs: whether the delegate is XNNPACK; of another one's memory nothing is known here.
        plan: of the file with these partitions and threads, where it was made before.

    Raises:
        ModelError: an op has operands that its kernel refuses.
    """
    plan = plan or plan_memory(artifact, partitions=partitions, threads=threads)
    parts = [
        _delegated(artifact.subgraphs[index], part, kernels, threads)
        for index, cut in partitions.items()
        for part in cut
        if part.delegated and packs
    ]
    return Footprint(
        file_bytes=artifact.size_bytes,
        arena_bytes=sum(heap_block(one.arena_bytes) for one in plan.subgraphs),
        persistent_bytes=sum(heap_block(one.persistent_bytes) for one in plan.subgraphs),
        kernel_bytes=plan.heap_bytes + _kept(artifact, plan, partitions),
        variable_bytes=variable_bytes(artifact),
        packed_bytes=sum(part.packed_bytes for part in parts),
        unpacked_bytes=sum(part.unpacked_bytes for part in parts),
        indirection_bytes=sum(part.indirection_bytes for part in parts),
        workspace_bytes=heap_block(max((part.workspace_bytes for part in parts), default=0)),
        descriptor_bytes=sum(part.descriptor_bytes for part in parts) + (_DELEGATE if packs and partitions else 0),
        complete=plan.is_complete,
        kernels=kernels.name if parts else "",
        evidence=kernels.evidence if parts else "measured",
    )


@dataclass(frozen=True)
class _Part:
    packed_bytes: int
    unpacked_bytes: int
    indirection_bytes: int
    workspace_bytes: int
    descriptor_bytes: int


def _delegated(graph: Subgraph, part: Partition, kernels: CpuKernels, threads: int) -> _Part:
    values = find_values(graph, part, kernels, threads=threads)
    needs = [op_heap(graph, graph.ops[index], kernels, threads=threads) for index in part.ops]
    return _Part(
        packed_bytes=sum(aligned_block(need.packed_bytes, kernels.alignment) for need in needs),
        unpacked_bytes=sum(heap_block(size + 16) for size in values.unpacked_bytes),
        indirection_bytes=sum(heap_block(need.indirection_bytes) + _zeros(need, kernels) for need in needs),
        workspace_bytes=workspace_bytes(values, kernels),
        descriptor_bytes=record_bytes(part, values, kernels),
    )


def _zeros(need: OpHeap, kernels: CpuKernels) -> int:
    return need.zeros * aligned_block(need.zero_bytes, kernels.alignment)


def _kept(artifact: Artifact, plan: MemoryPlan, partitions: Mapping[int, Sequence[Partition]]) -> int:
    """What TFLite keeps for each op that it runs itself, for its list of tensors, and for its plan."""
    total = 0
    for one in plan.subgraphs:
        graph = artifact.subgraphs[one.subgraph]
        cut = [part for part in partitions.get(graph.index, ()) if part.delegated]
        claimed = frozenset(_claimed(cut))
        homes = find_homes(graph).of
        own = [op for op in graph.ops if op.index not in claimed]
        temporaries = sum(reserved(op, len(scratch(graph, op, homes))) for op in own)
        total += OP_BYTES * len(own) + SCRATCH_BYTES * temporaries + _list_growth(len(graph.tensors), temporaries)
        total += _planner(graph, [*own, *cut], len(graph.tensors) + temporaries, len(one.tensors))
    return total


def _planner(graph: Subgraph, steps: Sequence[Op | Partition], tensors: int, placed: int) -> int:
    """``arena_planner.cc`` and ``Subgraph``: records of each tensor, and who uses it."""
    lists = (
        heap_block(_PLACED * tensors)
        + grown_block(_PLACED, placed)
        + bucket_block(len(graph.outputs))
        + 3 * heap_block(_INDEX * tensors)
        + heap_block(6 * tensors)
    )
    reads = {index for step in steps for index in step.inputs if index >= 0}
    writes = {index for step in steps for index in step.outputs}
    ends = _LINK * (len(graph.inputs) + len(graph.outputs))
    return _PLANNER + lists + ends + _USE * (len(reads) + len(writes))


def _list_growth(tensors: int, temporaries: int) -> int:
    """``Subgraph::EnsureTensorsVectorCapacity``: the list doubles where fewer than 16 places are left in it."""
    room = begin = max(_FEWEST_TENSORS, tensors)
    while tensors + temporaries + _SPARE_TENSORS > room:
        room *= 2
    return _TENSOR * (room - begin)


def _claimed(cut: Collection[Partition]) -> list[int]:
    return [index for part in cut if part.delegated for index in part.ops]


def variable_bytes(artifact: Artifact) -> int:
    """Bytes of resource variables that an op reads or assigns; one value for each, whatever subgraph uses it."""
    return sum(dict(_values(artifact)).values())


def _values(artifact: Artifact) -> Iterator[tuple[tuple[str, str], int]]:
    for graph in artifact.subgraphs:
        names: dict[int, tuple[str, str]] = {}
        for op in graph.ops:
            if op.name == "VAR_HANDLE":
                names[op.outputs[0]] = (str(op.options.get("container", "")), str(op.options.get("shared_name", "")))
            value = {"ASSIGN_VARIABLE": op.inputs[1:], "READ_VARIABLE": op.outputs}.get(op.name)
            if value and op.inputs[0] in names:
                yield names[op.inputs[0]], graph.tensors[value[0]].size_bytes
