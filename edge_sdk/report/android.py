"""Builds and checks of APKs in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_sdk.report.lines import field, size_text, table

if TYPE_CHECKING:
    from edge_sdk.android.building import BuildReport
    from edge_sdk.android.checking import ApkReport
    from edge_sdk.measure.records import Benchmark
    from edge_sdk.measure.timed import Figure


def build_text(report: BuildReport) -> str:
    """What was built, and what nobody has tried."""
    app = f"{report.application_id} {report.version_name}"
    lines = [
        f"{report.path}: {app}, {size_text(report.size_bytes)}; built, and run on no device",
        field("models", ", ".join(report.models) or "none"),
        field("ABIs", ", ".join(report.abis)),
        field("tools", f"{report.toolchain} ({report.dexer})"),
        field("key", report.key),
        field("sha256", report.sha256),
        *(f"  {finding}" for finding in report.findings),
    ]
    return "\n".join(lines)


def check_text(report: ApkReport) -> str:
    """The verdict in the first line; then what is inside, and the findings."""
    manifest = report.manifest
    verdict = "nothing in it is known to fail" if report.is_fit else "WOULD FAIL"
    rows = [(name, size_text(size)) for name, size in sorted(report.parts.items(), key=lambda part: -part[1])]
    if report.tried:
        verdict += f" ({len(report.tried)} models run here in {report.engine}, the rest predicted; run on no device)"
    else:
        verdict += " (predicted from the file; it was run on no device)"
    lines = [
        f"{report.path}: {verdict}",
        field("app", f"{manifest.package} {manifest.version_name}, API {manifest.min_sdk} to {manifest.target_sdk}"),
        field("signature", f"{', '.join(report.schemes) or 'none'}: {report.signature}"),
        field("ABIs", ", ".join(report.abis) or "no native code"),
        field("engine", report.engine or "none that is known here"),
        field("models", ", ".join(report.models) or "none"),
        "",
        *table(("size", size_text(report.size_bytes)), rows),
    ]
    if report.libraries:
        lines += ["", *table(("native library", "ELF pages", "place in the APK"), _libraries(report))]
    if report.findings:
        lines += ["", *(f"  {finding}" for finding in report.findings)]
    return "\n".join(lines)


def benchmark_text(result: Benchmark) -> str:
    """A phone's result: the median first, then what ran, and what speaks against it."""
    (one,), device = result.results, result.environment_info
    run, info = one.performance_run, one.backend_info
    latency = run.latency_ms
    verdict = "" if result.valid else ", INVALID"
    percentiles = [("p90", latency.p90), ("p99", latency.p99), ("mean", latency.mean)]
    told = ", ".join(f"{name} {_ms(figure)}" for name, figure in percentiles if figure)
    device_name = f"{device.manufacturer or ''} {device.model_name}".strip()
    lines = [
        f"{one.benchmark_name}: {info.delegate_name} on {info.accelerator_name}, p50 {_ms(latency.p50)}{verdict}",
        field("measured", f"{run.measured_samples} queries on {device_name}, {device.os_version}"),
        field("latency", told),
        field("engine", info.backend_name),
        field("outputs", info.self_test or "not verified"),
    ]
    if one.init_ms is not None and one.first_run_ms is not None:
        lines.insert(3, field("start", f"init {one.init_ms:.3g} ms, first run {one.first_run_ms:.3g} ms"))
    lines += [f"  INVALID ({reason.rule}): {reason.message}" for reason in one.validity.reasons]
    return "\n".join(lines)


def _ms(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3g} ms"
    return f"{figure.value:.3g} ms ({figure.low:.3g} to {figure.high:.3g})"


def _libraries(report: ApkReport) -> list[tuple[str, str, str]]:
    return [
        (one.name.removeprefix("lib/"), size_text(one.page_bytes), _place(one.zip_alignment, stored=one.is_stored))
        for one in report.libraries
    ]


def _place(alignment: int, *, stored: bool) -> str:
    return f"multiple of {size_text(alignment)}" if stored else "deflated"
