"""What a check says of one file on one device, as values. All of it is *predicted*; nothing was run on the device."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from edge_sdk.checks.delegates.ethos_u.vela_answer import VelaAnswer
from edge_sdk.checks.lint.scene import LintFinding
from edge_sdk.checks.placement.site import Reason
from edge_sdk.checks.timeline import Timeline
from edge_sdk.findings import Finding
from edge_sdk.rows import Tabular

Verdict = Literal["all", "most", "part", "none", "not predicted"]
"""Of a delegate: ``all`` ops; ``most``: :data:`MOST` of the MACs or more in :data:`FEW_PARTITIONS` or fewer; ``part``;
``none``; ``not predicted`` where there is no rule set to ask."""

MOST = 0.95
FEW_PARTITIONS = 3
VERDICTS: tuple[Verdict, ...] = ("not predicted", "none", "part", "most", "all")
"""From worst to best."""


def verdict_of(claimed: int, ops: int, mac_share: float, partitions: int) -> Verdict:
    """The verdict by the thresholds above."""
    if claimed == 0:
        return "none"
    if claimed == ops:
        return "all"
    return "most" if mac_share >= MOST and partitions <= FEW_PARTITIONS else "part"


@dataclass(frozen=True)
class Advice:
    """A change that would help, as far as the rules can tell; it was tried on a description, not made.

    Attributes:
        changes: what to do, in order.
        needs: what the gravest of them takes.
        mac_share_now: share of MACs that the delegate takes now; of the ops where there are no MACs.
        mac_share: and after the changes.
        partitions_now: likewise.
        partitions: likewise.
        verdict: after the changes.
    """

    changes: tuple[str, ...]
    needs: str
    mac_share_now: float
    mac_share: float
    partitions_now: int
    partitions: int
    verdict: Verdict


@dataclass(frozen=True)
class Obstacle:
    """Ops that one constraint keeps outside: how many, the first of them, and the subgraph that holds it."""

    rule: str
    op_name: str
    count: int
    first: Reason
    subgraph: int = 0


@dataclass(frozen=True)
class OpPlace:
    """Where one op of a subgraph goes: into a partition of the delegate, or outside for a reason."""

    subgraph: int
    op: int
    op_name: str
    result: str
    partition: int | None
    reason: Reason | None = None


@dataclass(frozen=True)
class DelegateCheck:
    """Where the ops of the main subgraph, and of all that it calls, would run under one delegate.

    Attributes:
        rules: the rule set.
        accelerator: what the delegate runs on.
        verdict: in one word.
        ops: how many there are, bodies of loops and branches among them.
        claimed: how many of them are claimed.
        mac_share: claimed share of multiply-accumulates, 0 to 1; a loop counts once.
        byte_share: claimed share of the bytes that ops read and write: weights, inputs and results of each.
        partitions: rows of ops that the delegate runs without handing back.
        boundary_bytes: bytes of the values that cross between delegate and CPU in one run; a loop counts once.
        obstacles: why ops stay outside, the costliest first (by MACs, then by number).
        failures: ops with which the engine refuses the file or dies.
        source: file and version that the rules were read from.
        engine: the runtime whose version of the rules this is; empty where they do not tell runtimes apart.
        note: what the rules cannot know.
        advice: the smallest changes that would help, the most useful first.
        places: every op, in order.
        vela: what Arm's compiler says, for an Ethos-U where it is installed; the placement is its then.
        vela_failure: how it failed, where it did.
        vela_differs: ops that our own rules place otherwise than it does.
        on_chip_bytes: memory of the accelerator's own, where the profile knows it.
    """

    rules: str
    accelerator: str
    verdict: Verdict
    ops: int
    claimed: int
    mac_share: float
    partitions: int
    boundary_bytes: int
    obstacles: tuple[Obstacle, ...] = ()
    failures: tuple[Reason, ...] = ()
    source: str = ""
    note: str = ""
    byte_share: float = 0.0
    engine: str = ""
    advice: tuple[Advice, ...] = ()
    places: tuple[OpPlace, ...] = ()
    vela: VelaAnswer | None = None
    vela_failure: str = ""
    vela_differs: tuple[int, ...] = ()
    on_chip_bytes: int | None = None


@dataclass(frozen=True)
class MemoryPath:
    """The memory of the process if the ops that a delegate takes run there, and all others in TFLite's own kernels.

    Attributes:
        name: rules and accelerator; ``no delegate`` for TFLite's own kernels alone.
        total_bytes: the file, mapped, and the heap.
        heap_bytes: what the interpreter allocates until its first run is over.
        arena_bytes: TFLite's arena of it: inputs, outputs, and what its own kernels pass on.
        persistent_bytes: variables and prepared constants.
        kernel_bytes: what its kernels keep besides.
        variable_bytes: resource variables.
        packed_bytes: XNNPACK's copy of the weights, in the order in which its kernels read them.
        unpacked_bytes: weights that XNNPACK converts to float32.
        indirection_bytes: its tables of pointers.
        workspace_bytes: its room for values inside a partition.
        descriptor_bytes: its records.
        claimed_weight_bytes: weights of the ops that the delegate takes, as the file holds them.
        complete: whether all that the delegate allocates is part of it.
        heap_least_bytes: the heap if the prediction is off as far as it was seen to be, downwards.
        heap_most_bytes: likewise, upwards.
        cpu_kernels: the kind of CPU by whose kernels XNNPACK's part was computed; empty where it has none.
        cpu_evidence: how far these were counted: ``measured``, ``emulated``, ``translated`` from another release
            of the engine, or ``read`` in XNNPACK's source alone.
    """

    name: str
    total_bytes: int
    heap_bytes: int
    arena_bytes: int
    persistent_bytes: int
    kernel_bytes: int
    variable_bytes: int
    packed_bytes: int
    unpacked_bytes: int
    indirection_bytes: int
    workspace_bytes: int
    descriptor_bytes: int
    claimed_weight_bytes: int
    complete: bool
    heap_least_bytes: int
    heap_most_bytes: int
    cpu_kernels: str
    cpu_evidence: str


@dataclass(frozen=True)
class MemoryCheck:
    """Bytes that the file needs at least, against what the device gives one process.

    Attributes:
        file_bytes: the file, mapped.
        input_bytes: values of the main signature's inputs.
        output_bytes: of its outputs.
        paths: by delegate, in the device's order; the last is TFLite alone.
        floor_path: the path that the budget is held against: XNNPACK where a runtime of the device has it.
        floor_because: why.
        floor_bytes: its total. Not in it: the runtime's own code and what the program itself takes.
        floor_most_bytes: likewise, if the prediction is too low as far as it was seen to be.
        budget_bytes: what one process may take on the device.
        peak_op: the op at which TFLite's own arena is fullest.
        peak_bytes: bytes alive there.
        complete: whether every kernel's memory is known; if not, the sizes are lower bounds.
    """

    file_bytes: int
    input_bytes: int
    output_bytes: int
    paths: tuple[MemoryPath, ...]
    floor_path: str
    floor_because: str
    floor_bytes: int
    floor_most_bytes: int
    budget_bytes: int
    peak_op: str
    peak_bytes: int
    complete: bool

    @property
    def fits(self) -> bool:
        """Whether the floor is within the budget."""
        return self.floor_bytes <= self.budget_bytes


@dataclass(frozen=True)
class RuntimeCheck:
    """Whether a runtime has every op at its version.

    ``loads`` is None where its op versions were not measured; ``measured_as`` names the runtime they were taken from.
    """

    name: str
    version: str
    loads: bool | None
    measured_as: str
    missing: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, repr=False)
class CheckReport(Tabular):
    """One file on one device: ``findings`` about both, ``lint`` about the file, ``timeline`` about its signature."""

    artifact: str
    profile: str
    fits: bool
    delegates: tuple[DelegateCheck, ...]
    memory: MemoryCheck
    runtimes: tuple[RuntimeCheck, ...]
    findings: tuple[Finding, ...]
    lint: tuple[LintFinding, ...] = ()
    timeline: Timeline | None = None
    signature: str | None = None

    @property
    def subject(self) -> str:
        """The file, and the entry point that was asked for."""
        return self.artifact if self.signature is None else f"{self.artifact}, signature `{self.signature}`,"

    def headline(self) -> str:
        """Whether it fits."""
        return f"{self.subject} on {self.profile}: predicted {'to fit' if self.fits else 'NOT to fit'}"

    def rows(self) -> list[dict[str, Any]]:
        """A row for each delegate."""
        return [
            {
                "delegate": one.rules,
                "accelerator": one.accelerator,
                "verdict": one.verdict,
                "ops": one.ops,
                "claimed": one.claimed,
                "mac_share": one.mac_share,
                "partitions": one.partitions,
            }
            for one in self.delegates
        ]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "memory": {**asdict(self.memory), "fits": self.memory.fits}}
