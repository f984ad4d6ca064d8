"""A sweep (``table.json``, or what the command prints): jobs, what each costs against what it loses, and changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from edge_sdk.report.html.markup import Data, Html, facts, plural, section, size_text, table, text
from edge_sdk.report.html.next_steps import command, steps_html
from edge_sdk.report.html.page import Page, Verdict
from edge_sdk.report.html.pareto import Axis, Dot, pareto

_LABELS = ("source", "recipe", "data", "profile", "device")
_MIB = 1 << 20


def sweep_page(data: Data) -> Page:
    """Of ``edge-sdk sweep``; a point where no other job is better in both is on the front."""
    rows = data["rows"]
    failed = [row for row in rows if row["state"] == "failed"]
    worse = [one for one in data.get("changes") or () if one["regression"]]
    words = f"{plural(len(rows), 'job')}, {len(failed)} failed, {plural(len(worse), 'regression')}"
    state = "bad" if worse else "warn" if failed else "good"
    return Page("sweep", data.get("folder") or "a sweep", Verdict(state, words), tuple(_sections(data, rows)))


def _sections(data: Data, rows: Sequence[Data]) -> Iterator[str]:
    yield section("What became worse, and what else changed", _changes(data))
    yield section("What it costs, and what it loses", *_fronts(rows))
    yield section("All jobs", _jobs(rows))
    yield section("Errors", _errors(rows))
    yield section("What to do next", steps_html(_next(rows)))
    yield section("Provenance", facts([("schema", data["schema"]), ("files", ", ".join(data.get("files") or ()))]))


def _changes(data: Data) -> str:
    rows = [
        (
            " ".join(str(value) for value in one["labels"].values() if value),
            one["what"],
            "-" if one["before"] is None else str(one["before"]),
            "-" if one["after"] is None else str(one["after"]),
            Html('<span class="bad">✗ worse</span>') if one["regression"] else "changed",
        )
        for one in data.get("changes") or ()
    ]
    return table(("job", "what", "before", "after", ""), rows, words=(0, 1, 4))


def _fronts(rows: Sequence[Data]) -> Iterator[str]:
    """By latency and by size, of jobs that tell both; the drop where there is data with labels, else the error."""
    loss = "drop" if any(row["drop"] is not None for row in rows) else "sqnr_db"
    down = Axis("drop", "") if loss == "drop" else Axis("noise", "dB below the signal, negative")
    for cost, axis, unit in (
        ("latency_ms", Axis("latency", "ms"), 1),
        ("size_bytes", Axis("size of the file", "MiB"), _MIB),
    ):
        known = [row for row in rows if row[cost] is not None and row[loss] is not None]
        points = [(row, row[cost] / unit, row["drop"] if loss == "drop" else -row["sqnr_db"]) for row in known]
        dots = [_dot(row, x, y, [(a, b) for _, a, b in points]) for row, x, y in points]
        if len(dots) > 1:
            yield f"<h3>By {text(axis.name)}</h3>" + pareto(dots, axis, down)


def _dot(row: Data, x: float, y: float, every: Sequence[tuple[float, float]]) -> Dot:
    beaten = any(a <= x and b <= y and (a, b) != (x, y) for a, b in every)
    return Dot(_name(row), x, y, on_front=not beaten)


def _jobs(rows: Sequence[Data]) -> str:
    labels = [name for name in _LABELS if any(row[name] for row in rows)]
    heads = (*labels, "", "size", "int8 MACs", "SQNR dB", "metric", "drop", "ms")
    return table(heads, (_cells(row, labels) for row in rows), words=tuple(range(len(labels) + 1)))


def _cells(row: Data, labels: Sequence[str]) -> list[object]:
    kind, words = ("bad", "✗ failed") if row["state"] == "failed" else ("good", "✓ done")
    if row["fits"] is False:
        kind, words = "bad", "✗ does not fit"
    size = "-" if row["size_bytes"] is None else size_text(row["size_bytes"])
    numbers = (
        ("int8_macs", "{:.0%}"),
        ("sqnr_db", "{:.1f}"),
        ("metric", "{:.4f}"),
        ("drop", "{:.2f}"),
        ("latency_ms", "{:.3g}"),
    )
    told = [_told(row[name], form) for name, form in numbers]
    return [*(row[name] or "" for name in labels), Html(f'<span class="{kind}">{words}</span>'), size, *told]


def _told(value: Any, form: str) -> str:
    return "-" if value is None else form.format(value)


def _errors(rows: Sequence[Data]) -> str:
    return table(("job", "error"), [(_name(row), row["error"]) for row in rows if row["error"]], words=(0, 1))


def _name(row: Data) -> str:
    return " ".join(str(row[name]) for name in _LABELS if row[name])


def _next(rows: Sequence[Data]) -> Iterator[tuple[str, str]]:
    if any(row["state"] == "failed" for row in rows):
        yield (
            "Do the jobs again that failed; what is there is not done twice.",
            command("sweep", "PLAN.toml", "--retry-failed"),
        )
    yield "See next week what became worse.", command("sweep", "PLAN.toml", "--compare", "OLD.sweep")
