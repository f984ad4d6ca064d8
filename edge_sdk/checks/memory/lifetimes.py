"""How long TFLite keeps each tensor, and which results take over the memory of an input.

*Predicted* by ``PlanAllocations`` and ``IdentifyInPlaceTensors`` of ``tflite/arena_planner.cc`` (LiteRT v2.1.0; the
same up to v2.2.0); nothing is run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edge_sdk.checks.memory.scratch import Home

_SCALAR_BYTES = 4
# The kernels whose registration sets `inplace_operator`: which inputs the first result may replace.
_OVERWRITES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "ADD": (0, 1),
        "DIV": (0, 1),
        "DYNAMIC_UPDATE_SLICE": (0,),
        "MUL": (0, 1),
        "SOFTMAX": (0,),
        "SUB": (0, 1),
    }
)
_KEEPS_DATA = frozenset({"BITCAST", "EXPAND_DIMS", "RESHAPE", "SQUEEZE"})


@dataclass(frozen=True)
class Buffer:
    """A tensor or a kernel's scratch: what it is called, its bytes, and where it lies."""

    index: int
    name: str
    size_bytes: int
    home: Home


@dataclass(frozen=True)
class Step:
    """One node of the execution plan: an op, or a delegate's partition as a whole.

    Attributes:
        name: the op's name; empty for a partition.
        ops: indices of the ops that run in it.
        inputs: buffers read, one entry for each time; absent ones left out.
        outputs: buffers written.
        scratch: temporary buffers.
        cuts: planning stops after this step until it has run.
    """

    name: str
    ops: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    scratch: tuple[int, ...] = ()
    cuts: bool = False


@dataclass(frozen=True)
class Work:
    """What the planner is given: all buffers by index, the execution plan, and what the caller fills and reads."""

    buffers: tuple[Buffer, ...]
    steps: tuple[Step, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def variables(self) -> tuple[int, ...]:
        """Buffers that keep their values from run to run and that no step makes."""
        made = {index for step in self.steps for index in (*step.outputs, *step.scratch)}
        return tuple(b.index for b in self.buffers if b.home == "persistent" and b.index not in made)


@dataclass(frozen=True)
class Lives:
    """The life of each buffer.

    Attributes:
        first: buffer to the step that allocates it.
        last: buffer to the last step that needs it; absent for one that is kept to the end.
        root: buffer to the one whose memory it takes over.
        born: for each step the buffers that it allocates, in the planner's order.
    """

    first: Mapping[int, int]
    last: Mapping[int, int]
    root: Mapping[int, int]
    born: tuple[tuple[int, ...], ...]

    def throughout(self, buffer: int) -> bool:
        """Whether it lives from the first step to the end."""
        return self.first[buffer] == 0 and buffer not in self.last


def lives(work: Work) -> Lives:
    """The life of each buffer: its memory is free after its last reader, that of inputs and outputs never."""
    kept = Counter([*work.outputs, *work.variables, *work.inputs])
    reads = kept + Counter(index for step in work.steps for index in step.inputs)
    root = _shared(work, reads)
    born = _born(work)
    first = {index: place for place in reversed(range(len(born))) for index in born[place]}
    return Lives(first, _last(work, root, kept, first), root, born)


def _born(work: Work) -> tuple[tuple[int, ...], ...]:
    born: list[dict[int, None]] = [{} for _ in range(max(len(work.steps), 1))]
    born[0].update(dict.fromkeys((*work.variables, *work.inputs)))
    for place, step in enumerate(work.steps):
        born[place].update(dict.fromkeys((*step.outputs, *step.scratch)))
    return tuple(map(tuple, born))


def _last(work: Work, root: Mapping[int, int], kept: Counter[int], first: Mapping[int, int]) -> dict[int, int]:
    left = kept + Counter(root.get(index, index) for step in work.steps for index in step.inputs)
    last: dict[int, int] = {}
    for place, step in enumerate(work.steps):
        for index in (root.get(index, index) for index in step.inputs):
            left[index] -= 1
            if left[index] == 0 and index in first:
                last[index] = place
        last.update(dict.fromkeys(step.scratch, place))
    return last


def _shared(work: Work, reads: Counter[int]) -> dict[int, int]:
    root: dict[int, int] = {}
    late = _late(work)
    for step in work.steps:
        source = _source(work, step, reads, late)
        if source is None:
            continue
        origin = root.get(source, source)
        if step.name in _KEEPS_DATA or reads[origin] <= 1:
            root[step.outputs[0]] = origin
    return root


def _late(work: Work) -> frozenset[int]:
    """Results beyond the first cut: when sharing is planned, no kernel has yet said that they lie elsewhere."""
    planned = next((place for place, step in enumerate(work.steps) if step.cuts), len(work.steps))
    return frozenset(index for step in work.steps[planned + 1 :] for index in step.outputs)


def _source(work: Work, step: Step, reads: Counter[int], late: Collection[int]) -> int | None:
    """The input whose memory the first result of a step may take."""
    keeps = step.name in _KEEPS_DATA
    places = (0,) if keeps else _OVERWRITES.get(step.name, ())
    if not places or not step.outputs or step.outputs[0] in work.outputs:
        return None
    result = work.buffers[step.outputs[0]]
    homes = {"arena", "arena" if result.index in late else result.home}
    for index in step.inputs[: len(places)]:
        source = work.buffers[index]
        fits = (index in late or source.home in homes) and index not in work.inputs
        if fits and (keeps or (_same_size(source, result) and reads[index] <= 1)):
            return index
    return None


def _same_size(source: Buffer, result: Buffer) -> bool:
    return source.size_bytes == result.size_bytes and source.size_bytes > _SCALAR_BYTES
