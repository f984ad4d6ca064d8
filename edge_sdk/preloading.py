"""First of what a fork server is told to import: until :func:`done` it looks whether its parent lives.

It would hear of the parent's end only once all is imported, which takes seconds on a busy machine.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from types import FrameType

_EVERY_SECONDS = 0.1


def _life() -> int | None:
    """The end of a pipe that closes with the parent; None where this is no fork server."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "main" and frame.f_globals.get("__name__") == "multiprocessing.forkserver":
            end: int | None = frame.f_locals.get("alive_r")
            return end
        frame = frame.f_back
    return None


def _watch(life: int) -> None:
    parent = os.getppid()

    def look(*_: object) -> None:
        # Both: the parent may be gone before this was read, and a process that just began may hold its end of the pipe.
        if os.getppid() != parent or select.select([life], [], [], 0)[0]:
            os._exit(1)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _EVERY_SECONDS, _EVERY_SECONDS)
    look()


def done() -> None:
    """The server's own loop sees to it from here on."""
    if _alive is not None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


_alive = _life()
if _alive is not None:
    _watch(_alive)
