"""The graph as a strip, in execution order: a lane for each type and delegate, bars for what each op costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge_sdk.report.html.markup import (
    Data,
    Html,
    decibels,
    folded,
    milliseconds,
    number,
    paragraph,
    plural,
    short,
    size_text,
    table,
    text,
)
from edge_sdk.report.html.svg import bars, columns, path, picture, runs

_LANE, _BAR, _GAP = 17, 42, 8
# Screens are narrower; beyond it an op would be less than a pixel.
_COLUMNS = 1000
_LISTED = 300
_BEST_DB = 60.0


@dataclass(frozen=True)
class Track:
    """One row of bars: a value for each op, and how the largest is told."""

    name: str
    values: Sequence[float]
    told: str
    most: float = 0.0


@dataclass(frozen=True)
class Strip:
    """What is known of each op, by place.

    Attributes:
        ops: the timeline's.
        delegates: name to each op's partition, or None where it stays outside.
        reasons: for each op, why delegates leave it outside.
        sqnr_db: of results, by op; what was not compared is absent.
        times_ms: by op, and the word for how they are known: ``measured`` or ``predicted``.
    """

    ops: Sequence[Data]
    delegates: Mapping[str, Sequence[int | None]] = field(default_factory=dict)
    reasons: Mapping[int, Sequence[str]] = field(default_factory=dict)
    sqnr_db: Mapping[int, float] = field(default_factory=dict)
    times_ms: Mapping[int, float] = field(default_factory=dict)
    times_word: str = "measured"

    def html(self, *, most: int = _COLUMNS) -> str:
        """The picture with its names, and the ops as a table.

        Args:
            most: columns; several ops share one where there are more.
        """
        if not self.ops:
            return ""
        fold = -(-len(self.ops) // most)
        lanes, tracks = list(self._lanes()), list(self._tracks())
        parts, names, y = [], [], 0
        for name, marks, kind in lanes:
            parts.append(path(kind, runs(_folded_marks(marks, fold), y + 4, _LANE - 7)))
            names.append(_label(name, "", _LANE))
            y += _LANE
        for track in tracks:
            y += _GAP
            values = [max(track.values[i : i + fold]) for i in range(0, len(track.values), fold)]
            parts.append(path("blue", bars(values, track.most or max(values), y, _BAR)))
            parts.append(path("rule", f"M0 {y + _BAR}H1000"))
            names.append(f'<div style="height:{_GAP}px"></div>' + _label(track.name, track.told, _BAR))
            y += _BAR
        parts.append(
            columns([self._title(range(i, min(i + fold, len(self.ops)))) for i in range(0, len(self.ops), fold)], y)
        )
        label = f"{plural(len(self.ops), 'op')} in execution order; the table below says the same"
        last = len(self.ops) - 1
        return "\n".join(
            [
                f'<div class="strip"><div class="names">{"".join(names)}</div>{picture(y, parts, label)}',
                f'<div class="axis"><span>op 0</span><span>{_axis(fold)}</span><span>op {last}</span></div></div>',
                folded(*self._table()),
            ]
        )

    def _lanes(self) -> Iterator[tuple[str, list[object], str]]:
        for kind in dict.fromkeys(op["computes"] for op in self.ops):
            marks: list[object] = [True if op["computes"] == kind else None for op in self.ops]
            yield f"in {kind}" if kind not in ("convert", "control", "other") else str(kind), marks, "ink"
        for name, places in self.delegates.items():
            yield name, list(places), "blue"

    def _tracks(self) -> Iterator[Track]:
        macs = [float(op["macs"]) for op in self.ops]
        if any(macs):
            yield Track("MACs", macs, f"most {number(max(macs))}")
        if self.times_ms:
            times = [self.times_ms.get(i, 0.0) for i in range(len(self.ops))]
            yield Track("time", times, f"{self.times_word}, most {milliseconds(max(times))}")
        if self.sqnr_db:
            values = [min(max(_BEST_DB - self.sqnr_db.get(i, _BEST_DB), 0.0), _BEST_DB) for i in range(len(self.ops))]
            yield Track("noise", values, f"least {min(self.sqnr_db.values()):.1f} dB", _BEST_DB)
        live = [float(op["live_bytes"]) for op in self.ops]
        if any(live):
            yield Track("memory", live, f"most {size_text(int(max(live)))}")

    def _title(self, places: range) -> str:
        """What pointing at a column says: of one op all, of several the first that stays outside."""
        if len(places) == 1:
            return "\n".join(self._told(places[0]))
        outside = next((i for i in places if self.reasons.get(i)), None)
        names = dict.fromkeys(str(self.ops[i]["name"]) for i in places)
        head = f"ops {places[0]} to {places[-1]}: {short(', '.join(names))}"
        return head if outside is None else "\n".join([head, *self._told(outside)])

    def _told(self, place: int) -> Iterator[str]:
        op = self.ops[place]
        yield f"{op['op']} {op['name']}: {short(op['result'])}"
        costs = [f"computes in {op['computes']}", f"{op['macs']:,} MACs", f"{size_text(op['live_bytes'])} alive"]
        if place in self.sqnr_db:
            costs.append(f"SQNR {decibels(self.sqnr_db[place])}")
        if place in self.times_ms:
            costs.append(f"{milliseconds(self.times_ms[place])} {self.times_word}")
        yield ", ".join(costs)
        yield from self.reasons.get(place, ())

    def _table(self) -> tuple[str, str]:
        listed = list(range(len(self.ops)))
        if len(listed) > _LISTED:
            rank = {i: (not self.reasons.get(i), self.sqnr_db.get(i, _BEST_DB), -self.ops[i]["macs"]) for i in listed}
            listed = sorted(sorted(listed, key=lambda i: rank[i])[:_LISTED])
        heads = ["#", "op", "result", "computes in", *self.delegates, "MACs", "SQNR"]
        heads += [f"ms, {self.times_word}"] if self.times_ms else []
        rows = [self._row(i) for i in listed]
        words = tuple(range(1, 4 + len(self.delegates)))
        left = len(self.ops) - len(listed)
        note = (
            f"{plural(left, 'op')} are not listed: those that every delegate takes and that lose least. "
            "All of them: edge-sdk check --verbose, or the JSON."
        )
        summary = f"{plural(len(listed), 'op')} as a table" + (f", of {len(self.ops):,}" if left else "")
        return summary, table([*heads, "alive"], rows, words=words) + (paragraph(note) if left else "")

    def _row(self, place: int) -> list[object]:
        op = self.ops[place]
        reasons = Html("".join(f"<br><small>{text(reason)}</small>" for reason in self.reasons.get(place, ())))
        result = Html(f"{text(short(op['result']))}{reasons}")
        taken: list[object] = ["outside" if marks[place] is None else "takes it" for marks in self.delegates.values()]
        sqnr = decibels(self.sqnr_db[place]) if place in self.sqnr_db else "-"
        times = [f"{self.times_ms[place]:.3g}" if place in self.times_ms else "-"] if self.times_ms else []
        macs = number(op["macs"]) if op["macs"] else "-"
        return [op["op"], op["name"], result, op["computes"], *taken, macs, sqnr, *times, size_text(op["live_bytes"])]


def sqnr_by_op(tensors: Sequence[Data]) -> dict[int, float]:
    """The worst result of each op."""
    worst: dict[int, float] = {}
    for row in tensors:
        worst[row["op_index"]] = min(row["sqnr_db"], worst.get(row["op_index"], row["sqnr_db"]))
    return worst


def times_of(details: Data) -> dict[int, float]:
    """Milliseconds of ops that were timed alone."""
    return {one["op"]: one["us"] / 1000 for one in details.get("op_times", ())}


def times_words(times: Mapping[int, float], ops: int) -> str:
    """What the track of times is, or why there is none."""
    if not times:
        return " Ops were not timed."
    which = "Ops were timed" if len(times) == ops else f"The {len(times)} ops with most MACs of {ops} were timed"
    return f" {which}, each alone in a file of its own, measured here on the CPU; they do not sum up to the whole."


def placements(check: Data | None, ops: int) -> tuple[dict[str, list[int | None]], dict[int, list[str]]]:
    """Each delegate's partitions and each op's reasons, out of a check; of the main subgraph."""
    delegates: dict[str, list[int | None]] = {}
    reasons: dict[int, list[str]] = {}
    for delegate in (check or {}).get("delegates", ()):
        places = [place for place in delegate["places"] if place["subgraph"] == 0 and place["op"] < ops]
        if not places:
            continue
        marks: list[int | None] = [None] * ops
        for place in places:
            marks[place["op"]] = place["partition"]
            if place["reason"]:
                reasons.setdefault(place["op"], []).append(_reason(delegate["rules"], place["reason"]))
        delegates[delegate["rules"]] = marks
    return delegates, reasons


def _reason(rules: str, reason: Mapping[str, Any]) -> str:
    return f"outside {rules}: {reason['message']} [{reason['rule']}]"


def _folded_marks(marks: Sequence[object], fold: int) -> list[object]:
    """A column is marked where one of its ops is."""
    if fold == 1:
        return list(marks)
    return [next((m for m in marks[i : i + fold] if m is not None), None) for i in range(0, len(marks), fold)]


def _label(name: str, told: str, height: int) -> str:
    second = f"<span>{text(told)}</span>" if told else ""
    return f'<div style="height:{height}px"><b>{text(name)}</b>{second}</div>'


def _axis(fold: int) -> str:
    return "in execution order" if fold == 1 else f"in execution order, {fold} ops to a column, bars show the largest"
