"""Running a tool of the build."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from edge_sdk.errors import BuildError


def run_tool(command: Sequence[str], *, what: str, hint: str | None = None) -> str:
    """Runs a tool to its end and returns what it printed.

    Raises:
        BuildError: it failed; carries its last lines.
    """
    done = subprocess.run(  # noqa: S603 - arguments of our own making, no shell
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        tail = (done.stdout + done.stderr).strip()[-3000:]
        raise BuildError(f"{what} failed", tool=Path(command[0]).name, log_tail=tail, hint=hint)
    return done.stdout
