"""The frame of every page."""

from __future__ import annotations

from dataclasses import dataclass

from edge_sdk.report.html.markup import Html, paragraph, text
from edge_sdk.report.html.style import STYLE
from edge_sdk.version import __version__

# Nothing is loaded and nothing runs: a browser holds the page to it.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_MARKS = {"good": "✓", "warn": "!", "bad": "✗"}


@dataclass(frozen=True)
class Verdict:
    """The first line: ``state`` is ``good``, ``warn``, ``bad`` or empty."""

    state: str
    words: str

    def __str__(self) -> str:
        mark = f"{_MARKS[self.state]} " if self.state else ""
        return f'<p class="verdict {self.state}">{mark}{text(self.words)}</p>'


@dataclass(frozen=True)
class Page:
    """A page before it is framed.

    Attributes:
        kind: what it is about: ``conversion``, ``check`` ...
        title: the heading.
        verdict: the first line.
        sections: HTML, in order; empty ones are left out.
    """

    kind: str
    title: str
    verdict: Verdict
    sections: tuple[str, ...]

    def html(self) -> str:
        """The whole document."""
        head = (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{text(self.title)}</title>\n<style>{STYLE}</style></head><body>"
        )
        parts = [
            head,
            f'<p class="kind">edge-sdk · {text(self.kind)}</p>',
            f"<h1>{text(self.title)}</h1>",
            str(self.verdict),
            *filter(None, self.sections),
            paragraph(Html(f"<small>made by edge-sdk {text(__version__)} from the result's JSON</small>")),
            "</body></html>\n",
        ]
        return "\n".join(parts)
