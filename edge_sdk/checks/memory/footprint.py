"""The memory that a file takes on the CPU: what TFLite plans, and what XNNPACK adds where it runs.

*Predicted* for LiteRT v2.1.0; nothing is run. Large blocks follow from the sources named in
:mod:`~edge_sdk.checks.memory.need` and, in :mod:`edge_sdk.checks.delegates.xnnpack`, ``heap`` and ``workspace``;
XNNPACK's own records have the sizes that its headers give on a 64-bit machine. Three small ones are measured instead of
read (x86_64, LiteRT 2.1.0, least squares over 120 files): what comes on top for an op that TFLite's own kernel runs,
for a scratch tensor of one, and for an op that XNNPACK takes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from edge_sdk.artifact.model import Artifact, Subgraph
from edge_sdk.checks.delegates.xnnpack.heap import op_heap
from edge_sdk.checks.delegates.xnnpack.kernels import CpuKernels
from edge_sdk.checks.delegates.xnnpack.nodes import Node
from edge_sdk.checks.delegates.xnnpack.values import find_values
from edge_sdk.checks.delegates.xnnpack.workspace import workspace_bytes
from edge_sdk.checks.memory.homes import find_homes
from edge_sdk.checks.memory.need import MemoryPlan, plan_memory
from edge_sdk.checks.memory.scratch import reserved, scratch
from edge_sdk.checks.placement.partition import Partition

OP_BYTES = 450
SCRATCH_BYTES = 150
TAKEN_BYTES = 220
_OPERATOR, _COMPUTE, _SHAPE, _VALUE, _NODE, _RUNTIME = 496, 88, 224, 160, 240, 96
_TABLE = 256
# What XNNPACK keeps besides for an operator: records of its kernel and of the work that threads share.
_RECORDS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "BATCH_MATMUL": (3 * _COMPUTE, 288, 672),
        "CONV_2D": (_COMPUTE, _SHAPE, 264, 408),
        "DEPTHWISE_CONV_2D": (_COMPUTE, _SHAPE, 336),
        "FULLY_CONNECTED": (2 * _COMPUTE, _SHAPE, 288, 672),
        "TRANSPOSE_CONV": (_COMPUTE, _SHAPE, 264, 408),
    }
)
# ``TfLiteTensor``, and how many of them a subgraph has room for.
_TENSOR, _FEWEST_TENSORS, _SPARE_TENSORS = 112, 128, 16
_MAPPED = 128 << 10
_PAGE = 4096


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
        descriptor_bytes=sum(part.descriptor_bytes for part in parts),
        complete=plan.is_complete,
    )


def heap_block(size: int) -> int:
    """What glibc takes for a block: whole pages from 128 KiB on, else 16 bytes more or less."""
    if size >= _MAPPED:
        return -(-(size + 16) // _PAGE) * _PAGE
    return max(32, -(-(size + 8) // 16) * 16) if size else 0


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
    records = heap_block(values.defined_values * _VALUE) + heap_block(values.defined_nodes * _NODE) + _RUNTIME
    return _Part(
        packed_bytes=sum(heap_block(need.packed_bytes) for need in needs),
        unpacked_bytes=sum(heap_block(size + 16) for size in values.unpacked_bytes),
        indirection_bytes=sum(heap_block(need.indirection_bytes) for need in needs),
        workspace_bytes=workspace_bytes(values, kernels),
        descriptor_bytes=TAKEN_BYTES * len(part.ops) + records + sum(map(_descriptors, values.nodes)),
    )


def _descriptors(node: Node) -> int:
    """A concatenation copies once for each input, a split once for each output."""
    operators = {"CONCATENATION": len(node.inputs), "SPLIT": len(node.outputs)}.get(node.name, 1)
    table = heap_block(_TABLE) if node.is_table else 0
    return table + operators * sum(map(_record, (_OPERATOR, *_RECORDS.get(node.name, (_COMPUTE,)))))


def _record(size: int) -> int:
    """Records with values for vector registers are aligned to 64 bytes, on a glibc that gives 16."""
    aligned = size not in (_COMPUTE, 2 * _COMPUTE, 3 * _COMPUTE, _SHAPE)
    return heap_block(size) + (48 if aligned else 0)


def _kept(artifact: Artifact, plan: MemoryPlan, partitions: Mapping[int, Sequence[Partition]]) -> int:
    """What TFLite keeps for each op that it runs itself, and for its list of tensors."""
    total = 0
    for one in plan.subgraphs:
        graph = artifact.subgraphs[one.subgraph]
        claimed = frozenset(_claimed(partitions.get(graph.index, ())))
        homes = find_homes(graph).of
        own = [op for op in graph.ops if op.index not in claimed]
        temporaries = sum(reserved(op, len(scratch(graph, op, homes))) for op in own)
        total += OP_BYTES * len(own) + SCRATCH_BYTES * temporaries + _list_growth(len(graph.tensors), temporaries)
    return total


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
