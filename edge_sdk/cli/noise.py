"""What wrapped tools print is kept in a file and off the screen; an error names it.

TensorFlow, LiteRT, XNNPACK and CUDA write to file descriptor 2 from C++, past Python; so do child processes. While a
command runs that descriptor is a file, and Python's own ``sys.stderr`` is the screen.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_sdk.folders import make_log

_ENV = "EDGE_SDK_TOOL_OUTPUT"
"""Set to ``screen``, tools write where they like."""

_log: Path | None = None
_told = False


def log_path() -> Path | None:
    """The file, where a tool has written something; whoever asks tells the user, so it stays."""
    global _told  # noqa: PLW0603 - as below
    _told = bool(_log and _log.exists() and _log.stat().st_size)
    return _log if _told else None


@contextmanager
def tools_kept_quiet() -> Iterator[None]:
    """Diverts descriptor 2 for as long as the block lasts, where there is room for a file.

    The file goes unless an error told the user where it is.
    """
    global _log
    if os.environ.get(_ENV) == "screen":
        yield
        return
    try:
        descriptor, _log = make_log()
    except OSError:
        # No room for it: what tools print is better seen twice than lost.
        yield
        return
    sys.stderr.flush()
    screen = os.dup(2)
    before = sys.stderr
    sys.stderr = os.fdopen(screen, "w", buffering=1, encoding=before.encoding, errors="backslashreplace")
    os.dup2(descriptor, 2)
    os.close(descriptor)
    try:
        yield
    except Exception:
        # A fault of ours: Python prints where, and this what tools said before it.
        if log := log_path():
            sys.stderr.write(f"what tools printed: {log}\n")
        raise
    finally:
        sys.stderr.flush()
        os.dup2(screen, 2)
        sys.stderr.close()
        sys.stderr = before
        if not _told:
            _log.unlink(missing_ok=True)
