"""A command ends when it is told to: by SIGTERM, SIGHUP, Ctrl-C or its time limit, an engine that never returns or not.

Python hears of a signal between two instructions of its own. While an engine computes it waits, and for ever where the
model loops for ever: LiteRT's Python binds none of the calls by which C and Java cancel a run. So a thread hears of
signals too, and ends the process where Python did not within a second.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NoReturn

from edge_sdk.errors import TimeLimitError

_GRACE_S = 1.0
_END = 0


class Ended(BaseException):
    """A signal that asks the program to end; what is open is closed on the way."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.signal = signal.Signals(number)


@contextlib.contextmanager
def heard(last_words: Callable[[BaseException], int]) -> Iterator[None]:
    """While it lasts, signals raise: :class:`Ended`, ``KeyboardInterrupt``, or ``TimeLimitError`` for SIGALRM.

    Signals that are ignored, as under nohup, or somebody else's are left alone.

    Args:
        last_words: says what ended the program, and gives its exit code; called where nothing could be raised.
    """
    if threading.current_thread() is not threading.main_thread():
        # Only the main one may ask.
        yield
        return
    raised = threading.Event()
    usual: dict[signal.Signals, Any] = {
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
        signal.SIGALRM: signal.SIG_DFL,
        signal.SIGINT: signal.default_int_handler,
    }
    before = {one: usual[one] for one in usual if signal.getsignal(one) is usual[one]}

    def end(number: int, _: FrameType | None) -> NoReturn:
        raised.set()
        raise _error(number)

    for one in before:
        signal.signal(one, end)
    try:
        # Where a part of the command listens itself, as training does to end at a checkpoint, it is left alone.
        with _listening(lambda number: number in before and signal.getsignal(number) is end, raised, last_words):
            yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextlib.contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Ends the block by SIGALRM when it takes longer; nothing without a limit, or outside of :func:`heard`."""
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    global _limit_s  # noqa: PLW0603 - one process has one such timer
    _limit_s = seconds
    # The clock holds no more; 68 years are no limit.
    signal.setitimer(signal.ITIMER_REAL, min(seconds, 2.0**31 - 1))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


_limit_s = 0.0


def _error(number: int) -> BaseException:
    if number == signal.SIGINT:
        return KeyboardInterrupt()
    if number != signal.SIGALRM:
        return Ended(number)
    return TimeLimitError(
        f"not done within {_limit_s:g} s, the --time-limit",
        hint="give it more; or does the model loop for ever on these values? `edge-sdk check` names its open-loop",
    )


@contextlib.contextmanager
def _listening(
    is_ours: Callable[[int], bool], raised: threading.Event, last_words: Callable[[BaseException], int]
) -> Iterator[None]:
    told, telling = socket.socketpair()
    telling.setblocking(False)  # noqa: FBT003 - a setting of the socket's
    before = signal.set_wakeup_fd(telling.fileno(), warn_on_full_buffer=False)

    def listen() -> None:
        while (number := told.recv(1)[0]) != _END:
            if is_ours(number) and not raised.wait(_GRACE_S):
                code = last_words(_error(number))
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)

    thread = threading.Thread(target=listen, name="edge-sdk signals", daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        telling.send(bytes([_END]))
        thread.join()
        told.close()
        telling.close()
