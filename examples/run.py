"""Runs the blocks of a page, in order: ``python examples/run.py keyword-spotting`` does what that tutorial says.

Each block is a program of its own, in one folder that begins with the files of ``examples/NAME``. The Python
that runs this file is of an environment with the extras that the page names.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_FENCE = re.compile(
    r"(?:^<!-- (?P<mark>not run|before): ?(?P<said>.*?) ?-->\n)?^```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
RUNNABLE = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
"""Language of a block to what runs it; blocks in others are shown, not run."""


@dataclass(frozen=True)
class Block:
    """A fenced block; ``not_run`` says why it cannot be run."""

    language: str
    code: str
    line: int
    not_run: str | None


class BlockFailedError(Exception):
    """A block ended with another exit code than 0."""


def blocks(text: str) -> Iterator[Block]:
    """All fenced blocks of a page."""
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start("language")) + 1
        not_run = found["said"] if found["mark"] == "not run" else None
        yield Block(found["language"], found["code"], line, not_run)


def run_page(page: Path, folder: Path, environment: dict[str, str] | None = None) -> str:
    """Runs every block of ``page`` that can be run, in ``folder``; one headed ``# NAME.toml`` becomes that file.

    Returns:
        What they printed.

    Raises:
        BlockFailedError: with the page, the line, and what the block said.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    settings = {**os.environ, "PATH": path, **(environment or {})}
    printed = []
    for block in blocks(page.read_text(encoding="utf-8")):
        if file := re.match(r"# ([\w-]+\.(?:toml|yml))\n", block.code):
            (folder / file[1]).write_text(block.code, encoding="utf-8")
        if block.language not in RUNNABLE or block.not_run is not None:
            continue
        command = [*RUNNABLE[block.language], block.code]
        done = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BlockFailedError(f"{page}:{block.line}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
        printed.append(done.stdout)
    return "".join(printed)


def main() -> int:
    """The command line."""
    names = sorted(path.stem for path in (ROOT / "docs" / "tutorials").glob("*.md"))
    parser = argparse.ArgumentParser(description="Runs a tutorial's blocks, in order.")
    parser.add_argument("name", choices=names)
    parser.add_argument("--folder", type=Path, help="to run in, new; default: a temporary one, gone at the end")
    parser.add_argument("--long", action="store_true", help="more data and epochs than the tests take")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary) / asked.name
        prepare(asked.name, folder)
        page = ROOT / "docs" / "tutorials" / f"{asked.name}.md"
        sys.stdout.write(run_page(page, folder, {"EXAMPLE_LONG": "1"} if asked.long else None))
    return 0


def prepare(name: str, folder: Path, demo: Path = ROOT / "demo_output") -> None:
    """A folder with the example's files, or, for a tutorial that has none, with what ``make demo`` leaves."""
    own = ROOT / "examples" / name
    if not own.is_dir() and not demo.is_dir():
        sys.exit(f"{name} begins in the folder that the demo leaves, and {demo} is not there: make demo")
    shutil.copytree(own if own.is_dir() else demo, folder)


if __name__ == "__main__":
    sys.exit(main())
