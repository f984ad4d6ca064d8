"""Pictures in the documentation are made here: ``EDGE_SDK_PICTURES=1`` puts them into ``docs/_static``."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edge_sdk.cli import cli
from tests.browser import browse, in_a_browser
from tests.docs.pages import DOCS, README, text_of

_REPORT = "check digits_keras_static_wi8_ai8.tflite --profile pixel-8 --html page.html"


def test_readme_names_the_command_of_its_picture() -> None:
    assert f"edge-sdk {_REPORT}" in text_of(README)


@in_a_browser
@pytest.mark.images
@pytest.mark.keras
@pytest.mark.torch
@pytest.mark.slow
def test_the_report(demo: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page that README's command makes of the demo's file, in a browser: of the size of the picture there."""
    from PIL import Image

    words = [word if word != "page.html" else str(tmp_path / word) for word in shlex.split(_REPORT)]
    monkeypatch.chdir(demo[0])
    assert CliRunner().invoke(cli, words).exit_code == 0
    with Image.open(DOCS / "_static" / "report.png") as shown:
        size = shown.size
    target = tmp_path / "report.png"
    options = (f"--window-size={size[0]},{size[1]}", f"--screenshot={target}")
    browse(tmp_path, *options, (tmp_path / "page.html").as_uri())
    with Image.open(target) as made:
        assert made.size == size
        plain = made.convert("P", palette=Image.Palette.ADAPTIVE, colors=64)
        colours = {colour for _, colour in made.convert("RGB").getcolors(1 << 24) or ()}
    assert len(colours) > 20, "an empty page has one"
    if os.environ.get("EDGE_SDK_PICTURES"):
        plain.save(DOCS / "_static" / "report.png", optimize=True)
