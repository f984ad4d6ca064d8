"""A vendor's program in a child process: ended with all that it started when its time is up, its words kept."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_sdk.errors import BuildError
from edge_sdk.tied import tied

_TAIL = 12
_LOG = "compiler.log"


@dataclass(frozen=True)
class Said:
    """How a program ended, and what it printed to both streams."""

    status: int
    text: str

    @property
    def tail(self) -> str:
        """Its last lines."""
        return "\n".join(line for line in self.text.splitlines() if line.strip())[-2000:]


def run_program(
    command: Sequence[str | Path], folder: Path, *, what: str, seconds: float, more: Mapping[str, str] | None = None
) -> Said:
    """Runs a program to its end, in a folder.

    Args:
        command: program and arguments.
        folder: where it stands, and writes.
        what: its name and version, for messages.
        seconds: after which it and what it started are killed.
        more: environment variables over this process's own.

    Raises:
        BuildError: it cannot be started, did not end in time, or died of a signal.
    """
    log = folder / _LOG
    with log.open("wb") as said:
        words = [str(word) for word in command]
        env = {**os.environ, **_OFFLINE, **(more or {})}
        try:
            with tied(words, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=env) as process:
                status = _wait(process, seconds)
        except OSError as error:
            raise BuildError(f"{what} does not start: {error.strerror or error}", tool=what) from error
    result = Said(-signal.SIGKILL if status is None else status, log.read_text(encoding="utf-8", errors="replace"))
    if status is None:
        raise failure(what, f"did not end within {seconds:g} s", result, "give it more by --time-limit")
    if status < 0:
        how = f"was ended by {signal.Signals(-status).name}"
        killed = "not enough memory is the usual cause of SIGKILL" if status == -signal.SIGKILL else None
        raise failure(what, how, result, killed)
    return result


# A compiler that looks for news finds nobody; the host is the one that no machine has.
_OFFLINE = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")


def failure(what: str, how: str, said: Said, hint: str | None = None) -> BuildError:
    """The error for a compiler that failed, with its last lines."""
    tail = "\n".join(said.tail.splitlines()[-_TAIL:])
    return BuildError(f"{what} {how}", tool=what, log_tail=tail, hint=hint)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """How it ended; None where it has to be killed."""
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None
