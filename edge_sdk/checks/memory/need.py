"""How much memory TFLite plans for a file, and what takes it at the worst moment.

Everything is *predicted* from the file and the planner's rules (LiteRT v2.1.0; ``arena``, ``lifetimes``, ``homes`` and
``scratch`` beside this file name their sources); nothing is run.
Weights, the interpreter itself and a delegate's own memory are not part of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from edge_sdk.artifact.model import Artifact, Op, Subgraph
from edge_sdk.checks.memory.arena import Slot, place
from edge_sdk.checks.memory.callees import Callee, callees
from edge_sdk.checks.memory.homes import Homes
from edge_sdk.checks.memory.lifetimes import Buffer, Step, Work
from edge_sdk.checks.memory.scratch import Scratch, has_unknown_scratch, reserved, reserves_at_once, scratch
from edge_sdk.checks.placement.partition import Partition


@dataclass(frozen=True)
class PlannedTensor:
    """A tensor, or a kernel's scratch, with its place in an arena.

    Attributes:
        tensor: its index as the engine numbers it: scratch follows the file's tensors.
        name: its name; ``im2col of op 3`` for scratch.
        offset_bytes: from the arena's start.
        size_bytes: its values, without padding.
        first_op: the op that allocates it, an index.
        last_op: the last op that needs it; the last of all for one that is kept to the end.
        shares: the tensor whose memory it takes over, None for one with memory of its own.
    """

    tensor: int
    name: str
    offset_bytes: int
    size_bytes: int
    first_op: int
    last_op: int
    shares: int | None = None


@dataclass(frozen=True)
class Peak:
    """The step that keeps most bytes of the arena alive, the first of them.

    Attributes:
        ops: indices of its ops: one, or those of a delegate's partition.
        name: the op's name; ``delegate`` for a partition.
        live_bytes: bytes alive, without padding; the arena is larger by padding and gaps.
        alive: what they are, the largest first.
    """

    ops: tuple[int, ...]
    name: str
    live_bytes: int
    alive: tuple[PlannedTensor, ...]


@dataclass(frozen=True)
class ArenaPlan:
    """The memory of one subgraph.

    Attributes:
        subgraph: its index.
        arena_bytes: size of the arena that is reused from op to op.
        persistent_bytes: size of the arena that keeps variables and prepared constants.
        heap_bytes: results of open size, as the file states their shapes, and what kernels allocate aside.
        tensors: all in the arena, by offset.
        persistent: all in the persistent arena, by offset.
        peak: where the arena is fullest; None for an empty one.
        unknown_ops: ops whose kernel asks for memory that is not part of this plan.
    """

    subgraph: int
    arena_bytes: int
    persistent_bytes: int
    heap_bytes: int
    tensors: tuple[PlannedTensor, ...]
    persistent: tuple[PlannedTensor, ...]
    peak: Peak | None
    unknown_ops: tuple[int, ...]


@dataclass(frozen=True)
class MemoryPlan:
    """The memory of a file: the first subgraph and those that it calls; each has arenas of its own.

    The sums are upper bounds where there are several: all are allocated before the first run, and what a loop or branch
    took is released after it (``while.cc``, ``if.cc``).
    """

    subgraphs: tuple[ArenaPlan, ...]

    @property
    def arena_bytes(self) -> int:
        """Bytes of all arenas that are reused from op to op."""
        return sum(plan.arena_bytes for plan in self.subgraphs)

    @property
    def persistent_bytes(self) -> int:
        """Bytes of all persistent arenas."""
        return sum(plan.persistent_bytes for plan in self.subgraphs)

    @property
    def heap_bytes(self) -> int:
        """Bytes of tensors outside the arenas."""
        return sum(plan.heap_bytes for plan in self.subgraphs)

    @property
    def is_complete(self) -> bool:
        """Whether every kernel's memory is known; if not, the sizes are lower bounds."""
        return not any(plan.unknown_ops for plan in self.subgraphs)


_NO_PARTITIONS: Mapping[int, Sequence[Partition]] = MappingProxyType({})


def plan_memory(
    artifact: Artifact, *, partitions: Mapping[int, Sequence[Partition]] = _NO_PARTITIONS, threads: int = 1
) -> MemoryPlan:
    """What TFLite allocates when it loads the file and runs it once.

    Args:
        artifact: the file.
        partitions: subgraph index to its partitions by a delegate, as
            :func:`edge_sdk.checks.placement.partition.partition` gives them; tensors inside a
            delegated one leave the arena for the delegate's own memory.
        threads: CPU threads of the interpreter, which decide how CONV_2D of float is computed.

    Raises:
        ModelError: an op has operands that its kernel refuses.
    """
    reached = callees(artifact)
    plans = (_plan(artifact.subgraphs[i], callee, partitions.get(i), threads) for i, callee in reached.items())
    return MemoryPlan(tuple(plans))


