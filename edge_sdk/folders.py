"""Folders of ours: temporary ones, whose names say who owns them so that others clear up, and the user's cache."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from edge_sdk.errors import OutputError

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES})
# For sockets, whose names must be short.
_SHORT: Final = "/tmp"  # noqa: S108 - mkdtemp makes the folder there
# edge-sdk-<what>-<boot and process namespace>-<process>-<its start>-<random>, and .log for what tools printed
_NAME: Final = re.compile(r"edge-sdk-\w+-([0-9a-f]+)-(\d+)-(\d+)-\w+(\.log)?")
# An error named it: it stays for those who want to read it.
_LOG_KEPT_S: Final = 7 * 24 * 3600.0


@contextlib.contextmanager
def temporary_folder(what: str) -> Iterator[Path]:
    """A folder that is gone when the block ends.

    Args:
        what: a word for its name.

    Raises:
        OutputError: there is no room for one, or for what the block writes there.
    """
    folder = make_folder(what)
    try:
        yield folder
    except OSError as error:
        # Of a write into an open file Python does not say which.
        mine = error.filename is None or str(error.filename).startswith(str(folder))
        if mine and error.errno in _NO_ROOM:
            raise OutputError(
                f"{error.filename or folder}: cannot be written: {error.strerror}", hint="free space, or set TMPDIR"
            ) from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_folder(what: str, *, parent: Path | None = None) -> Path:
    """A folder that the caller removes; where the caller is killed, the next process does. Errors as above.

    Args:
        what: a word for its name.
        parent: where it goes: ``/tmp``, or None for where temporary files go.
    """
    _clear()
    try:
        return Path(tempfile.mkdtemp(prefix=_prefix(what), dir=parent))
    except OSError as error:
        raise OutputError(
            f"no temporary folder can be made: {error.strerror or error}", hint="free space, or set TMPDIR"
        ) from error


def make_log() -> tuple[int, Path]:
    """A file for what wrapped tools print, open; those of programs that are no more are cleared after a week.

    Raises:
        OSError: there is no room for it.
    """
    descriptor, name = tempfile.mkstemp(prefix=_prefix("tools"), suffix=".log")
    return descriptor, Path(name)


def _prefix(what: str) -> str:
    return f"edge-sdk-{what}-{_here()}-{os.getpid()}-{_start(os.getpid())}-"


def cache_folder(what: str) -> Path:
    """Where results of ``what`` are kept: ``edge-sdk/<what>`` in the user's cache, or where ``EDGE_SDK_CACHE`` says.

    Raises:
        RuntimeError: the user has no home.
    """
    root = os.environ.get("EDGE_SDK_CACHE") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(root).expanduser() / "edge-sdk" / what


@cache
def _clear() -> None:
    """Once in a process: removes folders whose owner, in this very boot and namespace, is no more."""
    for parent in {tempfile.gettempdir(), _SHORT}:
        with contextlib.suppress(OSError):
            for entry in list(Path(parent).iterdir()):
                found = _NAME.fullmatch(entry.name)
                if not found or found[1] != _here() or _start(int(found[2])) == found[3]:
                    continue
                if found[4] is None and entry.is_dir():
                    shutil.rmtree(entry, ignore_errors=True)
                elif found[4] and entry.stat().st_mtime < time.time() - _LOG_KEPT_S:
                    entry.unlink()


@cache
def _here() -> str:
    """This boot and process namespace: in another, as of a container that shares the folder, numbers are others'."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
        return f"{boot}{Path('/proc/self/ns/pid').stat().st_ino:x}"
    except OSError:
        return "0"


def _start(process: int) -> str:
    """When a process started, in ticks of its boot; 0 if there is none."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "0"
    # The name before may hold blanks and brackets.
    return text.rpartition(")")[2].split()[19]
