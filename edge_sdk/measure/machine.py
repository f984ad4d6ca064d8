"""What is measured on: its clock, the files that tell of it, and what they say it is."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from pathlib import Path

from edge_sdk.measure.clock import Clock
from edge_sdk.measure.records import EnvironmentInfo


@dataclass(frozen=True)
class Machine:
    """What a benchmark runs on; others for tests.

    Attributes:
        clock: what times.
        root: of the file system that is watched.
        cpus: how many there are.
    """

    clock: Clock = field(default_factory=Clock)
    root: Path = Path("/")
    cpus: int = os.cpu_count() or 1


def environment(machine: Machine) -> EnvironmentInfo:
    """Of this machine, from what its system tells."""
    from edge_sdk.profile.detect import machine_name

    def text(path: str) -> str:
        try:
            return (machine.root / path).read_text(encoding="utf-8", errors="replace").strip("\0\n ")
        except OSError:
            return ""

    lines = [line.partition(":") for line in text("proc/cpuinfo").splitlines()]
    known = {title.strip(): name.strip() for title, _, name in lines}
    memory_kb = next((line.split()[1] for line in text("proc/meminfo").splitlines() if line.startswith("MemTotal")), "")
    return EnvironmentInfo(
        platform="linux" if platform.system() == "Linux" else "other",
        os_version=f"{platform.system()} {platform.release()}",
        model_name=machine_name(machine.root),
        arch=platform.machine(),
        cpus=machine.cpus,
        manufacturer=text("sys/class/dmi/id/sys_vendor") or None,
        proc_cpuinfo_soc_name=known.get("Hardware") or known.get("model name"),
        total_memory_bytes=int(memory_kb) * 1024 if memory_kb.isdigit() else None,
        python=platform.python_version(),
    )
