"""What a check has to say, from what its parts found: findings with a rule id and a severity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_sdk.checks.budget import MIB
from edge_sdk.checks.rule_sets import rule_set
from edge_sdk.checks.verdict import DelegateCheck, MemoryCheck, RuntimeCheck
from edge_sdk.findings import Finding


def conclusions(
    delegates: Sequence[DelegateCheck], memory: MemoryCheck, runtimes: Sequence[RuntimeCheck]
) -> Iterator[Finding]:
    """Errors, by which the file does not fit, warnings and what else is worth knowing."""
    yield from _memory_findings(memory)
    yield from _runtime_findings(runtimes)
    yield from _delegate_findings(delegates)
    yield from _version_findings(delegates, runtimes)


def _memory_findings(memory: MemoryCheck) -> Iterator[Finding]:
    if not memory.fits:
        message = (
            f"needs at least {memory.floor_bytes / MIB:.1f} MiB, a process may take {memory.budget_bytes / MIB:.0f}"
        )
        yield Finding("memory-over-budget", "error", message, "memory", "a smaller input, or int8")
    if not memory.complete:
        yield Finding("memory-incomplete", "info", "some kernels ask for scratch that is not part of it", "memory")


def _runtime_findings(runtimes: Sequence[RuntimeCheck]) -> Iterator[Finding]:
    for runtime in runtimes:
        if runtime.loads is False:
            ops = ", ".join(f"{name} version {version}" for name, version in runtime.missing)
            yield Finding("runtime-lacks-op", "warning", f"has no {ops}", f"{runtime.name} {runtime.version}")
    if runtimes and all(runtime.loads is False for runtime in runtimes):
        yield Finding("no-runtime-loads", "error", "no runtime of the device has every op of the file", "runtime")
    if not runtimes:
        yield Finding("no-runtime", "error", "no runtime installs on this device", "runtime")


def _version_findings(delegates: Sequence[DelegateCheck], runtimes: Sequence[RuntimeCheck]) -> Iterator[Finding]:
    """Rules hold for the engines they were read from; the runtimes of the device may be others."""
    for delegate in delegates:
        engines = rule_set(delegate.rules).engines if delegate.verdict != "not predicted" else ()
        others = [f"{r.name} {r.version}" for r in runtimes if engines and r.version not in engines]
        if others:
            message = f"rules of ai-edge-litert {', '.join(engines)}; {', '.join(others)} may place ops otherwise"
            hint = "tflite-runtime 2.14 gives XNNPACK float ops only" if "tflite-runtime 2.14.0" in others else ""
            yield Finding(
                "rules-of-other-version", "info", message, f"{delegate.rules} on {delegate.accelerator}", hint
            )


def _delegate_findings(delegates: Sequence[DelegateCheck]) -> Iterator[Finding]:
    for delegate in delegates:
        where = f"{delegate.rules} on {delegate.accelerator}"
        for obstacle in delegate.obstacles:
            if obstacle.rule == "device-per-tensor-only":
                message = (
                    f"{obstacle.count} {obstacle.op_name} have weights per channel, this accelerator takes one scale"
                )
                yield Finding("per-channel-weights", "warning", message, where, "convert with --weights per_tensor")
        for failure in delegate.failures[:1]:
            yield Finding("will-not-load", "error", f"op {failure.op} {failure.op_name}: {failure.message}", where)
        if delegate.verdict in ("none", "part") and delegate.accelerator != "cpu":
            parts = f"{delegate.partitions} partition{'' if delegate.partitions == 1 else 's'}"
            message = f"takes {delegate.mac_share:.0%} of the MACs in {parts}; the rest falls "
            yield Finding("falls-back-to-cpu", "warning", message + "back to the CPU", where)
