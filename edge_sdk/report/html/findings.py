"""Findings, gravest first, each with its rule and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edge_sdk.report.html.markup import Data, Html, folded, plural, text

_ORDER = {"error": 0, "warning": 1, "info": 2}
_MARKS = {"error": ("bad", "✗ error"), "warning": ("warn", "! warning"), "info": ("soft", "note")}
_SHOWN = 12


def findings(*groups: Iterable[Data]) -> str:
    """All of them in one list; a rule's other places, and what is beyond a dozen, on demand."""
    every = sorted((one for group in groups for one in group), key=lambda one: _ORDER.get(one["severity"], 3))
    by_rule: dict[tuple[str, str], list[Data]] = {}
    for one in every:
        by_rule.setdefault((one["severity"], one["rule"]), []).append(one)
    items = [_item(same) for same in by_rule.values()]
    more = folded(f"{plural(len(items) - _SHOWN, 'more rule')}", _list(items[_SHOWN:])) if len(items) > _SHOWN else ""
    return _list(items[:_SHOWN]) + more


def _list(items: Sequence[str]) -> str:
    return "<ul>" + "\n".join(items) + "</ul>" if items else ""


def _item(same: Sequence[Data]) -> str:
    kind, word = _MARKS.get(same[0]["severity"], ("soft", same[0]["severity"]))
    others = (
        folded(f"{plural(len(same) - 1, 'more place')}", _list([_plain(one) for one in same[1:]])) if same[1:] else ""
    )
    head = f'<span class="{kind}">{text(word)}</span> {_words(same[0])}'
    return f"<li>{head} <small>[{text(same[0]['rule'])}]</small>{others}</li>"


def _plain(one: Data) -> str:
    return f"<li>{_words(one)}</li>"


def _words(one: Data) -> Html:
    where = f"{text(one['where'])}: " if one.get("where") else ""
    hint = f" <small>{text(one['hint'])}</small>" if one.get("hint") else ""
    return Html(f"{where}{text(one['message'])}{hint}")
