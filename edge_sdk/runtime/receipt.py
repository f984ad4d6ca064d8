"""What was asked, what runs, and why nothing else does: kept by every session."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any, Literal

from edge_sdk.rows import Tabular
from edge_sdk.runtime.memory import Need
from edge_sdk.runtime.policy import Accelerator, Policy, Reason
from edge_sdk.version import __version__

ToldBy = Literal["measured", "predicted"]
"""``measured``: by the engine itself after loading; ``predicted``: by rules, where the engine does not say."""


@dataclass(frozen=True)
class Placement:
    """Which part of the main subgraph a delegate took; None where nobody knows.

    ``mac_share`` is its share of multiply-accumulates, 0 to 1; of ops, where the file has none. ``told_by`` is of the
    counts, ``share_told_by`` of the share: an engine may tell how many ops were taken and not which. Where that refutes
    the rules, ``share_is_least``: it is a lower bound.
    """

    ops: int
    delegated: int | None
    partitions: int | None
    mac_share: float | None
    told_by: ToldBy | None
    share_told_by: ToldBy | None
    share_is_least: bool = False

    def __str__(self) -> str:
        if self.delegated is None:
            return "nobody knows which ops it took"
        parts = f" in {self.partitions} partition{'' if self.partitions == 1 else 's'}" if self.partitions else ""
        counts = f"{self.delegated} of {self.ops} ops{parts}"
        if self.mac_share is None:
            return f"{counts} ({self.told_by})"
        least = "at least " if self.share_is_least else ""
        share = f"{least}{self.mac_share:.0%} of MACs ({self.share_told_by})"
        return f"{counts}, {share}" if self.told_by == self.share_told_by else f"{counts} ({self.told_by}), {share}"


@dataclass(frozen=True)
class SelfTest:
    """Outputs against a reference.

    Attributes:
        result: None where there was nothing to compare with, or nobody wanted it.
        against: the reference.
        cases: how many runs were compared.
        faults: outputs that were off: measured, and the limit.
        doubt: what weakens the verdict; empty if nothing does.
        decided: the ops before which values were compared, where outputs differ by what these decide between; else
            empty.
    """

    result: Literal["passed", "failed"] | None
    against: str
    cases: int = 0
    faults: tuple[str, ...] = ()
    doubt: str = ""
    decided: str = ""

    def __str__(self) -> str:
        if self.result is None:
            return f"not verified: {self.against}"
        doubt = f", but {self.doubt}" if self.doubt else ""
        before = (
            f" right before {self.decided}, which decides between values that hardly differ" if self.decided else ""
        )
        return f"{'verified' if self.result == 'passed' else 'wrong'} against {self.against}{before}{doubt}"


@dataclass(frozen=True)
class Attempt:
    """One candidate: how it went, on so many CPU threads. Times are measured, None for what did not happen."""

    candidate: str
    accelerator: Accelerator
    outcome: Reason | Literal["chosen"]
    detail: str = ""
    variant: str | None = None
    engine: str | None = None
    placement: Placement | None = None
    self_test: SelfTest | None = None
    init_ms: float | None = None
    first_run_ms: float | None = None
    run_ms: float | None = None
    notes: tuple[str, ...] = ()
    threads: int = 1

    def __str__(self) -> str:
        return f"{self.candidate} {self.outcome}{f': {self.detail}' if self.detail else ''}"


@dataclass(frozen=True)
class Opening:
    """One model opened: the attempt that was chosen, and every candidate's fate in order.

    Attributes:
        model: its name.
        variant: of a bundle; None for a bare file.
        sha256: of the model.
        chosen: what runs.
        attempts: all candidates, the chosen one among them.
        need: predicted memory, of each replica.
        replicas: interpreters that run it side by side.
    """

    model: str
    variant: str | None
    sha256: str
    chosen: Attempt
    attempts: tuple[Attempt, ...]
    need: Need
    replicas: int = 1

    def line(self) -> str:
        """In one line."""
        got, others = self.chosen, [one for one in self.attempts if one is not self.chosen]
        parts = [
            f"{self.model}, sha256 {self.sha256[:12]}: {got.candidate} on {got.accelerator}",
            str(got.engine),
            *([str(got.placement)] if got.placement and got.candidate != "cpu" else []),
            *([str(got.self_test)] if got.self_test else []),
            f"init {_ms(got.init_ms)}, first run {_ms(got.first_run_ms)}, then {_ms(got.run_ms)}",
            *([f"{self.replicas} replicas"] if self.replicas > 1 else []),
            *got.notes,
            *(str(one) for one in others),
        ]
        return "; ".join(" ".join(part.split()) for part in parts)


@dataclass(frozen=True)
class Switch:
    """Another variant took over.

    Attributes:
        run: number of runs that the session had done.
        variant: the one that took over.
        previous: the one before.
        why: with numbers, all measured here.
    """

    run: int
    variant: str
    previous: str
    why: str


@dataclass(frozen=True)
class Device:
    """Where it ran."""

    name: str
    arch: str
    system: str
    cpus: int
    python: str


@dataclass(frozen=True)
class Asked:
    """What the caller wanted: ``auto`` or names of delegates; the profile's id, or that the machine was looked at.

    ``threads`` is None for ``auto``.
    """

    model: str
    delegates: tuple[str, ...]
    profile: str
    policy: Policy
    engine: str | None
    threads: int | None
    variants: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Receipt(Tabular):
    """A session's account of itself.

    Attributes:
        asked: by the caller.
        device: this one.
        openings: each model that was opened, the latest last.
        active: variant that runs now; None for a bare file.
        switches: between variants.
        edge_sdk: version.
    """

    asked: Asked
    device: Device
    openings: tuple[Opening, ...]
    active: str | None
    switches: tuple[Switch, ...] = ()
    edge_sdk: str = __version__

    @property
    def opening(self) -> Opening:
        """Of the model that runs now."""
        return next(one for one in reversed(self.openings) if one.variant == self.active)

    def headline(self) -> str:
        """What runs, where."""
        got = self.opening.chosen
        return f"{self.opening.model}: {got.candidate} on {got.accelerator}, {got.engine}"

    def rows(self) -> list[dict[str, Any]]:
        """A row for each candidate of each opening, in the order of their trial; times in ms, None for not measured."""
        return [
            {
                "model": opening.model,
                "variant": opening.variant,
                "candidate": one.candidate,
                "accelerator": one.accelerator,
                "outcome": one.outcome,
                "detail": one.detail,
                "threads": one.threads,
                "init_ms": one.init_ms,
                "first_run_ms": one.first_run_ms,
                "run_ms": one.run_ms,
            }
            for opening in self.openings
            for one in opening.attempts
        ]

    def line(self) -> str:
        """In one line: what runs, and why nothing else does."""
        changes = f"; {len(self.switches)} switches, the last: {self.switches[-1].why}" if self.switches else ""
        return self.opening.line() + changes

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        needs = [one.need.as_json() for one in self.openings]
        data = asdict(self)
        for opening, need in zip(data["openings"], needs, strict=True):
            opening["need"] = need
        return data


def _ms(value: float | None) -> str:
    return "not timed" if value is None else f"{value:.3g} ms"


def this_device() -> Device:
    """Of this machine, from files that the system offers."""
    import platform

    from edge_sdk.profile.detect import machine_name

    return Device(
        name=machine_name(),
        arch=platform.machine(),
        system=f"{platform.system()} {platform.release()}",
        cpus=os.cpu_count() or 1,
        python=platform.python_version(),
    )
