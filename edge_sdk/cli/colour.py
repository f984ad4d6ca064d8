"""Colour for verdicts, on a terminal only; and text that fits it. Nothing says by colour what a word does not say."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import TextIO

import click

_STYLES: tuple[tuple[re.Pattern[str], dict[str, str | bool]], ...] = (
    (
        re.compile(r"^error(?=:)|\b(DOES NOT FIT|UNVERIFIED|INVALID|BEYOND|WOULD FAIL|wrong(?=  ))"),
        {"fg": "red", "bold": True},
    ),
    (re.compile(r"^hint(?=:)"), {"bold": True}),
    (re.compile(r"(?<![\w-])(error|dead)(?=: )"), {"fg": "red"}),
    (re.compile(r"(?<![\w-])warning(?=: )"), {"fg": "yellow"}),
    (re.compile(r"^verified|: predicted to fit|: within bounds|: VALID\b|\bok$"), {"fg": "green"}),
)
_LEAST = 40
_GAP, _COLUMNS = re.compile(r"\S {2,}(?=\S)"), 2


def is_coloured(stream: TextIO) -> bool:
    """Whether a stream is a terminal whose user did not refuse colour (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def shown(text: str, stream: TextIO) -> str:
    """Text as the stream gets it: as it is into files and pipes; folded and coloured on a terminal."""
    if not stream.isatty():
        return text
    width = shutil.get_terminal_size().columns
    lines = [part for line in text.splitlines() for part in folded(line, width)]
    return "\n".join(painted(line) for line in lines) if is_coloured(stream) else "\n".join(lines)


def folded(line: str, width: int) -> Iterator[str]:
    """A line in as many as fit the width; what follows is indented as its text begins. Rows of tables stay whole."""
    if len(line) <= width or width < _LEAST or len(_GAP.findall(line)) > _COLUMNS:
        yield line
        return
    # `  label       text`, or whatever the line is indented by.
    head = re.match(r"  \S.{0,10}?\s{2,}(?=\S)|\s*", line)
    indent = min(head.end() if head else 0, width // 2)
    yield from textwrap.wrap(
        line,
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
        replace_whitespace=False,
    )


def painted(line: str) -> str:
    """A line with its verdicts in colour."""
    for pattern, style in _STYLES:
        line = pattern.sub(lambda found: click.style(found[0], **style), line)  # type: ignore[arg-type] # noqa: B023
    return line


def echo(text: str, *, err: bool = False) -> None:
    """Writes to stdout or stderr, as :func:`shown`."""
    stream = sys.stderr if err else sys.stdout
    # A path may hold bytes that are no text, and stdout takes text alone.
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    click.echo(shown(text, stream), err=err, color=is_coloured(stream) or None)
