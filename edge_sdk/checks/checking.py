"""One file held against one device profile: delegates, memory, runtimes. All of it is *predicted*, offline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import Artifact, Op, Subgraph
from edge_sdk.artifact.runtimes import measured_runtimes, missing_ops
from edge_sdk.checks.ethos_u_check import as_vela_places, ask_vela, differing_ops, ethos_u_findings
from edge_sdk.checks.memory import plan_memory
from edge_sdk.checks.partition import partition
from edge_sdk.checks.placement import Placement
from edge_sdk.checks.rule_sets import place_by, rule_set
from edge_sdk.checks.rules import rule_set_names
from edge_sdk.checks.site import Reason
from edge_sdk.checks.verdict import (
    FEW_PARTITIONS,
    MOST,
    CheckReport,
    DelegateCheck,
    MemoryCheck,
    Obstacle,
    RuntimeCheck,
    Verdict,
)
from edge_sdk.errors import ProfileError, nearest
from edge_sdk.findings import Finding
from edge_sdk.profile.records import Delegate, DeviceProfile, Runtime

_MIB = 1 << 20
# LiteRT's Android library is built from the same kernels; its op versions were not measured on Android.
_MEASURED_AS = {"litert-android": "ai-edge-litert"}


def check(artifact: Artifact, profile: DeviceProfile, *, delegates: Sequence[str] = ()) -> CheckReport:
    """Will the file fit the device, and where would each op run?

    Args:
        artifact: the file.
        profile: the device.
        delegates: rule sets to ask, instead of all that the device has.

    Raises:
        ProfileError: the device has no delegate of a name asked for.
    """
    chosen = _chosen(profile, delegates)
    checked = tuple(check_delegate(artifact, delegate) for delegate in chosen)
    memory = check_memory(artifact, profile)
    runtimes = tuple(check_runtime(artifact, runtime) for runtime in profile.device.runtimes)
    findings = tuple(_findings(artifact, checked, memory, runtimes))
    return CheckReport(
        artifact=str(artifact.path or "model"),
        profile=profile.id,
        fits=not any(finding.severity == "error" for finding in findings),
        delegates=checked,
        memory=memory,
        runtimes=runtimes,
        findings=findings,
    )


def check_delegate(artifact: Artifact, delegate: Delegate) -> DelegateCheck:
    """What one delegate of a device is predicted to take of the main subgraph."""
    graph = artifact.main
    if delegate.rules not in rule_set_names():
        nothing = DelegateCheck(delegate.rules, delegate.accelerator, "not predicted", len(graph.ops), 0, 0.0, 0, 0)
        return replace(nothing, note="there is no rule set for it yet; ask its own compiler")
    placement = place_by(delegate.rules, graph, level=delegate.nnapi_feature_level)
    placement = _narrowed(placement, graph, delegate)
    vela, failure = ask_vela(artifact, delegate)
    differs = differing_ops(placement, vela) if vela else ()
    placement = as_vela_places(graph, placement, vela) if vela else placement
    parts = [part for part in partition(graph, placement.claimed) if part.delegated]
    claimed = set(placement.claimed)
    total = sum(macs(graph, op) for op in graph.ops)
    share = sum(macs(graph, graph.ops[i]) for i in claimed) / total if total else 0.0
    source = rule_set(delegate.rules).source
    return DelegateCheck(
        rules=delegate.rules,
        accelerator=delegate.accelerator,
        verdict=_verdict(len(claimed), len(graph.ops), share, len(parts)),
        ops=len(graph.ops),
        claimed=len(claimed),
        mac_share=share,
        partitions=len(parts),
        boundary_bytes=sum(part.boundary_bytes for part in parts),
        obstacles=tuple(_obstacles(graph, placement)),
        failures=tuple(placement.failures.values()),
        source=f"{source.file}, {source.version}",
        note=source.note,
        vela=vela,
        vela_failure=failure,
        vela_differs=differs,
        on_chip_bytes=None if delegate.on_chip_kib is None else delegate.on_chip_kib << 10,
    )


def check_memory(artifact: Artifact, profile: DeviceProfile) -> MemoryCheck:
    """Bytes that the file needs at least, against what one process may take on the device."""
    plan = plan_memory(artifact)
    fullest = max(plan.subgraphs, key=lambda one: one.peak.live_bytes if one.peak else 0)
    planned = plan.arena_bytes + plan.persistent_bytes + plan.heap_bytes
    return MemoryCheck(
        file_bytes=artifact.size_bytes,
        arena_bytes=plan.arena_bytes,
        persistent_bytes=plan.persistent_bytes,
        heap_bytes=plan.heap_bytes,
        floor_bytes=artifact.size_bytes + planned,
        budget_bytes=profile.device.memory.process_mib * _MIB,
        peak_op=fullest.peak.name if fullest.peak else "",
        peak_bytes=fullest.peak.live_bytes if fullest.peak else 0,
        complete=plan.is_complete,
    )


def check_runtime(artifact: Artifact, runtime: Runtime) -> RuntimeCheck:
    """Whether a runtime has every op of the file at its version, as far as that was measured."""
    measured_as = f"{_MEASURED_AS.get(runtime.name, runtime.name)} {runtime.version}"
    if measured_as not in measured_runtimes():
        return RuntimeCheck(runtime.name, runtime.version, None, "")
    missing = missing_ops(artifact, measured_as)
    return RuntimeCheck(runtime.name, runtime.version, not missing, measured_as, missing)


def _chosen(profile: DeviceProfile, wanted: Sequence[str]) -> list[Delegate]:
    here = [delegate.rules for delegate in profile.device.delegates]
    for name in wanted:
        if name not in here:
            raise ProfileError(
                f"{profile.id} has no delegate with rules `{name}`{nearest(name, here)}",
                hint=f"it has {', '.join(here) or 'none'}",
            )
    return [delegate for delegate in profile.device.delegates if not wanted or delegate.rules in wanted]


def _narrowed(placement: Placement, graph: Subgraph, delegate: Delegate) -> Placement:
    """What this device's own limits take away from what the rule set allows."""
    taken = {index: _device_limit(graph, graph.ops[index], delegate) for index in placement.claimed}
    lost = {index: reason for index, reason in taken.items() if reason is not None}
    kept = tuple(index for index in placement.claimed if index not in lost)
    refused = MappingProxyType({**placement.refused, **lost})
    return replace(placement, claimed=kept, refused=refused)


