"""What a compiler offers, and what comes out of one: a file, where each op went, and what the user must know of it."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from edge_sdk.checks.verdict import OpPlace
from edge_sdk.errors import TargetError, nearest
from edge_sdk.findings import Finding
from edge_sdk.profile.records import DeviceProfile
from edge_sdk.progress import Progress

COMPILERS: Mapping[str, str] = MappingProxyType(
    {
        "vela": "edge_sdk.converters.compilers.vela:COMPILER",
        "qualcomm": "edge_sdk.converters.compilers.qualcomm.compiler:COMPILER",
        "rockchip": "edge_sdk.converters.compilers.rockchip:COMPILER",
    }
)
"""Name to ``module:object``; a file and a line add one."""


@dataclass(frozen=True)
class License:
    """A vendor's licence: its name, what it asks in one line, and whether the user must have said yes to it."""

    name: str
    terms: str
    asks: bool


@dataclass(frozen=True)
class Job:
    """What a compiler is given.

    Attributes:
        content: a .tflite file.
        target: the chip, in the compiler's own word, such as ``SM8650``.
        python: of the environment that holds the compiler; None for this one.
        seconds: after which it is stopped.
        progress: hears of stages.
    """

    content: bytes
    target: str
    python: Path | None
    seconds: float
    progress: Progress


@dataclass(frozen=True)
class Simulated:
    """One run on the NPU by the vendor's own model of it: *simulated*, never measured. Ops outside are not in it.

    Attributes:
        ms: what it says.
        low_ms: its own lower bound; None where it gives none.
        high_ms: its upper bound; likewise.
        basis: what it assumes, in words.
    """

    ms: float
    low_ms: float | None
    high_ms: float | None
    basis: str


@dataclass(frozen=True)
class Compilation:
    """A file for one chip, and the compiler's own account of it. Nothing was run.

    Attributes:
        compiler: key of :data:`COMPILERS`.
        tool: what compiled, with versions.
        target: the chip.
        content: the file.
        suffix: of its name.
        places: every op of the file that was given: its partition on the NPU, or why it stays outside; empty where the
            compiler does not say.
        partitions: how many pieces the NPU runs without handing back; None where the compiler does not say.
        account: what else the compiler says, as plain data: *predicted* by it.
        findings: what the user must know.
        simulated: time of one run, by the vendor's own model of the chip; None where it gives none.
    """

    compiler: str
    tool: str
    target: str
    content: bytes = field(repr=False)
    suffix: str
    places: tuple[OpPlace, ...]
    partitions: int | None
    account: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    simulated: Simulated | None = None

    @property
    def outside(self) -> tuple[OpPlace, ...]:
        """The ops that stay on the CPU, each with the reason."""
        return tuple(place for place in self.places if place.reason is not None)

    def as_json(self) -> dict[str, Any]:
        """Plain data; of the content its size."""
        values = {name: getattr(self, name) for name in ("compiler", "tool", "target", "partitions")}
        return {
            **values,
            "size_bytes": len(self.content),
            "ops": len(self.places),
            "ops_on_npu": len(self.places) - len(self.outside),
            "places": [asdict(place) for place in self.places],
            "account": dict(self.account),
            "simulated": asdict(self.simulated) if self.simulated else None,
            "findings": [finding.as_json() for finding in self.findings],
        }


class Compiler(Protocol):
    """One vendor's compiler.

    ``extra`` is what brings it, ``elsewhere`` whether it may be in another environment than edge-sdk's own.
    """

    name: str
    extra: str
    elsewhere: bool
    license: License

    def target_of(self, profile: DeviceProfile) -> str | None:
        """The device's chip in the compiler's own word; None where it is not this compiler's."""
        ...

    def ending(self, target: str, /) -> str:
        """What is put behind a file's name, suffix and all: ``_sm8650.tflite``."""
        ...

    def ready(self, target: str, python: Path | None) -> None:
        """Whether it could compile for that chip.

        Raises:
            MissingDependencyError: it is not installed.
            TargetError: it knows no such chip; names the nearest.
            ToolError: it is there and does not start.
        """
        ...

    def compile(self, job: Job) -> Compilation:
        """Compiles a file.

        Raises:
            ToolError: it refused the file, failed, died, did not end, or left what cannot be read.
            NothingPlacedError: it ended well, and nothing of the file is on the NPU.
        """
        ...


def find_compiler(name: str) -> Compiler:
    """A compiler by name.

    Raises:
        TargetError: there is none of that name.
    """
    if name not in COMPILERS:
        raise TargetError(f"no compiler `{name}`{nearest(name, COMPILERS)}", hint=f"one of {', '.join(COMPILERS)}")
    found: Compiler = pkgutil.resolve_name(COMPILERS[name])
    return found


def compiler_for(profile: DeviceProfile) -> tuple[Compiler, str]:
    """The compiler for a device's NPU, and the chip in its word.

    Raises:
        TargetError: there is none.
    """
    for name in COMPILERS:
        compiler = find_compiler(name)
        target = compiler.target_of(profile)
        if target is not None:
            return compiler, target
    has = f"its {profile.soc.npu.name} takes no files of theirs" if profile.soc.npu else "the profile names no NPU"
    raise TargetError(
        f"{profile.id}: none of the compilers {', '.join(COMPILERS)} is for its chip, {profile.soc.name}: {has}",
        hint="name the chip by --soc, such as qualcomm:SM8650, if you know better; `edge-sdk check` predicts delegates",
    )
