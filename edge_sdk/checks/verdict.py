"""What a check says of one file on one device, as values. All of it is *predicted*; nothing was run on the device."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from edge_sdk.checks.site import Reason
from edge_sdk.checks.vela_answer import VelaAnswer
from edge_sdk.findings import Finding

Verdict = Literal["all", "most", "part", "none", "not predicted"]
"""Of a delegate: ``all`` ops; ``most``: :data:`MOST` of the MACs or more in :data:`FEW_PARTITIONS` or fewer; ``part``;
``none``; ``not predicted`` where there is no rule set to ask."""

MOST = 0.95
FEW_PARTITIONS = 3


@dataclass(frozen=True)
class Obstacle:
    """Ops that one constraint keeps outside: how many, and the first of them."""

    rule: str
    op_name: str
    count: int
    first: Reason


@dataclass(frozen=True)
class DelegateCheck:
    """Where the ops of the main subgraph would run under one delegate.

    Attributes:
        rules: the rule set.
        accelerator: what the delegate runs on.
        verdict: in one word.
        ops: of the main subgraph, and how many of them are claimed.
        claimed: see ``ops``.
        mac_share: claimed share of multiply-accumulates, 0 to 1.
        partitions: rows of ops that the delegate runs without handing back.
        boundary_bytes: bytes of the values that cross between delegate and CPU in one run.
        obstacles: why ops stay outside, the costliest first (by MACs, then by number).
        failures: ops with which the engine refuses the file or dies.
        source: file and version that the rules were read from.
        note: what the rules cannot know.
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
    vela: VelaAnswer | None = None
    vela_failure: str = ""
    vela_differs: tuple[int, ...] = ()
    on_chip_bytes: int | None = None


@dataclass(frozen=True)
class MemoryCheck:
    """Bytes that the file needs at least, against what the device gives one process.

    ``floor_bytes`` is the file itself, mapped, and TFLite's arenas without any delegate. Not in it: the interpreter,
    and a delegate's packed weights and workspace.
    """

    file_bytes: int
    arena_bytes: int
    persistent_bytes: int
    heap_bytes: int
    floor_bytes: int
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


@dataclass(frozen=True)
class CheckReport:
    """One file on one device."""

    artifact: str
    profile: str
    fits: bool
    delegates: tuple[DelegateCheck, ...]
    memory: MemoryCheck
    runtimes: tuple[RuntimeCheck, ...]
    findings: tuple[Finding, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "memory": {**asdict(self.memory), "fits": self.memory.fits}}
