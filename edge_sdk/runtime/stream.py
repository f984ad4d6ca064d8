"""Preparing ahead: a thread makes samples ready while the engine runs, and waits when enough are waiting."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Any

from edge_sdk.errors import PolicyError

# How soon a preparing thread sees that nobody wants its samples any more.
_LOOK_SECONDS = 0.05
_JOIN_SECONDS = 2.0
_END = object()


class _Failure:
    """What the thread raised, on its way to whoever reads."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def ahead(samples: Iterable[Any], prepare: Callable[[Any], Any] | None, waiting: int) -> Generator[Any, None, None]:
    """Prepared samples, in order; what ``samples`` or ``prepare`` raises is raised here, in its turn.

    The thread ends with the iterator: with the last sample, when it is closed, or when the reader fails. A thread that
    hangs in ``samples`` or ``prepare`` at that moment ends as soon as these return.
    """
    if waiting < 1:
        raise PolicyError(f"waiting: expected 1 or more, got {waiting}")
    ready: queue.Queue[Any] = queue.Queue(maxsize=waiting)
    stop = threading.Event()
    thread = threading.Thread(target=_fill, args=(samples, prepare, ready, stop), name="edge-sdk prepare", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not _END:
            if isinstance(item, _Failure):
                raise item.error
            yield item
    finally:
        stop.set()
        thread.join(_JOIN_SECONDS)


def _fill(
    samples: Iterable[Any], prepare: Callable[[Any], Any] | None, ready: queue.Queue[Any], stop: threading.Event
) -> None:
    try:
        for sample in samples:
            if not _put(ready, sample if prepare is None else prepare(sample), stop):
                return
    except BaseException as error:  # whatever the caller's own code raises is the caller's to see
        _put(ready, _Failure(error), stop)
    else:
        _put(ready, _END, stop)


def _put(ready: queue.Queue[Any], item: Any, stop: threading.Event) -> bool:
    while not stop.is_set():
        try:
            ready.put(item, timeout=_LOOK_SECONDS)
        except queue.Full:
            continue
        return True
    return False
