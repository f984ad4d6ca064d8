"""Text of the code on a page: nothing in it is Markdown but what stands in backquotes."""

from __future__ import annotations

import re


def escaped(text: str) -> str:
    """On one line; double backquotes, as docstrings have them, are single ones there."""
    text = " ".join(text.split()).replace("``", "`")
    text = re.sub(r":(?:class|func|meth|attr|mod):`~?([^`]+)`", r"`\1`", text)
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([<\[*_|])", r"\\\1", part) for part in parts)


def cell(text: str) -> str:
    """The same in a table, where a bar would end the cell even in backquotes."""
    return escaped(text).replace("\\|", "|").replace("|", "\\|")
