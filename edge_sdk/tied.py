"""Programs that we start and that end with us, whatever ends us: SIGKILL leaves nobody to clean up."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

# Linux's F_SETSIG, which Python 3.10 does not name.
_F_SETSIG: Final = 10


@contextlib.contextmanager
def tied(command: Sequence[str], **settings: Any) -> Iterator[subprocess.Popen[Any]]:
    """A program in a session of its own; it and what it started end when the block does, or when this process dies.

    On Linux the kernel sees to the latter: the program holds a pipe whose other end is ours, and its closing sends
    SIGKILL to the program's group. No code of ours runs between fork and exec, which threads would make unsafe.

    Args:
        command: program and arguments.
        settings: as for ``subprocess.Popen``.

    Raises:
        OSError: it does not start.
    """
    life, ours = os.pipe()
    try:
        process = subprocess.Popen(command, start_new_session=True, pass_fds=(life,), **settings)  # noqa: S603 - a caller's own
        kill_at_close(life, process.pid)
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(life)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ours)


def kill_at_close(life: int, group: int) -> None:
    """Ties a group of processes to a pipe: the kernel kills it when the other end closes. On Linux; else nothing.

    Args:
        life: the end that the group holds; whoever ties may close its own copy.
        group: its number, that of its first process.
    """
    if sys.platform == "linux":
        fcntl.fcntl(life, fcntl.F_SETOWN, -group)
        fcntl.fcntl(life, _F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)


def run_tied(
    command: Sequence[str], *, timeout: float | None = None, **settings: Any
) -> subprocess.CompletedProcess[Any]:
    """``subprocess.run`` for a :func:`tied` program.

    Raises:
        OSError: it does not start.
        subprocess.TimeoutExpired: it did not end in time; holds what it printed.
    """
    with tied(command, stdin=subprocess.DEVNULL, **settings) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            raise subprocess.TimeoutExpired(error.cmd, error.timeout, out, err) from None
    return subprocess.CompletedProcess(command, process.returncode, out, err)
