"""Builds and checks of APKs in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_sdk.report.lines import field, size_text, table

if TYPE_CHECKING:
    from edge_sdk.android.building import BuildReport
    from edge_sdk.android.checking import ApkReport


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
    ]
    return "\n".join(lines)


def check_text(report: ApkReport) -> str:
    """The verdict in the first line; then what is inside, and the findings."""
    manifest = report.manifest
    verdict = "nothing in it is known to fail" if report.is_fit else "WOULD FAIL"
    rows = [(name, size_text(size)) for name, size in sorted(report.parts.items(), key=lambda part: -part[1])]
    lines = [
        f"{report.path}: {verdict} (predicted from the file; it was run on no device)",
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


def _libraries(report: ApkReport) -> list[tuple[str, str, str]]:
    return [
        (one.name.removeprefix("lib/"), size_text(one.page_bytes), _place(one.zip_alignment, stored=one.is_stored))
        for one in report.libraries
    ]


def _place(alignment: int, *, stored: bool) -> str:
    return f"multiple of {size_text(alignment)}" if stored else "deflated"
