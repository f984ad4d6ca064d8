"""A check as text for a terminal: sections, the costliest lines first, one screen unless more is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from edge_sdk.checks.explaining import KINDS, Explanation
from edge_sdk.checks.lint.scene import LintFinding
from edge_sdk.checks.verdict import (
    Advice,
    CheckReport,
    DelegateCheck,
    MemoryCheck,
    MemoryPath,
    Obstacle,
    OpPlace,
    RuntimeCheck,
)
from edge_sdk.findings import Finding
from edge_sdk.report.lines import field, size_text
from edge_sdk.report.vela import vela_lines

_OBSTACLES, _ADVICE, _FINDINGS, _LINT = 3, 2, 5, 6
_WIDTH = 112
_NAME = 40
_EXPLAIN = "what a [rule] means: edge-sdk check --explain RULE"


def check_text(report: CheckReport, *, verbose: bool = False) -> str:
    """The verdict in the first line; then delegates, memory, runtimes, findings and lint.

    Args:
        report: of a check.
        verbose: every reason, every op of every delegate, and every finding.
    """
    verdict = "predicted to fit" if report.fits else "DOES NOT FIT"
    lines = [f"{report.subject} on {report.profile}: {verdict} (predicted from rules; nothing ran on the device)"]
    for delegate in report.delegates:
        lines += ["", *_delegate(delegate, verbose=verbose)]
    if not report.delegates:
        lines += ["", field("delegates", "none: every op runs in the runtime's own kernels")]
    lines += ["", *_memory(report.memory), "", *_runtimes(report.runtimes)]
    lines += _section("findings", _findings(report.findings, verbose=verbose))
    lines += _section("lint", lint_lines(report.lint, verbose=verbose))
    return "\n".join([*lines, "", f"  {_EXPLAIN}" + ("" if verbose else "; all of it: --verbose, --json")])


def _section(label: str, texts: Iterable[str]) -> list[str]:
    found = list(texts)
    return ["", *(field(label if place == 0 else "", text) for place, text in enumerate(found))] if found else []


def _delegate(check: DelegateCheck, *, verbose: bool) -> list[str]:
    if check.verdict == "not predicted":
        return [field(check.rules, f"on {check.accelerator}: not predicted; {check.note}")]
    took = f"{check.claimed} of {check.ops} ops, {check.mac_share:.1%} of MACs, {check.byte_share:.1%} of bytes, "
    took += f"{_count(check.partitions)}, {size_text(check.boundary_bytes)} across the boundary"
    lines = [field(check.rules, f"on {check.accelerator}: {check.verdict}; {took}")]
    lines += [field("", text) for text in _obstacles(check.obstacles, verbose=verbose)]
    lines += [field("", text) for text in _advice(check.advice, verbose=verbose)]
    if verbose:
        lines += [field("", _place(place)) for place in check.places]
        engine = f"as in {check.engine}; " if check.engine else ""
        lines.append(field("", f"{engine}rules: {check.source}; {check.note}"))
    return lines + (vela_lines(check.vela) if check.vela else [])


def _obstacles(obstacles: Sequence[Obstacle], *, verbose: bool) -> Iterator[str]:
    """Reasons of an op's own first; what only follows from them is one line."""
    own = [o for o in obstacles if o.rule not in {"partition-not-kept", "after-cut"}]
    follow = [o for o in obstacles if o not in own]
    shown = len(own) if verbose else _OBSTACLES
    for obstacle in own[:shown]:
        yield _cut(f"{obstacle.count} x {obstacle.op_name}: {obstacle.first.message}", f"[{obstacle.rule}]", verbose)
    if len(own) > shown:
        ops = sum(obstacle.count for obstacle in own[shown:])
        yield f"and {len(own) - shown} more reason{_plural(len(own) - shown)}, {ops} op{_plural(ops)}"
    for rule in dict.fromkeys(o.rule for o in follow):
        same = [o for o in follow if o.rule == rule]
        ops = sum(obstacle.count for obstacle in same)
        yield _cut(f"{ops} op{_plural(ops)}: {same[0].first.message}", f"[{rule}]", verbose)


