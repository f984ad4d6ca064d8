"""Bundles as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from edge_sdk.bundle.manifest import Manifest, Variant
from edge_sdk.bundle.reading import Bundle
from edge_sdk.bundle.report import BundleReport
from edge_sdk.bundle.verifying import Verified
from edge_sdk.report.lines import field, size_text, table
from edge_sdk.signature import shape_text

_COLUMNS = ("variant", "computes in", "file", "memory, predicted", "with XNNPACK", "needs")
_NOT_ENCRYPTED = "a signature says who made it; nothing is encrypted"


def bundle_text(report: BundleReport) -> str:
    """What was written."""
    lines = [f"{report.path}: {size_text(report.size_bytes)}, {_count(report.manifest.variants, 'variant')}"]
    lines += _variants(report.manifest)
    lines += _compiled(report.manifest.variants)
    lines += _checks(report.manifest.variants)
    lines += _self_test(report.manifest)
    signed = f"signed by {', '.join(report.signed_by)}; {_NOT_ENCRYPTED}" if report.signed_by else "unsigned"
    lines.append(field("signature", signed))
    lines += ["", *(f"  {finding}" for finding in report.findings)] if report.findings else []
    return "\n".join(lines)


def inspect_text(bundle: Bundle) -> str:
    """What a bundle says of itself."""
    manifest = bundle.manifest
    size = size_text(bundle.path.stat().st_size)
    lines = [f"{bundle.path}: {manifest.name}, {size}, format {manifest.format_version}, made by {manifest.created_by}"]
    lines += _variants(manifest)
    lines += _signature(manifest.variants[0])
    lines += _processing(manifest)
    lines += _compiled(manifest.variants)
    lines += _checks(manifest.variants)
    lines += _self_test(manifest)
    lines += _provenance(manifest)
    lines.append(field("signature", f"{bundle.trust} (`bundle verify --key` checks it)"))
    return "\n".join(lines)


def verify_text(verified: Verified) -> str:
    """The verdict, and who signed it."""
    trust = {
        "verified": f"signed by trusted key {verified.signed_by}; {_NOT_ENCRYPTED}",
        "signed, not checked": "signed, but NOT CHECKED: give --key with a public key that you trust",
        "unsigned": "unsigned: intact, but nothing says who made it",
    }
    found = f"{verified.members} members, {_count(verified.variants, 'model')}, {verified.golden_runs} golden runs"
    return f"intact: {verified.path}, {size_text(verified.size_bytes)}: {found}\n" + field(
        "signature", trust[verified.trust]
    )


def _variants(manifest: Manifest) -> list[str]:
    rows = (
        (
            v.id,
            v.precision,
            size_text(v.size_bytes),
            size_text(v.predicted_memory.floor_bytes),
            _with_xnnpack(v),
            v.minimum_runtime or "none",
        )
        for v in manifest.variants
    )
    return ["", *table(_COLUMNS, rows), ""]


def _with_xnnpack(variant: Variant) -> str:
    """The file and the heap; kinds of CPU differ in how they pack weights."""
    heaps = sorted(variant.size_bytes + heap for heap in variant.predicted_memory.xnnpack_heap_bytes.values())
    return f"{size_text(heaps[0])} to {size_text(heaps[-1])}" if heaps else "not known"


def _signature(variant: Variant) -> Iterator[str]:
    for what, ports in (("input", variant.signature.inputs), ("output", variant.signature.outputs)):
        for port in ports:
            yield field(what, f"{port.name}: {port.dtype}{shape_text(port.shape)} in {variant.id}")


def _processing(manifest: Manifest) -> Iterator[str]:
    for one in manifest.processing.inputs:
        yield field("prepare", f"{one.name}: {one.kind}: {', '.join(step.op for step in one.steps) or 'as it is'}")
    for other in manifest.processing.outputs:
        yield field("read", f"{other.name}: {', '.join(step.op for step in other.steps) or 'as it is'}")
    for name, member in manifest.labels.items():
        yield field("labels", f"{name}: {member}")


def _compiled(variants: Iterable[Variant]) -> Iterator[str]:
    """For which chips, and the compiler's own account; nobody ran it."""
    for variant in variants:
        one = variant.compiled
        if one is None:
            continue
        places = f"{one.ops_on_npu} of {one.ops} ops on the NPU"
        bounds = "without bounds" if one.low_ms is None else f"within {one.low_ms:.3g} to {one.high_ms:.3g} ms"
        time = f"; {one.simulated_ms:.3g} ms simulated, {bounds}" if one.simulated_ms is not None else ""
        names = ", ".join(one.profiles)
        words = f"{variant.id}: {one.made_from} for {one.target} ({names}) by {one.tool}: {places}{time}; never run"
        yield field("compiled", words)


def _checks(variants: Iterable[Variant]) -> Iterator[str]:
    for variant in variants:
        for one in variant.checked:
            takes = ", ".join(f"{d.rules} {d.verdict} ({d.mac_share:.0%} of MACs)" for d in one.delegates)
            verdict = "predicted to fit" if one.fits else "DOES NOT FIT"
            yield field("checked", f"{variant.id} on {one.profile}: {verdict}; {takes or 'no delegate'}")


def _self_test(manifest: Manifest) -> Iterator[str]:
    runs = sum(len(variant.golden) for variant in manifest.variants)
    calls = [(" then ".join(one.calls), len(one.golden)) for variant in manifest.variants for one in variant.sequences]
    data, engine = manifest.provenance.golden_data, manifest.provenance.golden_engine
    yield field("self-test", f"{runs} golden runs on {data}, by {engine}" if runs else "none: no golden runs")
    for words in dict.fromkeys(words for words, _ in calls):
        yield field("", f"{sum(count for one, count in calls if one == words)} golden runs of {words}")


def _provenance(manifest: Manifest) -> Iterator[str]:
    facts = manifest.provenance
    if facts.source:
        yield field(
            "source", f"{facts.source}, sha256 {(facts.source_sha256 or 'unknown')[:16]}..., {facts.framework or ''}"
        )
    if facts.tools:
        yield field("made by", ", ".join(facts.tools))


def _count(items: tuple[object, ...], word: str) -> str:
    return f"{len(items)} {word}{'' if len(items) == 1 else 's'}"
