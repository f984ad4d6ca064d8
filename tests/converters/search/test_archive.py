"""What was found out is never found out again, and what a kill tore is dropped."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sdk.converters.search.archive import NAME, Archive
from edge_sdk.errors import OutputError


def test_answers_are_recalled_by_the_next_process(tmp_path: Path) -> None:
    first = Archive(tmp_path, {"source": "a"}, resume=False)
    assert first.recall("score", "x", lambda: {"value": 0.1}) == {"value": 0.1}
    again = Archive(tmp_path, {"source": "a"}, resume=True)
    assert again.recall("score", "x", lambda: pytest.fail("found out twice")) == {"value": 0.1}
    assert again.recall("score", "y", lambda: 2) == 2


def test_a_torn_line_is_dropped_and_the_next_one_is_whole(tmp_path: Path) -> None:
    Archive(tmp_path, {}, resume=False).recall("score", "x", lambda: 1)
    whole = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(whole + b'{"kind": "score", "key": "y", "ans')
    again = Archive(tmp_path, {}, resume=True)
    assert again.recall("score", "y", lambda: 3) == 3
    assert (tmp_path / NAME).read_bytes().startswith(whole)
    assert Archive(tmp_path, {}, resume=True).recall("score", "y", lambda: pytest.fail("lost")) == 3


def test_another_search_is_refused_and_says_what_differs(tmp_path: Path) -> None:
    Archive(tmp_path, {"source": "a"}, resume=False)
    with pytest.raises(OutputError, match="a search was begun here"):
        Archive(tmp_path, {"source": "a"}, resume=False)
    with pytest.raises(OutputError, match="source was 'a', is 'b'"):
        Archive(tmp_path, {"source": "b"}, resume=True)


def test_a_damaged_archive_is_an_error(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"nonsense\n")
    with pytest.raises(OutputError, match="damaged"):
        Archive(tmp_path, {}, resume=True)
