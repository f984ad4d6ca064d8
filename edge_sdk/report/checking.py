"""A check as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from edge_sdk.checks.verdict import CheckReport, DelegateCheck, MemoryCheck, RuntimeCheck
from edge_sdk.report.lines import field, size_text
from edge_sdk.report.vela import vela_lines

_OBSTACLES = 6


def check_text(report: CheckReport) -> str:
    """The verdict in the first line; then delegates, memory, runtimes, findings."""
    verdict = "predicted to fit" if report.fits else "DOES NOT FIT"
    lines = [f"{report.artifact} on {report.profile}: {verdict} (predicted from rules; nothing ran on the device)"]
    for delegate in report.delegates:
        lines += ["", *_delegate(delegate)]
    if not report.delegates:
        lines += ["", field("delegates", "none: every op runs in the runtime's own kernels")]
    lines += ["", *_memory(report.memory), *_runtimes(report.runtimes)]
    if report.findings:
        lines += ["", *(f"  {finding}" for finding in report.findings)]
    return "\n".join(lines)


def _delegate(check: DelegateCheck) -> list[str]:
    if check.verdict == "not predicted":
        return [field(check.rules, f"on {check.accelerator}: not predicted; {check.note}")]
    took = f"{check.claimed} of {check.ops} ops, {check.mac_share:.1%} of MACs, {_count(check.partitions)}, "
    took += f"{size_text(check.boundary_bytes)} across the boundary"
    lines = [field(check.rules, f"on {check.accelerator}: {check.verdict}; {took}")]
    lines += [
        field("", f"{obstacle.count} x {obstacle.op_name}: {obstacle.first.message} [{obstacle.rule}]")
        for obstacle in check.obstacles[:_OBSTACLES]
    ]
    if len(check.obstacles) > _OBSTACLES:
        lines.append(field("", f"and {len(check.obstacles) - _OBSTACLES} more reasons (--json)"))
    lines.append(field("", f"rules: {check.source}"))
    return lines + (vela_lines(check.vela) if check.vela else [])


def _count(partitions: int) -> str:
    return f"{partitions} partition{'' if partitions == 1 else 's'}"


def _memory(memory: MemoryCheck) -> list[str]:
    parts = f"file {size_text(memory.file_bytes)}, arena {size_text(memory.arena_bytes)}"
    if memory.persistent_bytes or memory.heap_bytes:
        parts += f", kept {size_text(memory.persistent_bytes)}, heap {size_text(memory.heap_bytes)}"
    return [
        field("memory", f"at least {size_text(memory.floor_bytes)} of {size_text(memory.budget_bytes)}: {parts}"),
        field("", f"fullest at {memory.peak_op} with {size_text(memory.peak_bytes)} of tensors; without the"),
        field("", "interpreter and a delegate's packed weights and workspace"),
    ]


def _runtimes(runtimes: Sequence[RuntimeCheck]) -> list[str]:
    words = []
    for runtime in runtimes:
        verdict = {True: "has every op", False: "lacks ops", None: "op versions not measured"}[runtime.loads]
        taken = f" (measured on {runtime.measured_as})" if runtime.measured_as else ""
        words.append(f"{runtime.name} {runtime.version}: {verdict}{taken}")
    return [field("runtimes" if place == 0 else "", text) for place, text in enumerate(words or ["none"])]
