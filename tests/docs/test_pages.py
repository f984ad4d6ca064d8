"""What the pages show does what they say: every block is run, or says why not; every link leads somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import DOCS, README, ROOT, RUNNABLE, anchors, blocks, links, pages, run_page, text_of

RUN = [
    page
    for page in pages(DOCS)
    if page.parent.name != "tutorials"
    and any(block.language in RUNNABLE and not block.not_run for block in blocks(text_of(page)))
]
EXTERNAL = re.compile(r"https?://[\w.-]+(/[\w./%#?=&~+-]*)?")


@pytest.fixture(scope="module")
def after_readme(tmp_path_factory: pytest.TempPathFactory, demo: tuple[Path, Any]) -> Path:
    """The demo's folder as README's blocks leave it."""
    folder = tmp_path_factory.mktemp("readme") / "demo_output"
    shutil.copytree(demo[0], folder)
    run_page(README, folder)
    return folder


@pytest.mark.keras
@pytest.mark.torch
@pytest.mark.slow
def test_blocks_of_readme_run(after_readme: Path) -> None:
    assert (after_readme / "digits.edge").exists()


@pytest.mark.keras
@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_blocks_run(page: Path, tmp_path: Path, demo: tuple[Path, Any]) -> None:
    """In the folder that the demo leaves."""
    shutil.copytree(demo[0], tmp_path / "demo_output")
    run_page(page, tmp_path / "demo_output")


def commands_of_the_table() -> list[str]:
    table = text_of(README).split("## What goes wrong elsewhere", 1)[1].split("\n## ", 1)[0]
    return [row.rsplit("`", 2)[1] for row in table.splitlines() if row.startswith("| ") and "`edge-sdk" in row]


def test_each_row_of_the_table_has_a_command() -> None:
    table = text_of(README).split("## What goes wrong elsewhere", 1)[1].split("\n## ", 1)[0]
    rows = [row for row in table.splitlines() if row.startswith("| ") and not row.startswith("| elsewhere")]
    assert len(rows) >= 8
    assert len(commands_of_the_table()) == len(rows)


# What needs a board or a JDK; tests/devices and tests/android run those commands.
_ELSEWHERE = ("edge-sdk devices prepare ", "edge-sdk android check ")
# Said with exit code 3: a machine that is busy, a device that the file does not fit.
_MAY_BE_3 = ("edge-sdk benchmark ", "edge-sdk check ")


@pytest.mark.keras
@pytest.mark.torch
@pytest.mark.slow
def test_commands_of_the_table_run(after_readme: Path) -> None:
    """In the folder that README's blocks left."""
    for command in commands_of_the_table():
        if command.startswith(_ELSEWHERE):
            continue
        ended = run_command(command, after_readme)
        allowed = (0, 3) if command.startswith(_MAY_BE_3) else (0,)
        assert ended.returncode in allowed, (command, ended.stderr)
        assert ended.stdout


def run_command(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "edge_sdk", *shlex.split(command)[1:]]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("page", [README, *pages(DOCS)], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_blocks_say_what_they_are(page: Path) -> None:
    """A block without a language would be neither run nor excused; an excuse says why."""
    text = text_of(page)
    fences = re.findall(r"^```(.*)$", text, re.MULTILINE)
    assert len(fences) % 2 == 0
    assert all(opening for opening in fences[::2]), "a block without a language"
    known = {"bash", "python", "text", "toml", "json", "sh", "xml", "java"}
    for block in blocks(text):
        assert block.language in known, block
        assert block.not_run is None or len(block.not_run) > 10, block
        # `sh` stands for what sets up this very environment, which no test in it can do.
        assert block.language != "sh" or page == README, block


@pytest.mark.parametrize("page", [README, *pages(DOCS)], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Those within the repository to a file, and to a heading of it; outside only their form is looked at."""
    for link in links(text_of(page)):
        if "://" in link:
            assert EXTERNAL.fullmatch(link), link
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(path), f"{page.name}: {link}"


def test_readme_is_short() -> None:
    assert len(text_of(README).splitlines()) <= 130
