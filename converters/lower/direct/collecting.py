"""Python's search for circles of garbage, which goes through a long graph again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_search() -> Iterator[None]:
    """Off while a graph is made: graphs have no circles, so that counting references frees each as the next is made.

    As it was afterwards. Of the whole process, as Python has it: other threads' circles wait as well.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