def _plan(graph: Subgraph, callee: Callee, partitions: Sequence[Partition] | None, threads: int) -> ArenaPlan:
    groups = list(_groups(graph, partitions))
    own = [op for delegated, ops in groups if not delegated for op in ops]
    wants = {op.index: scratch(graph, op, callee.homes.of, threads=threads) for op in own}
    work = _work(graph, callee, groups, wants)
    slots = sorted(place(work), key=lambda slot: (slot.offset_bytes, slot.first))
    arena = [slot for slot in slots if slot.buffer.home == "arena"]
    persistent = [slot for slot in slots if slot.buffer.home == "persistent"]
    return ArenaPlan(
        subgraph=graph.index,
        arena_bytes=max((slot.end_bytes for slot in arena), default=0),
        persistent_bytes=max((slot.end_bytes for slot in persistent), default=0),
        heap_bytes=_heap_bytes(work),
        tensors=tuple(_described(work, slot) for slot in arena),
        persistent=tuple(_described(work, slot) for slot in persistent),
        peak=_peak(work, arena),
        unknown_ops=tuple(op.index for op in own if has_unknown_scratch(graph, op)),
    )


def _groups(graph: Subgraph, partitions: Sequence[Partition] | None) -> Iterator[tuple[Partition | None, list[Op]]]:
    """Steps in the order in which they run: each op of the engine, each partition of a delegate."""
    if partitions is None:
        yield from ((None, [op]) for op in graph.ops)
        return
    for part in partitions:
        ops = [graph.ops[index] for index in part.ops]
        yield from [(part, ops)] if part.delegated else [(None, [op]) for op in ops]


def _work(
    graph: Subgraph,
    callee: Callee,
    groups: Sequence[tuple[Partition | None, list[Op]]],
    wants: Mapping[int, tuple[Scratch, ...]],
) -> Work:
    homes = callee.homes
    hidden = _hidden(groups)
    buffers = [
        Buffer(t.index, t.name, t.size_bytes, "elsewhere" if t.index in hidden else homes.of[t.index])
        for t in graph.tensors
    ]
    temporaries: dict[int, tuple[int, ...]] = {}
    for op in sorted((graph.ops[index] for index in wants), key=lambda op: not reserves_at_once(op)):
        start, own = len(buffers), wants[op.index]
        buffers += _temporaries(op, start, own)
        temporaries[op.index] = tuple(range(start, start + len(own)))
    steps = (
        Step("", part.ops, part.inputs, part.outputs) if part else _step(ops[0], homes, temporaries[ops[0].index])
        for part, ops in groups
    )
    inputs = tuple(index for index in graph.inputs if homes.of[index] == "arena")
    return Work(tuple(buffers), tuple(steps), inputs, graph.outputs)


def _hidden(groups: Sequence[tuple[Partition | None, list[Op]]]) -> frozenset[int]:
    """What a delegate makes and keeps to itself."""
    parts = [(part, ops) for part, ops in groups if part]
    return frozenset(index for part, ops in parts for op in ops for index in op.outputs if index not in part.outputs)


def _temporaries(op: Op, start: int, wanted: tuple[Scratch, ...]) -> list[Buffer]:
    """Buffers with the indices that the engine gives them, for these break ties."""
    unused = [Scratch("unused", 0)] * (reserved(op, len(wanted)) - len(wanted))
    names = enumerate((*wanted, *unused), start)
    return [Buffer(index, f"{want.name} of op {op.index}", want.size_bytes, want.home) for index, want in names]


def _step(op: Op, homes: Homes, temporaries: tuple[int, ...]) -> Step:
    inputs = tuple(index for index in op.inputs if index >= 0)
    outputs = tuple(index for index in op.outputs if index >= 0)
    return Step(op.name, (op.index,), inputs, outputs, temporaries, cuts=op.index in homes.cuts)


def _heap_bytes(work: Work) -> int:
    used = {index for step in work.steps for index in (*step.outputs, *step.scratch)}
    return sum(work.buffers[index].size_bytes for index in used if work.buffers[index].home == "heap")


def _described(work: Work, slot: Slot) -> PlannedTensor:
    steps = work.steps
    first = steps[slot.first].ops[0] if steps else 0
    last = steps[-1 if slot.last is None else slot.last].ops[-1] if steps else 0
    buffer = slot.buffer
    return PlannedTensor(buffer.index, buffer.name, slot.offset_bytes, buffer.size_bytes, first, last, slot.shares)


def _peak(work: Work, arena: Collection[Slot]) -> Peak | None:
    alone = [slot for slot in arena if slot.shares is None]
    if not alone or not work.steps:
        return None
    live = _live_bytes(alone, len(work.steps))
    worst = live.index(max(live))
    alive = sorted((s for s in alone if s.lives_at(worst)), key=lambda slot: -slot.buffer.size_bytes)
    step = work.steps[worst]
    return Peak(step.ops, step.name or "delegate", live[worst], tuple(_described(work, s) for s in alive))


def _live_bytes(slots: Collection[Slot], steps: int) -> list[int]:
    changes = [0] * (steps + 1)
    for slot in slots:
        changes[slot.first] += slot.buffer.size_bytes
        changes[steps if slot.last is None else slot.last + 1] -= slot.buffer.size_bytes
    live, total = [], 0
    for change in changes[:steps]:
        total += change
        live.append(total)
    return live
