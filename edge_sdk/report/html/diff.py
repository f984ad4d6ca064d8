"""Two results of the same kind: what is better, what is worse, which findings came and went."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge_sdk.errors import EdgeSdkError
from edge_sdk.report.html.figures import Measure, measures
from edge_sdk.report.html.findings import findings
from edge_sdk.report.html.markup import Data, Html, facts, paragraph, plural, section, table, text
from edge_sdk.report.html.page import Page, Verdict

_WORDS = {
    "better": ("good", "↗ better"),
    "worse": ("bad", "↘ worse"),
    "undecided": ("soft", "intervals overlap"),
    "changed": ("soft", "changed"),
    "same": ("soft", "same"),
    "only": ("soft", "only in one"),
}


def diff_page(before: Data, after: Data, names: tuple[str, str]) -> Page:
    """The page of ``after`` against ``before``.

    Raises:
        EdgeSdkError: they are not of the same kind, or hold no numbers.
    """
    pairs = _paired(measures(before), measures(after), names)
    states = Counter(_state(*pair) for _, pair in pairs)
    words = f"{states['better']} better, {states['worse']} worse, {states['undecided']} within their intervals"
    state = "bad" if states["worse"] and not states["better"] else "warn" if states["worse"] else "good"
    sections = (
        section("Numbers", table(("", *names, "change", ""), _rows(pairs), words=(0, 4))),
        section("Where ops run", _places(before, after, names)),
        section("Findings that came", findings(_new(before, after))),
        section("Findings that went", findings(_new(after, before))),
        section("Provenance", facts((("before", names[0]), ("after", names[1])))),
    )
    return Page("difference", f"{names[1]} against {names[0]}", Verdict(state, words), sections)


@dataclass(frozen=True)
class Change:
    """A number of two results.

    ``state`` is ``better``, ``worse``, ``undecided`` (intervals overlap), ``changed`` (neither is better), ``same`` or
    ``only`` (in one of them).
    """

    name: str
    before: float | None
    after: float | None
    state: str

    def __str__(self) -> str:
        before, after = ("none" if value is None else f"{value:.4g}" for value in (self.before, self.after))
        return f"{self.name}: {after}, was {before}"


def changes(before: Data, after: Data, names: tuple[str, str]) -> tuple[Change, ...]:
    """Each number that either result has; errors as :func:`diff_page`."""
    pairs = _paired(measures(before), measures(after), names)
    return tuple(
        Change(name, old.value if old else None, new.value if new else None, _state(old, new))
        for name, (old, new) in pairs
    )


_Pair = tuple[Measure | None, Measure | None]


def _paired(old: Sequence[Measure], new: Sequence[Measure], names: tuple[str, str]) -> list[tuple[str, _Pair]]:
    before, after = ({one.name: one for one in side} for side in (old, new))
    if not before.keys() & after.keys():
        raise EdgeSdkError(
            f"{names[0]} and {names[1]} have no number in common",
            hint="give two results of the same command, each of one file",
        )
    return [(name, (before.get(name), after.get(name))) for name in dict.fromkeys([*before, *after])]


def _state(old: Measure | None, new: Measure | None) -> str:
    if old is None or new is None or old.value is None or new.value is None:
        return "only"
    if old.value == new.value:
        return "same"
    if _overlap(old, new):
        return "undecided"
    if not (old.better and new.better):
        return "changed"
    return "better" if (new.value > old.value) == (new.better == "more") else "worse"


def _overlap(old: Measure, new: Measure) -> bool:
    if old.low is None or old.high is None or new.low is None or new.high is None:
        return False
    return old.low <= new.high and new.low <= old.high


def _rows(pairs: Sequence[tuple[str, _Pair]]) -> Iterator[tuple[object, ...]]:
    for name, (old, new) in pairs:
        kind, words = _WORDS[_state(old, new)]
        told = [one.told if one else "-" for one in (old, new)]
        yield name, *told, _change(old, new), Html(f'<span class="{kind}">{text(words)}</span>')


def _change(old: Measure | None, new: Measure | None) -> str:
    if old is None or new is None or not old.value or new.value is None:
        return "-"
    ratio = new.value / old.value
    return f"{ratio - 1:+.1%}" if math.isfinite(ratio) else "-"


def _places(before: Data, after: Data, names: tuple[str, str]) -> str:
    """Reasons why ops stay outside delegates, counted on both sides; nothing where they are the same."""
    old, new = (_reasons(side.get("check") or side) for side in (before, after))
    changed = [key for key in dict.fromkeys([*old, *new]) if old[key] != new[key]]
    rows = [(f"{rules}: {op}", old[rules, op, rule], new[rules, op, rule], rule) for rules, op, rule in changed]
    if not rows:
        return ""
    return paragraph(f"{plural(len(rows), 'reason')} changed.") + table(
        ("left outside", *names, "rule"), rows, words=(0, 3)
    )


def _reasons(data: Data) -> Counter[tuple[str, str, str]]:
    counted: Counter[tuple[str, str, str]] = Counter()
    for one in data.get("delegates", ()):
        for obstacle in one["obstacles"]:
            counted[one["rules"], obstacle["op_name"], obstacle["rule"]] += obstacle["count"]
    return counted


def _new(before: Data, after: Data) -> list[Data]:
    old = {(one["rule"], one.get("where", "")) for one in _findings(before)}
    return [one for one in _findings(after) if (one["rule"], one.get("where", "")) not in old]


def _findings(data: Data) -> Iterator[Data]:
    for part in (data, data.get("check") or {}):
        yield from part.get("findings", ())
        yield from part.get("lint", ())
