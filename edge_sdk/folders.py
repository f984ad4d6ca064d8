"""Folders of ours: temporary ones, whose names say who owns them so that others clear up, and the user's cache."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edge_sdk.errors import OutputError
from edge_sdk.owners import clear, folder_prefix

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES})
# For sockets, whose names must be short.
_SHORT: Final = "/tmp"  # noqa: S108 - mkdtemp makes the folder there


@contextlib.contextmanager
def temporary_folder(what: str, *, parent: Path | None = None) -> Iterator[Path]:
    """A folder that is gone when the block ends.

    Args:
        what: a word for its name.
        parent: where it goes; None for where temporary files go.

    Raises:
        OutputError: there is no room for one, or for what the block writes there.
    """
    folder = make_folder(what, parent=parent)
    try:
        yield folder
    except OSError as error:
        tell_no_room(error, folder, parent=parent)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def tell_no_room(error: BaseException | None, *folders: Path, parent: Path | None = None) -> None:
    """Raises an ``OutputError`` for want of room, or of permission, in temporary folders; of anything else nothing.

    Args:
        error: that ended what was done there; None for none.
        folders: where it was done.
        parent: as of :func:`make_folder`.
    """
    if not isinstance(error, OSError) or error.errno not in _NO_ROOM:
        return
    # Of a write into an open file Python does not say which.
    if error.filename is None or any(str(error.filename).startswith(str(folder)) for folder in folders):
        raise OutputError(
            f"{error.filename or folders[0]}: cannot be written: {error.strerror}", hint=_hint(parent)
        ) from error


def make_folder(what: str, *, parent: Path | None = None) -> Path:
    """A folder that the caller removes; where the caller is killed, the next process does. Errors as above.

    Args:
        what: a word for its name.
        parent: where it goes, such as ``/tmp``; None for where temporary files go.
    """
    for place in {tempfile.gettempdir(), _SHORT, str(parent or _SHORT)}:
        clear(place)
    try:
        return Path(tempfile.mkdtemp(prefix=folder_prefix(what), dir=parent))
    except OSError as error:
        raise OutputError(f"no temporary folder can be made: {error.strerror or error}", hint=_hint(parent)) from error


def _hint(parent: Path | None) -> str:
    return "free space, or set TMPDIR" if parent is None else f"free space in {parent}"


def make_log() -> tuple[int, Path]:
    """A file for what wrapped tools print, open; those of programs that are no more are cleared after a week.

    Raises:
        OSError: there is no room for it.
    """
    descriptor, name = tempfile.mkstemp(prefix=folder_prefix("tools"), suffix=".log")
    return descriptor, Path(name)


def cache_folder(what: str) -> Path:
    """Where results of ``what`` are kept: ``edge-sdk/<what>`` in the user's cache, or where ``EDGE_SDK_CACHE`` says.

    Raises:
        RuntimeError: the user has no home.
    """
    root = os.environ.get("EDGE_SDK_CACHE") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(root).expanduser() / "edge-sdk" / what
