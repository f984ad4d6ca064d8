"""A sweep as text: the table, errors by name, and what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edge_sdk.converters.search.sweep.sweeping import SweepResult
from edge_sdk.converters.search.sweep.table import LABELS, Change
from edge_sdk.report.lines import field, size_text, table


def sweep_text(result: SweepResult) -> str:
    """For a terminal; REGRESSION in the first line where there is one."""
    words = [f"{len(result.jobs)} jobs", f"{result.done} done now", f"{result.failed} failed"]
    if result.regressions:
        words.append(f"{len(result.regressions)} REGRESSIONS")
    lines = [f"{result.folder}: {', '.join(words)}", ""]
    labels = [name for name in LABELS if any(row[name] for row in result.jobs)]
    headers = (*labels, "state", "size", "int8 MACs", "SQNR dB", "metric", "drop", "latency", "seconds", "tries")
    lines += table(headers, [(*(str(row[name]) for name in labels), *_cells(row)) for row in result.jobs])
    lines += [f"  {_called(row)}: {row['error']}" for row in result.jobs if row["error"]]
    lines += ["", *_changed(result)] if result.changes else []
    return "\n".join([*lines, "", field("written", ", ".join(result.files))])


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    state = row["state"] if row["fits"] is not False else "does not fit"
    return (
        state,
        size_text(row["size_bytes"]) if row["size_bytes"] is not None else "-",
        _number(row["int8_macs"], "{:.0%}"),
        _number(row["sqnr_db"], "{:.1f}"),
        _number(row["metric"], "{:.4f}"),
        _number(row["drop"], "{:.2f}"),
        _number(row["latency_ms"], "{:.3g} ms"),
        _number(row["seconds"], "{:.1f}"),
        str(row["attempts"]),
    )


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _called(row: Mapping[str, Any]) -> str:
    return " ".join(str(row[name]) for name in LABELS if row[name])


def _changed(result: SweepResult) -> Iterator[str]:
    for change in result.changes:
        yield f"  {'REGRESSION ' if change.regression else ''}{_told(change)}"


def _told(change: Change) -> str:
    name = " ".join(value for value in change.labels.values() if value)
    return f"{name}: {change.what} was {change.before}, is {change.after}"
