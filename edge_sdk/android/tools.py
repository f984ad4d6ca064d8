"""Running a tool of the build."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from edge_sdk.errors import BuildError
from edge_sdk.tied import run_tied


def run_tool(command: Sequence[str], *, what: str, hint: str | None = None) -> str:
    """Runs a tool to its end and returns what it printed: on stderr where nothing came on stdout.

    Raises:
        BuildError: it does not start, or it failed; carries its last lines.
    """
    try:
        done = run_tied(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
    except OSError as error:
        tool = Path(command[0])
        raise BuildError(f"{what}: {tool} does not start: {error.strerror}", tool=tool.name, hint=hint) from error
    if done.returncode:
        tail = (done.stdout + done.stderr).strip()[-3000:]
        raise BuildError(f"{what} failed", tool=Path(command[0]).name, log_tail=tail, hint=hint)
    told: str = done.stdout or done.stderr
    return told