def _advice(advice: Sequence[Advice], *, verbose: bool) -> Iterator[str]:
    for one in advice if verbose else advice[:_ADVICE]:
        shares = f"{one.mac_share_now:.0%} -> {one.mac_share:.0%} of MACs, "
        gain = shares if one.mac_share != one.mac_share_now else ""
        gain += f"{one.partitions_now} -> {_count(one.partitions)}, then {one.verdict}"
        yield f"would help: {' and '.join(one.changes)}: {gain} ({one.needs})"


def _place(place: OpPlace) -> str:
    name = f"{place.op:4} {place.op_name} `{place.result[:_NAME]}`"
    if place.reason is not None:
        return f"{name}: outside: {place.reason.message} [{place.reason.rule}]"
    return f"{name}: partition {place.partition}"


def _cut(text: str, end: str, whole: bool) -> str:  # noqa: FBT001
    """Text that fits a line before what stands at its end."""
    room = _WIDTH - len(end) - 1
    return f"{text if whole or len(text) <= room else text[: room - 3] + '...'} {end}"


def _count(partitions: int) -> str:
    return f"{partitions} partition{_plural(partitions)}"


def _plural(count: int) -> str:
    return "" if count == 1 else "s"


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
    text = f"{path.name}: heap {size_text(path.heap_bytes)}{_certainty(path)}: {parts}"
    if path.complete or not path.claimed_weight_bytes:
        return text
    return f"{text}; not known: what the delegate makes of {size_text(path.claimed_weight_bytes)} of weights"


def _certainty(path: MemoryPath) -> str:
    """How far the heap may be off where nothing was counted on such a CPU with such an engine, and why."""
    said = {"read": "read, not counted", "translated": "counted with another release"}.get(path.cpu_evidence)
    if said is None:
        return ""
    span = f"{size_text(path.heap_least_bytes)} to {size_text(path.heap_most_bytes)}"
    return f" ({span}: kernels of {path.cpu_kernels} {said})"


def _runtimes(runtimes: Sequence[RuntimeCheck]) -> list[str]:
    words = []
    for runtime in runtimes:
        verdict = {True: "has every op", False: "lacks ops", None: "op versions not measured"}[runtime.loads]
        taken = f" (measured on {runtime.measured_as})" if runtime.measured_as else ""
        words.append(f"{runtime.name} {runtime.version}: {verdict}{taken}")
    return [field("runtimes" if place == 0 else "", text) for place, text in enumerate(words or ["none"])]


def _findings(findings: Sequence[Finding], *, verbose: bool) -> Iterator[str]:
    order = {"error": 0, "warning": 1, "info": 2}
    ordered = sorted(findings, key=lambda finding: order[finding.severity])
    shown = len(ordered) if verbose else _FINDINGS
    for finding in ordered[:shown]:
        whole = verbose or finding.severity == "error"
        yield str(finding) if whole else _cut(_plain(finding), f"[{finding.rule}]", whole=False)
    if len(ordered) > shown:
        yield f"and {len(ordered) - shown} more"


def _plain(finding: Finding) -> str:
    return f"{finding.severity}: {finding.where}: {finding.message}"


def lint_text(findings: Sequence[LintFinding]) -> str:
    """The lint section on its own, empty where nothing was found."""
    return "\n".join(_section("lint", lint_lines(findings)))


def lint_lines(findings: Sequence[LintFinding], *, verbose: bool = False) -> list[str]:
    """One line per rule, the worst place of each; every place if verbose."""
    if verbose:
        return [str(finding) for finding in findings]
    worst: dict[str, LintFinding] = {}
    for finding in findings:
        worst.setdefault(finding.rule, finding)
    lines = []
    for rule, finding in list(worst.items())[:_LINT]:
        others = sum(other.rule == rule for other in findings) - 1
        more = f", and {others} more place{_plural(others)}" if others else ""
        whole = finding.severity == "error"
        lines.append(_cut(_plain(finding), f"[{rule}{more}]", whole=whole))
    if len(worst) > _LINT:
        lines.append(f"and {len(worst) - _LINT} more rules: {', '.join(list(worst)[_LINT:])}")
    return lines


def explanation_text(one: Explanation) -> str:
    """A rule in plain words."""
    first, *others = one.sources
    return "\n".join(
        [
            f"{one.rule}: {KINDS[one.kind]}",
            field("means", one.means),
            field("why", one.why),
            field("do", one.do),
            field("source" if not others else "sources", first),
            *(field("", source) for source in others),
        ]
    )
