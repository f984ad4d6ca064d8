"""A function in a forked child: what it crashes, exhausts or takes too long for is that child's end only."""

from __future__ import annotations

import os
import pickle
import resource
import select
import signal
import time
from collections.abc import Callable
from typing import Any

_CHUNK = 1 << 16


class ChildError(Exception):
    """The child raised, died or was stopped; the text says which."""


def forked(work: Callable[[], Any], *, seconds: float, memory_bytes: int) -> Any:
    """What ``work`` returns, computed in a child of this process.

    Args:
        work: returns what can be pickled.
        seconds: after which the child is stopped.
        memory_bytes: of heap that the child may map.

    Raises:
        ChildError: in one line.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        _child(work, writer, memory_bytes)
    os.close(writer)
    raw, in_time = _read(reader, seconds)
    os.close(reader)
    if not in_time:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not in_time:
        raise ChildError(f"not done after {seconds:.0f} s")
    if not raw:
        raise ChildError(f"died: {signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else status}")
    kind, value = pickle.loads(raw)
    if kind == "error":
        raise ChildError(value)
    return value


def _child(work: Callable[[], Any], writer: int, memory_bytes: int) -> None:
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    try:
        answer = ("value", work())
    except BaseException as error:
        answer = ("error", _in_one_line(error))
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(pickle.dumps(answer))
    os._exit(0)


def _in_one_line(error: BaseException) -> str:
    """The innermost cause, and where it was raised."""
    while error.__cause__ is not None:
        error = error.__cause__
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f" @{os.path.basename(frame.tb_frame.f_code.co_filename)}:{frame.tb_lineno}" if frame else ""  # noqa: PTH119
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}{where}"


def _read(reader: int, seconds: float) -> tuple[bytes, bool]:
    """All that the child writes, and whether it was done in time."""
    parts: list[bytes] = []
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if not select.select([reader], [], [], left)[0]:
            break
        part = os.read(reader, _CHUNK)
        if not part:
            return b"".join(parts), True
        parts.append(part)
    return b"", False
