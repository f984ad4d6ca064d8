"""Typical questions, each answered within two clicks of README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, README, anchors, links, text_of

ROWS = re.findall(r"^\| (.+\?) \| \[[^\]]+\]\(([^)#]+)#([^)]+)\) \|$", text_of(DOCS / "questions.md"), re.MULTILINE)


def reached(clicks: int) -> set[Path]:
    """Pages that so many links lead to, from README."""
    found = {README}
    for _ in range(clicks):
        found |= {
            (page.parent / link.partition("#")[0]).resolve()
            for page in found
            if page.suffix == ".md"
            for link in links(text_of(page))
            if "://" not in link and not link.startswith("#")
        }
    return found


def test_there_are_fifteen() -> None:
    assert len(ROWS) >= 15


@pytest.mark.parametrize(("question", "page", "anchor"), ROWS, ids=[row[0][:40] for row in ROWS])
def test_question_is_answered(question: str, page: str, anchor: str) -> None:
    path = (DOCS / page).resolve()
    assert path in reached(2), f"{question} {page} is more than two clicks away"
    assert anchor in anchors(path)
