"""A check as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from edge_sdk.checks.verdict import CheckReport, DelegateCheck, MemoryCheck, MemoryPath, RuntimeCheck
from edge_sdk.report.lines import field, size_text

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
    took = f"{check.claimed} of {check.ops} ops, {check.mac_share:.1%} of MACs, {check.byte_share:.1%} of bytes, "
    took += f"{_count(check.partitions)}, {size_text(check.boundary_bytes)} across the boundary"
    lines = [field(check.rules, f"on {check.accelerator}: {check.verdict}; {took}")]
    lines += [
        field("", f"{obstacle.count} x {obstacle.op_name}: {obstacle.first.message} [{obstacle.rule}]")
        for obstacle in check.obstacles[:_OBSTACLES]
    ]
    if len(check.obstacles) > _OBSTACLES:
        lines.append(field("", f"and {len(check.obstacles) - _OBSTACLES} more reasons (--json)"))
    engine = f"as in {check.engine}; " if check.engine else ""
    lines.append(field("", f"{engine}rules: {check.source}"))
    return lines


def _count(partitions: int) -> str:
    return f"{partitions} partition{'' if partitions == 1 else 's'}"


def _memory(memory: MemoryCheck) -> list[str]:
    least = f"{size_text(memory.floor_bytes)} of {size_text(memory.budget_bytes)}"
    lines = [
        field(
            "memory",
            f"at least {least}, by {memory.floor_path}",
        ),
        field("", f"({memory.floor_because}); the runtime's code and the program come on top"),
        field(
            "",
            f"file {size_text(memory.file_bytes)}, inputs {size_text(memory.input_bytes)}, outputs "
            f"{size_text(memory.output_bytes)}",
        ),
    ]
    lines += [field("", _path(path)) for path in memory.paths]
    peak = f"without delegate the arena is fullest at {memory.peak_op}, with {size_text(memory.peak_bytes)} of tensors"
    return [*lines, *([field("", peak)] if memory.peak_op else [])]


_PARTS = (
    ("arena", "arena_bytes"),
    ("kept", "persistent_bytes"),
    ("kernels", "kernel_bytes"),
    ("variables", "variable_bytes"),
    ("packed weights", "packed_bytes"),
    ("weights as float32", "unpacked_bytes"),
    ("pointers", "indirection_bytes"),
    ("workspace", "workspace_bytes"),
    ("records", "descriptor_bytes"),
)


def _path(path: MemoryPath) -> str:
    parts = ", ".join(f"{name} {size_text(getattr(path, key))}" for name, key in _PARTS if getattr(path, key))
    text = f"{path.name}: heap {size_text(path.heap_bytes)}: {parts}"
    if path.complete or not path.claimed_weight_bytes:
        return text
    return f"{text}; not known: what the delegate makes of {size_text(path.claimed_weight_bytes)} of weights"


def _runtimes(runtimes: Sequence[RuntimeCheck]) -> list[str]:
    words = []
    for runtime in runtimes:
        verdict = {True: "has every op", False: "lacks ops", None: "op versions not measured"}[runtime.loads]
        taken = f" (measured on {runtime.measured_as})" if runtime.measured_as else ""
        words.append(f"{runtime.name} {runtime.version}: {verdict}{taken}")
    return [field("runtimes" if place == 0 else "", text) for place, text in enumerate(words or ["none"])]
