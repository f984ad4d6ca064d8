"""A search for the best file (``front.json``): the front, the choice, all that was tried, and what stays in float."""

from __future__ import annotations

from collections.abc import Iterator

from edge_sdk.report.html.markup import (
    Data,
    Html,
    facts,
    number,
    paragraph,
    plural,
    section,
    short,
    size_text,
    table,
    tiles,
)
from edge_sdk.report.html.next_steps import command, steps_html
from edge_sdk.report.html.page import Page, Verdict
from edge_sdk.report.html.pareto import Axis, Dot, pareto

_MIB = 1 << 20
_SHOWN = 16
_KEY = (
    '<div class="key"><span>small: tried</span><span>joined by a line: no other is better in all</span>'
    "<span>large, red: chosen</span><span>thin lines: intervals</span><span>dashed: budgets</span></div>"
)


def optimization_page(data: Data) -> Page:
    """Of ``edge-sdk optimize``."""
    chosen = _chosen(data)
    sure = data["stopped"] == "done" and data.get("confirmation") != "undecided"
    state = "bad" if chosen is None else "good" if sure else "warn"
    words = ("Found: " if chosen else "Nothing within the budgets: ") + data["why"]
    return Page(
        "optimization",
        f"{data['source']} for {data['profile'] or 'this machine'}",
        Verdict(state, words),
        tuple(_sections(data)),
    )


def _sections(data: Data) -> Iterator[str]:
    points = [data["reference"], *data["points"]]
    yield tiles(_figures(data))
    yield section("What it costs, and what it loses", paragraph(_words(data)), _fronts(data, points))
    yield section("All that was tried", _tried(data, points))
    yield section("The front that was searched along", _predicted(data))
    yield section("Groups of ops", _groups(data))
    yield section("What else to know", _findings(data))
    yield section("What to do next", steps_html(_next(data)))
    yield section("Provenance", _provenance(data))


def _chosen(data: Data) -> Data | None:
    return next((point for point in [data["reference"], *data["points"]] if point["chosen"]), None)


def _figures(data: Data) -> Iterator[tuple[str, object]]:
    chosen = _chosen(data)
    if chosen is None:
        yield "no file within the budgets", "-"
        return
    score = chosen["confirmed"] or chosen["score"]
    if score:
        words = "on samples that the search did not see" if chosen["confirmed"] else "on what the search sees"
        share = f"{chosen['confirmation']} {words}" if chosen["confirmation"] else words
        yield f"{data['metric']['name']}, {share}", f"{score['value']:.4g}"
        yield f"drop against float32, {_span(score['drop'])}", f"{score['drop']['value']:.3g}{_unit(data)}"
        if chosen["confirmation"] and score["drop"]["confidence"] is not None:
            side = "within" if score["drop"]["value"] <= data["budgets"]["max_drop"] else "beyond"
            needed = score["drop"]["needed"]
            more = f"; about {needed:,} samples would decide" if needed else ""
            words = f"sure that the drop is {side} the budget, {data['confidence']:.0%} wanted{more}"
            yield words, f"{score['drop']['confidence']:.1%}"
    if chosen["latency"]:
        yield f"{chosen['latency']['truth']} on {chosen['latency']['where']}", f"{chosen['latency']['ms']:.4g} ms"
    if chosen["file"]:
        yield "file", size_text(chosen["file"]["size_bytes"])
        yield "of MACs in int8", f"{chosen['file']['int8_macs']:.0%}"
    yield "evaluations, each stopped as soon as it was decided", str(data["evaluations"])


def _words(data: Data) -> str:
    metric = data["metric"]
    return (
        f"Drop of {metric['name']} against the source in float32, on the same "
        f"{plural(metric['search_samples'], 'sample')}, with {data['confidence']:.0%} intervals."
    )


def _fronts(data: Data, points: list[Data]) -> str:
    budgets, loss = data["budgets"], f"drop of {data['metric']['name']}"
    down = Axis(loss, data["metric"]["unit"], budgets["max_drop"])
    timed = [
        _dot(p, p["latency"]["ms"], _ends(p["latency"], "low_ms", "high_ms"))
        for p in points
        if p["latency"] and p["score"]
    ]
    sized = [_dot(p, p["file"]["size_bytes"] / _MIB, None) for p in points if p["file"] and p["score"]]
    words = dict.fromkeys(p["latency"]["truth"] for p in points if p["latency"])
    parts = [_KEY]
    if timed:
        parts.append(pareto(timed, Axis(f"latency, {' and '.join(words)}", "ms", budgets["max_latency_ms"]), down))
    if sized:
        parts.append(
            "<h3>And by size</h3>" + pareto(sized, Axis("size of the file", "MiB", budgets["max_size_mib"]), down)
        )
    return "".join(parts) if timed or sized else ""


def _dot(point: Data, x: float, ends: tuple[float, float] | None) -> Dot:
    drop = point["score"]["drop"]
    spared = f"{plural(len(point['spared']), 'group')} in {_spared_in(point)}"
    name = f"{point['order']}: {point['recipe']}, {spared}; {point['why']}"
    return Dot(name, x, drop["value"], ends, _ends(drop, "low", "high"), point["on_front"], point["chosen"])


def _ends(data: Data, low: str, high: str) -> tuple[float, float] | None:
    return None if data[low] is None or data[high] is None else (data[low], data[high])


def _tried(data: Data, points: list[Data]) -> str:
    heads = ("#", "recipe", "why", "", data["metric"]["name"], "drop", "samples", "ms", "predicted", "size")
    return table(heads, (_row(point) for point in points), words=(1, 2, 3))


