"""What a sweep's fork server imports, named to it as its preload: workers are forks that have all of it.

The server hears of its parent's end only once its imports are done, some seconds on a busy machine. Until then it looks
itself.
"""

from __future__ import annotations

import os
import select
import signal
import sys

_EVERY_SECONDS = 0.1


def _life() -> int | None:
    """The end of a pipe that closes with the parent; None where this is no fork server."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "main" and frame.f_globals.get("__name__") == "multiprocessing.forkserver":
            end: int | None = frame.f_locals.get("alive_r")
            return end
        frame = frame.f_back  # type: ignore[assignment]
    return None


def _preload(life: int | None) -> None:
    def look(*_: object) -> None:
        if life is not None and select.select([life], [], [], 0)[0]:
            os._exit(1)

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _EVERY_SECONDS, _EVERY_SECONDS)
    try:
        look()
        import distributed  # noqa: F401 - workers want it

        import edge_sdk.converters.search.sweep.executors  # noqa: F401 - likewise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


_preload(_life())