def _device_limit(graph: Subgraph, op: Op, delegate: Delegate) -> Reason | None:
    for tensor in graph.operands(op):
        if delegate.weights == "per_tensor" and tensor.quantization and tensor.quantization.per_channel:
            words = f"`{tensor.name}` has a scale for each channel, this accelerator takes one scale"
            found, limit = f"{len(tensor.quantization.scale)} scales", "one scale"
            return Reason("device-per-tensor-only", words, op.index, op.name, found, limit, tensor.index, tensor.name)
        if delegate.max_rank is not None and len(tensor.shape) > delegate.max_rank:
            words = f"`{tensor.name}` has rank {len(tensor.shape)}, this accelerator takes {delegate.max_rank} at most"
            found, limit = str(len(tensor.shape)), f"{delegate.max_rank} or less"
            return Reason("device-rank", words, op.index, op.name, found, limit, tensor.index, tensor.name)
    return None


def _verdict(claimed: int, ops: int, share: float, partitions: int) -> Verdict:
    if claimed == 0:
        return "none"
    if claimed == ops:
        return "all"
    return "most" if share >= MOST and partitions <= FEW_PARTITIONS else "part"


def _obstacles(graph: Subgraph, placement: Placement) -> list[Obstacle]:
    work: Counter[tuple[str, str]] = Counter()
    count: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], Reason] = {}
    for index, reason in sorted(placement.refused.items()):
        key = (reason.rule, reason.op_name)
        work[key] += macs(graph, graph.ops[index])
        count[key] += 1
        first.setdefault(key, reason)
    ordered = sorted(first, key=lambda key: (-work[key], -count[key], key))
    return [Obstacle(*key, count[key], first[key]) for key in ordered]


def _findings(
    artifact: Artifact, delegates: Sequence[DelegateCheck], memory: MemoryCheck, runtimes: Sequence[RuntimeCheck]
) -> Iterator[Finding]:
    yield from _memory_findings(memory)
    yield from _runtime_findings(runtimes)
    yield from _delegate_findings(delegates)
    yield from ethos_u_findings(delegates)
    yield from _version_findings(delegates, runtimes)
    for graph_input in artifact.signature.inputs.values():
        if -1 in graph_input.shape_signature:
            message = f"has the open shape {list(graph_input.shape_signature)}; what is predicted holds for "
            message += f"{list(graph_input.shape)}"
            yield Finding("open-shape", "warning", message, f"input `{graph_input.name}`", "convert with --batch")


def _memory_findings(memory: MemoryCheck) -> Iterator[Finding]:
    if not memory.fits:
        message = (
            f"needs at least {memory.floor_bytes / _MIB:.1f} MiB, a process may take {memory.budget_bytes / _MIB:.0f}"
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
        for failure in delegate.failures[:1]:
            yield Finding("will-not-load", "error", f"op {failure.op} {failure.op_name}: {failure.message}", where)
        if delegate.verdict in ("none", "part") and delegate.accelerator != "cpu":
            message = f"takes {delegate.mac_share:.0%} of the MACs in {delegate.partitions} partitions; the rest falls "
            yield Finding("falls-back-to-cpu", "warning", message + "back to the CPU", where)