def _row(point: Data) -> list[object]:
    score, latency, file = point["score"], point["latency"], point["file"]
    state = {"fits": ("good", "✓ fits"), "misses": ("bad", "✗ misses"), "failed": ("bad", "✗ failed")}
    kind, words = state.get(point["state"], ("soft", point["state"]))
    why = "; ".join([*point["misses"], *_unseen(point)])
    mark = (
        Html(f'<span class="{kind}">{words}</span>')
        if not point["chosen"]
        else Html('<span class="good">✓ chosen</span>')
    )
    spared = f", {plural(len(point['spared']), 'group')} in {_spared_in(point)}" if point["spared"] else ""
    return [
        point["order"],
        f"{point['recipe']}{spared}",
        f"{point['move']}: {point['why']}{f' ({why})' if why else ''}",
        mark,
        f"{score['value']:.4g}" if score else "-",
        f"{score['drop']['value']:.3g} ({_span(score['drop'])})" if score else "-",
        f"{score['drop']['samples']}/{score['drop']['of']}" if score else "-",
        f"{latency['ms']:.4g}" if latency else "-",
        _beforehand(point),
        size_text(file["size_bytes"]) if file else "-",
    ]


def _unseen(point: Data) -> Iterator[str]:
    """What the answer loses on samples that no other was tried on."""
    if point["confirmed"]:
        drop = point["confirmed"]["drop"]
        yield f"on samples that the search did not see: drop {drop['value']:.3g} ({_span(drop)})"


def _beforehand(point: Data) -> str:
    """The time in ms that the front said of a file before it was made; older results do not have it."""
    told = point.get("expected_ms")
    return "" if told is None else f"{told:.4g}"


def _span(drop: Data) -> str:
    if drop["low"] is None or drop["high"] is None:
        return "no interval"
    return f"{drop['low']:.3g} to {drop['high']:.3g}"


def _unit(data: Data) -> str:
    return f" {data['metric']['unit']}" if data["metric"]["unit"] else ""


def _spared_in(point: Data) -> str:
    return "int16" if point.get("spared_in") == "int16" else "float"


def _groups(data: Data) -> str:
    spared_in = _spared_in(_chosen(data) or {})
    rows = [
        (
            short(one["name"]),
            spared_in if one["spared"] else "int8",
            one["ops"],
            number(one["macs"]),
            f"{one['damage']:.3g}",
            f"{one['extra_us']:.4g}",
        )
        for one in data["groups"]
    ]
    note = paragraph(f"Damage is predicted: {data['ranking']}.") if rows and data["ranking"] else ""
    return note + table(("group", "in the answer", "ops", "MACs", "damage", "us more in float"), rows, words=(0, 1))


def _predicted(data: Data) -> str:
    """Members whose time was taken, and others evenly spread; older results do not say which is which."""
    members = [one for one in data["predicted_front"] if one.get("truth")]
    if not members:
        return ""
    step = max(1, len(members) // _SHOWN)
    shown = [one for place, one in enumerate(members) if place % step == 0 or one["truth"] != "predicted"]
    rows = [
        (one["spared"], f"{one['damage']:.3g}", f"{one['ms']:.4g}", one["truth"], size_text(one["size_bytes"]))
        for one in shown
    ]
    words = (
        f"{plural(len(members), 'member')}, each with more groups in float than the one before; their files are made "
        "only where the search tries them, or where the prediction of their time was least sure."
    )
    heads = ("groups in float", "damage, predicted", "ms", "its time is", "size, predicted")
    return paragraph(words) + table(heads, rows, words=(3,))


def _findings(data: Data) -> str:
    from edge_sdk.report.html.markup import text

    return f"<ul>{''.join(f'<li>{text(one)}</li>' for one in data['findings'])}</ul>" if data["findings"] else ""


def _next(data: Data) -> Iterator[tuple[str, str]]:
    folder, best = data["folder"] or "OUT", f"{data['folder'] or 'OUT'}/best.tflite"
    if data.get("confirmation") == "undecided":
        yield (
            "Unseen data cannot tell whether the answer is within the budget: give more, or take what is confirmed",
            command("optimize", data["source"], "-o", "ANOTHER", "--eval", "MORE", "--require-confirmed"),
        )
    if _chosen(data) is None:
        yield (
            "Allow more: a larger drop, or another budget; what was tried is kept.",
            command("optimize", data["source"], "-o", folder, "--eval", "DATA", "--max-drop", "1", "--resume"),
        )
        return
    yield (
        "Make the same file again.",
        command("convert", data["source"], "-r", f"{folder}/recipe.toml", "--calibration", f"{folder}/calibration.npz"),
    )
    yield "Measure it, with the conditions it was taken under.", command("benchmark", best, "--html", "speed.html")
    if data["profile"]:
        yield (
            "See where each op would run.",
            command("check", best, "--profile", data["profile"], "--html", "check.html"),
        )


def _provenance(data: Data) -> str:
    metric = data["metric"]
    effort = f"{data['evaluations']} evaluations, {data['samples_run']:,} samples, {data['seconds']:.0f} s"
    counts = f"{metric['search_samples']} to search on, {metric['confirm_samples']} to confirm"
    return facts(
        [
            ("source", data["source"]),
            ("device", data["profile"]),
            ("objective", data["objective"]),
            ("data", f"{metric['data']}: {counts}"),
            ("calibration", metric["calibration"]),
            ("effort", f"{effort}; {data['stopped']}"),
            ("files", data["folder"]),
        ]
    )
