"""A board that is prepared already: edge-sdk there is this checkout, or a few lines in its place."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from edge_sdk import __version__
from edge_sdk.cli import cli
from edge_sdk.devices.own_wheel import own_digest

ROOT = Path(__file__).parents[2]
_REAL = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom edge_sdk.cli import main\nmain()\n"


def make_ready(home: Path, folder: Path, does: str = _REAL) -> Path:
    """Writes what ``devices prepare`` leaves.

    Args:
        home: edge-sdk's, on the board.
        folder: gets the program.
        does: Python in the place of edge-sdk; the words of the command line are in ``sys.argv``.

    Returns:
        Where the stand-in may keep files of its own.
    """
    folder.mkdir(exist_ok=True)
    (folder / "__main__.py").write_text(does)
    data = {
        "program": sys.executable, "python": "Python 3.11", "folder": str(folder), "engine": "ai-edge-litert 2.3.0",
        "wheels": [], "own": {}, "refused": [], "edge_sdk": __version__, "edge_sdk_sha256": own_digest(),
    }  # fmt: skip
    home.mkdir(exist_ok=True, parents=True)
    (home / "prepared.json").write_text(json.dumps(data))
    return folder


def saying(data: Any, status: int = 0) -> str:
    """What prints a JSON object and ends."""
    return f"import sys\nprint({json.dumps(data)!r})\nsys.exit({status})\n"


def invoke(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], prog_name="edge-sdk")


def only_what_was_there(home: Path) -> bool:
    """Nothing but the record is left in edge-sdk's folder there."""
    return [path.name for path in home.rglob("*") if path.is_file() or path.is_symlink()] == ["prepared.json"]
