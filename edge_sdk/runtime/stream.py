"""Samples made ready in a thread while the engine runs, and spread over several engines; what is full makes it wait."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
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


def spread(
    samples: Iterable[Any], prepare: Callable[[Any], Any] | None, run: Callable[[Any], Any], lanes: int, waiting: int
) -> Generator[Any, None, None]:
    """What ``run`` makes of prepared samples, in their order, ``lanes`` of them at a time.

    Errors are raised in their turn. When it is closed, what has not begun is dropped, and what runs is waited for.
    """

    def begun(sample: Any) -> Future[Any]:
        return pool.submit(run, sample if prepare is None else prepare(sample))

    # One more waits to be put there, and one is what the reader waits for.
    most = max(1, lanes + waiting - 2) if waiting > 0 else waiting
    with (
        ThreadPoolExecutor(lanes, thread_name_prefix="edge-sdk run") as pool,
        closing(ahead(samples, begun, most)) as futures,
    ):
        try:
            for future in futures:
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


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
