"""What a check has to say, from what its parts found: findings with a rule id and a severity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_sdk.checks.budget import KIB, MIB
from edge_sdk.checks.placement.rule_sets import rule_set
from edge_sdk.checks.runtimes import XnnpackEngine
from edge_sdk.checks.vela_findings import ethos_u_findings
from edge_sdk.checks.verdict import DelegateCheck, MemoryCheck, RuntimeCheck
from edge_sdk.findings import Finding


def conclusions(
    delegates: Sequence[DelegateCheck],
    memory: MemoryCheck,
    runtimes: Sequence[RuntimeCheck],
    engines: Sequence[tuple[XnnpackEngine, DelegateCheck]] = (),
) -> Iterator[Finding]:
    """Errors, by which the file does not fit, warnings and what else is worth knowing."""
    yield from _memory_findings(memory)
    yield from _runtime_findings(runtimes)
    yield from _delegate_findings(delegates)
    yield from ethos_u_findings(delegates)
    yield from _engine_findings(delegates, runtimes, engines)


def _memory_findings(memory: MemoryCheck) -> Iterator[Finding]:
    if not memory.fits:
        message = (
            f"needs at least {memory.floor_bytes / MIB:.1f} MiB ({memory.floor_path}), a process may take "
            f"{memory.budget_bytes / MIB:.0f}"
        )
        yield Finding("memory-over-budget", "error", message, "memory", "a smaller input, or int8")
    elif memory.floor_most_bytes > memory.budget_bytes:
        message = (
            f"predicted {memory.floor_bytes / MIB:.1f} MiB, which may be up to {memory.floor_most_bytes / MIB:.1f}; a "
            f"process may take {memory.budget_bytes / MIB:.0f}"
        )
        yield Finding("memory-near-budget", "warning", message, "memory", "a smaller input, or int8")
    if not memory.complete:
        yield Finding("memory-incomplete", "info", "some kernels ask for scratch that is not part of it", "memory")
    yield from _kernel_findings(memory)


def _kernel_findings(memory: MemoryCheck) -> Iterator[Finding]:
    for path in memory.paths:
        if path.cpu_kernels and path.cpu_evidence == "read":
            message = (
                f"{path.name}: heap {path.heap_least_bytes / KIB:,.0f} to {path.heap_most_bytes / KIB:,.0f} KiB, for "
                f"how XNNPACK packs weights on such a CPU ({path.cpu_kernels}) was read in its source, not counted"
            )
            yield Finding("memory-kernels-read", "info", message, "memory")


def _runtime_findings(runtimes: Sequence[RuntimeCheck]) -> Iterator[Finding]:
    for runtime in runtimes:
        if runtime.loads is False:
            ops = ", ".join(f"{name} version {version}" for name, version in runtime.missing)
            yield Finding("runtime-lacks-op", "warning", f"has no {ops}", f"{runtime.name} {runtime.version}")
    if runtimes and all(runtime.loads is False for runtime in runtimes):
        yield Finding("no-runtime-loads", "error", "no runtime of the device has every op of the file", "runtime")
    if not runtimes:
        yield Finding("no-runtime", "error", "no runtime installs on this device", "runtime")


def _engine_findings(
    delegates: Sequence[DelegateCheck],
    runtimes: Sequence[RuntimeCheck],
    engines: Sequence[tuple[XnnpackEngine, DelegateCheck]],
) -> Iterator[Finding]:
    """XNNPACK is part of the runtime, so each runtime of the device has its own."""
    for engine, check in engines:
        where = f"xnnpack in {engine.runtime}"
        if not engine.exact:
            known = ", ".join(rule_set(engine.rules).engines)
            yield Finding("rules-of-other-version", "info", f"the rules were measured on {known}", where)
        for first in [one for one in delegates if one.rules == "xnnpack"]:
            if (check.claimed, check.partitions) != (first.claimed, first.partitions):
                message = f"takes {check.claimed} of {check.ops} ops, in {first.engine} {first.claimed}"
                yield Finding("runtime-places-otherwise", "warning", message, where, f"run it with {first.engine}")
    asked = {engine.runtime for engine, _ in engines}
    others = [f"{one.name} {one.version}" for one in runtimes if f"{one.name} {one.version}" not in asked]
    if others and any(one.rules == "xnnpack" for one in delegates):
        message = f"what XNNPACK takes in {', '.join(others)} was not measured"
        yield Finding("rules-of-other-version", "info", message, "xnnpack on cpu")


def _delegate_findings(delegates: Sequence[DelegateCheck]) -> Iterator[Finding]:
    for delegate in delegates:
        where = f"{delegate.rules} on {delegate.accelerator}"
        for obstacle in delegate.obstacles:
            if obstacle.rule == "device-per-tensor-only":
                message = (
                    f"{obstacle.count} {obstacle.op_name} have weights per channel, this accelerator takes one scale"
                )
                yield Finding(
                    "per-channel-weights",
                    "warning",
                    message,
                    where,
                    "convert with --weights per_tensor",
                )
        for failure in delegate.failures[:1]:
            yield Finding("will-not-load", "error", f"op {failure.op} {failure.op_name}: {failure.message}", where)
        if delegate.verdict in ("none", "part") and delegate.accelerator != "cpu":
            parts = f"{delegate.partitions} partition{'' if delegate.partitions == 1 else 's'}"
            message = f"takes {delegate.mac_share:.0%} of the MACs in {parts}; the rest falls "
            yield Finding("falls-back-to-cpu", "warning", message + "back to the CPU", where)
