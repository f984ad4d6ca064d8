"""Pieces of HTML that all sections are made of; every text that comes from a file or a user is escaped here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape as _escape
from typing import Any

from edge_sdk.report.lines import size_text

__all__ = [
    "Data",
    "Html",
    "code",
    "decibels",
    "facts",
    "folded",
    "milliseconds",
    "number",
    "paragraph",
    "plural",
    "section",
    "short",
    "size_text",
    "table",
    "text",
    "tiles",
]

_TAG = re.compile("<[^>]*>")
_SHORT, _SENTENCE = 20, 40
Data = Mapping[str, Any]
"""A result, or part of one, as its command's ``--json`` has it."""


@dataclass(frozen=True)
class Html:
    """Text that is HTML already."""

    text: str

    def __str__(self) -> str:
        return self.text


def text(value: object) -> str:
    """A value for a place between tags or in an attribute in double quotes."""
    return value.text if isinstance(value, Html) else _escape(_visible(str(value)), quote=True)


def _visible(value: str) -> str:
    """Control characters, which HTML forbids, as the replacement character."""
    return "".join(c if c >= " " or c in "\n\t" else "\ufffd" for c in value)


def section(title: str, *parts: str, anchor: str = "") -> str:
    """A heading and what follows, or nothing where nothing does."""
    body = "\n".join(part for part in parts if part)
    name = f' id="{text(anchor)}"' if anchor else ""
    return f"<h2{name}>{text(title)}</h2>\n{body}" if body else ""


def paragraph(words: object, kind: str = "") -> str:
    """One paragraph; nothing for no words."""
    mark = f' class="{kind}"' if kind else ""
    return f"<p{mark}>{text(words)}</p>" if str(words) else ""


def tiles(entries: Iterable[tuple[str, object]]) -> str:
    """Figures with their names below."""
    made = "".join(f"<div><b>{text(value)}</b><span>{text(name)}</span></div>" for name, value in entries)
    return f'<div class="tiles">{made}</div>' if made else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, words: Sequence[int] = (0,)) -> str:
    """A table that scrolls by itself where it is too wide.

    Args:
        heads: of the columns.
        rows: cells, escaped unless they are :class:`Html`.
        words: columns that hold words; the others are numbers, to the right.
    """
    lines = [list(row) for row in rows]
    kinds = [_kind([line[place] for line in lines]) if place in words else "n" for place in range(len(heads))]
    head = "".join(
        f'<th class="{kind}">{text(name)}</th>' if kind == "n" else f"<th>{text(name)}</th>"
        for kind, name in zip(kinds, heads, strict=True)
    )
    body = [
        "<tr>"
        + "".join(f'<td class="{kind}">{text(cell)}</td>' for kind, cell in zip(kinds, line, strict=True))
        + "</tr>"
        for line in lines
    ]
    if not body:
        return ""
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n' + "\n".join(body) + "</tbody></table></div>"
    )


def _kind(cells: Iterable[object]) -> str:
    """How wide a column of words is on a phone: of short ones as they are, of sentences as one reads."""
    longest = max((len(_TAG.sub("", text(cell))) for cell in cells), default=0)
    return "t s" if longest <= _SHORT else "t l" if longest > _SENTENCE else "t"


def facts(entries: Iterable[tuple[str, object]]) -> str:
    """Names and values, those without a value left out."""
    made = "\n".join(
        f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in entries if value not in (None, "")
    )
    return f"<dl>\n{made}\n</dl>" if made else ""


def folded(summary: str, body: str) -> str:
    """What is there on demand."""
    return f"<details><summary>{text(summary)}</summary>\n{body}\n</details>" if body else ""


def milliseconds(value: float) -> str:
    """A time, in microseconds where it is short."""
    return f"{value:.3g} ms" if value >= 1 else f"{value * 1000:.3g} us"


def code(words: object) -> Html:
    """A name or a short command."""
    return Html(f"<code>{text(words)}</code>")


def decibels(value: float | None) -> str:
    """An SQNR; JSON has None for infinity, which is exact."""
    return "exact" if value is None or not math.isfinite(value) else f"{value:.1f} dB"


def number(value: float) -> str:
    """A number with a thousand's letter: ``1.2 M``."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g} {letter}"
    return f"{value:.4g}"


def plural(count: int, noun: str) -> str:
    """``1 op``, ``2 ops``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def short(name: str, most: int = 60) -> str:
    """A name's end, which tells tensors apart; no line breaks behind the dots."""
    return name if len(name) <= most else f"…\u2060{name[1 - most :]}"
