"""A conversion, or several of one source, or one that was refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_sdk.report.html.arena import arena
from edge_sdk.report.html.delegates import delegates
from edge_sdk.report.html.findings import findings
from edge_sdk.report.html.flips import flips
from edge_sdk.report.html.histograms import histograms
from edge_sdk.report.html.markup import (
    Data,
    decibels,
    facts,
    number,
    paragraph,
    plural,
    section,
    size_text,
    table,
    tiles,
)
from edge_sdk.report.html.next_steps import after_conversion, steps_html
from edge_sdk.report.html.page import Page, Verdict
from edge_sdk.report.html.parity import parity_table
from edge_sdk.report.html.strip import Strip, placements, sqnr_by_op, times_of, times_words

_COLUMNS = 1000


def conversion_page(data: Data) -> Page:
    """Of one file, or of each in turn below a table of them."""
    every = data.get("conversions") or [data]
    if len(every) == 1:
        one = every[0]
        return Page("conversion", _title(one), _verdict(one), tuple(_sections(one, _COLUMNS)))
    parts = [_overview(every)]
    for one in every:
        parts += [
            f'<h1 class="part">{_title_html(one)}</h1>',
            str(_verdict(one)),
            *_sections(one, _COLUMNS // len(every)),
        ]
    states = [_verdict(one).state for one in every]
    good = states.count("good")
    state = "bad" if "bad" in states else "warn" if "warn" in states else "good"
    words = f"{good} of {plural(len(every), 'file')} verified and accurate"
    return Page("conversions", f"{every[0]['source']} in {len(every)} forms", Verdict(state, words), tuple(parts))


def refused_page(error: Data) -> Page:
    """A file that was not written, because it is wrong or lost too much: all that was found of it."""
    one = {**error["report"], "tensors": error["report"].get("tensors", ())}
    hint = paragraph(error["hint"] or "")
    return Page("conversion, refused", _title(one), Verdict("bad", error["message"]), (hint, *_sections(one, _COLUMNS)))


def _title(one: Data) -> str:
    return f"{one['output'] or one['source']} · {one['recipe']}"


def _title_html(one: Data) -> str:
    from edge_sdk.report.html.markup import text

    return text(_title(one))


def _verdict(one: Data) -> Verdict:
    accurate = one["accurate"]
    if not one["verified"]:
        why = {"right": "wrong", "accurate": f"accuracy {accurate['state']}"}.get(
            one["failed"], "its float file is not proven"
        )
        return Verdict("bad", f"Unverified, {why} ({accurate['reason']}): kept as asked")
    if not all(row["has_power"] for row in one["parity"]):
        return Verdict("warn", "Converted, but the comparison had no power: outputs hardly change between its samples")
    if one["check"] and not one["check"]["fits"]:
        return Verdict("warn", f"Verified, and predicted not to fit {one['check']['profile']}")
    words = f"Verified: right on every op that was checked, accuracy {accurate['state']} ({accurate['reason']})"
    return Verdict("good" if accurate["state"] == "kept" else "warn", words)


def _overview(every: Sequence[Data]) -> str:
    heads = ("recipe", "", "file", "least SQNR", "same top-1", "time to float")
    rows = [
        (
            one["recipe"],
            _verdict(one).words.split(":")[0],
            size_text(one["artifact"]["size_bytes"]),
            decibels(_least(one)),
            _top1(one),
            _ratio(one),
        )
        for one in every
    ]
    return table(heads, rows, words=(0, 1))


def _sections(one: Data, columns: int) -> Iterator[str]:
    details = one["details"]
    yield tiles(_figures(one))
    if one["check"]:
        yield section(f"On {one['check']['profile']}", delegates(one["check"]))
    if details:
        yield section("The graph, in execution order", _strip(one, columns))
        yield section("Results that add most noise", _noisy_words(details), histograms(details["histograms"]))
        yield section("Samples that flipped", flips(details, one.get("labels") or ()))
        yield section("Memory over time", arena(details["timeline"]))
    else:
        yield section(
            "The graph", paragraph("Not recorded: convert with --html, or with --json or --report, to see each op.")
        )
    yield section("Outputs against the source", parity_table(one["parity"]), _right(one))
    checked = [*one["check"]["findings"], *one["check"]["lint"]] if one["check"] else []
    yield section("Findings", findings(one["findings"], [f for f in checked if f not in one["findings"]]))
    yield section("What to do next", steps_html(after_conversion(one)))
    yield section("Provenance", _provenance(one))


def _figures(one: Data) -> Iterator[tuple[str, object]]:
    artifact = one["artifact"]
    yield "file", size_text(artifact["size_bytes"])
    yield "least SQNR of an output, measured", decibels(_least(one))
    if any(row["top1_agreement"] is not None for row in one["parity"]):
        yield "same top-1 class as the source", _top1(one)
    labels = one.get("labelled")
    if labels:
        name = f"accuracy, measured on {labels['samples']} labelled samples; the source has {labels['source']:.2%}"
        yield name, f"{labels['file']:.2%}"
    if one["timings_measured"]:
        timing = one["timings_measured"][1]
        span = f"{timing['ratio_low']:.2f} to {timing['ratio_high']:.2f}"
        yield f"the float file's time, measured here (95 %: {span})", f"{timing['ratio']:.2f} x"
        yield "median of a run, measured here", f"{timing['median_us'] / 1000:.3g} ms"
    if artifact.get("macs"):
        yield "MACs of a run", number(artifact["macs"])
    if one["details"] and one["details"]["timeline"]["arena_bytes"]:
        yield "arena, predicted", size_text(one["details"]["timeline"]["arena_bytes"])


def _strip(one: Data, columns: int) -> str:
    details = one["details"]
    ops = details["timeline"]["ops"]
    placed, reasons = placements(one["check"], len(ops))
    words = ""
    if details["tensors"]:
        count = plural(details["tensor_samples"], "sample")
        words = f"Noise is the error of a result against the float file's, on {count}: "
        words += "a tall bar is a low SQNR; 60 dB and more is none."
    if not placed:
        words += " No device was named: with a profile each op's place is shown."
    times = times_of(details)
    strip = Strip(ops, placed, reasons, sqnr_by_op(details["tensors"]), times)
    return paragraph(words + times_words(times, len(ops))) + strip.html(most=columns)


def _noisy_words(details: Data) -> str:
    if not details["histograms"]:
        return ""
    count = plural(details["tensor_samples"], "sample")
    return paragraph(f"Values on {count}, measured; heights are square roots of counts, so that outliers show.")


def _right(one: Data) -> str:
    right = one["right"]
    if right["faults"]:
        rows = [(fault["text"],) for fault in right["faults"]]
        return table(("what is wrong",), rows)
    if not right["ops_checked"]:
        return ""
    left = ", ".join(f"{count} {name}" for name, count in right["ops_unchecked"].items())
    words = f"{right['ops_checked']} ops are within a step of float ops on the same inputs, checked one by one."
    return paragraph(words + (f" Not checked: {left}." if left else ""))


def _least(one: Data) -> float | None:
    values = [row["sqnr_db"] for row in one["parity"] if row["sqnr_db"] is not None]
    return min(values, default=None)


def _top1(one: Data) -> str:
    shares = [row["top1_agreement"] for row in one["parity"] if row["top1_agreement"] is not None]
    return f"{min(shares):.1%}" if shares else "-"


def _ratio(one: Data) -> str:
    return f"{one['timings_measured'][1]['ratio']:.2f} x" if one["timings_measured"] else "-"


def _provenance(one: Data) -> str:
    calibration, data = one["calibration"], one["data"]
    tried = [f"{a['name']}: {'taken' if a['accepted'] else a['reason']}" for a in one["attempts"]]
    return facts(
        [
            ("source", f"{one['source']} ({one['framework']})"),
            ("recipe", f"{one['recipe']}{', ' + one['recipe_choice'] if one['recipe_choice'] else ''}"),
            ("made by", ", ".join(dict.fromkeys(one["tools"]))),
            ("lowerings tried", "; ".join(tried)),
            (
                "calibrated on",
                f"{calibration['count']} samples of {calibration['description']}" if calibration else None,
            ),
            ("compared on", f"{data['count']} samples of {data['description']}"),
            ("SHA-256", one["artifact"].get("sha256")),
        ]
    )
