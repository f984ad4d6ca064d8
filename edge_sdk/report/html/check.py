"""A file held against a device."""

from __future__ import annotations

from collections.abc import Iterator

from edge_sdk.report.html.arena import arena
from edge_sdk.report.html.delegates import delegates
from edge_sdk.report.html.findings import findings
from edge_sdk.report.html.markup import Data, facts, number, plural, section, size_text, text, tiles
from edge_sdk.report.html.next_steps import after_check, steps_html
from edge_sdk.report.html.page import Page, Verdict
from edge_sdk.report.html.strip import Strip, placements


def check_page(data: Data) -> Page:
    """All of it predicted, and said to be."""
    fits = data["fits"]
    words = f"Predicted {'to fit' if fits else 'not to fit'} {data['profile']}; nothing ran on the device"
    return Page(
        "check",
        f"{data['artifact']} on {data['profile']}",
        Verdict("good" if fits else "bad", words),
        tuple(_sections(data)),
    )


def bundle_check_page(data: Data) -> Page:
    """Each variant of a bundle in turn."""
    parts: list[str] = []
    for one in data["variants"]:
        page = check_page(one)
        parts += [f'<h1 class="part">{text(page.title)}</h1>', str(page.verdict), *page.sections]
    fitting = sum(bool(one["fits"]) for one in data["variants"])
    words = f"{fitting} of {plural(len(data['variants']), 'variant')} predicted to fit {data['profile']}"
    title = f"{data['bundle']} on {data['profile']}"
    return Page("check of a bundle", title, Verdict("good" if data["fits"] else "bad", words), tuple(parts))


def _sections(data: Data) -> Iterator[str]:
    timeline = data["timeline"]
    yield tiles(_figures(data))
    yield section("Where it would run", delegates(data))
    if timeline:
        placed, reasons = placements(data, len(timeline["ops"]))
        yield section(
            "The graph, in execution order",
            Strip(timeline["ops"], placed, reasons, times_ms=_times(data), times_word="predicted").html(),
        )
        yield section("Memory over time", arena(timeline))
    yield section("Findings", findings(data["findings"], data["lint"]))
    yield section("What to do next", steps_html(after_check(data)))
    sources = [(one["rules"], one["source"]) for one in data["delegates"]]
    yield section("Provenance", facts([("file", data["artifact"]), ("device", data["profile"]), *sources]))


def _times(data: Data) -> dict[int, float]:
    """Milliseconds of each op, where a calibration table was at hand."""
    return {op["op"]: op["us"] / 1000 for op in (data.get("time") or {"ops": ()})["ops"] if op["us"] is not None}


def _figures(data: Data) -> Iterator[tuple[str, object]]:
    memory = data["memory"]
    yield "file", size_text(memory["file_bytes"])
    for one in data["delegates"][:3]:
        if one["verdict"] != "not predicted":
            yield f"of MACs on {one['rules']}, in {plural(one['partitions'], 'partition')}", f"{one['mac_share']:.0%}"
    yield f"of {size_text(memory['budget_bytes'])} that a process may take", size_text(memory["floor_bytes"])
    time = data.get("time")
    if time and time["ms"] is not None:
        span = f"{time['low_ms']:.3g} to {time['high_ms']:.3g}"
        yield f"a run, predicted ({time['coverage']:.0%}: {span}), {time['subject']}", f"{time['ms']:.3g} ms"
    if data["timeline"]:
        yield "MACs of a run", number(sum(op["macs"] for op in data["timeline"]["ops"]))
