"""A long command says at first what the same one took the last time here, or that it is not known."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from edge_sdk.cli.screen import Screen, command
from edge_sdk.cli.took import UNKNOWN
from edge_sdk.errors import ModelError


@command(long=True)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output")
@click.option("--fails", is_flag=True)
def works(screen: Screen, file: Path, output: str | None, *, fails: bool) -> None:
    """Works, unless it is to fail."""
    screen.stage("the first")
    screen.stage("the second")
    if fails:
        raise ModelError("no")


def said(*words: str | Path) -> list[str]:
    """Lines that tell of time."""
    done = CliRunner().invoke(works, [str(word) for word in words])
    assert "the second" in done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("time: ")]


def test_the_last_time_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_SDK_CACHE", str(tmp_path / "cache"))
    model = tmp_path / "model"
    model.write_bytes(b"one")
    assert said(model, "--fails") == said(model, "--fails") == [UNKNOWN], "what failed told nothing of the whole"
    assert said(model) == [UNKNOWN]
    (kept,) = (tmp_path / "cache" / "edge-sdk" / "took").iterdir()
    kept.write_text(json.dumps({"seconds": 75.04, "date": "2026-01-31"}))
    assert said(model, "-o", "elsewhere") == ["time: the same took 75 s here on 2026-01-31"]
    model.write_bytes(b"larger")
    assert said(model) == [UNKNOWN], "another file is other work"


def test_where_nothing_can_be_kept_it_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("EDGE_SDK_CACHE", str(tmp_path / "file"))
    assert said(tmp_path / "file") == said(tmp_path / "file") == [UNKNOWN]
