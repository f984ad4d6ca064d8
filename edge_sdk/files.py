"""Writing results: to a temporary name first, then renamed, so that a reader sees the old file or the new one."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_sdk.errors import OutputError
from edge_sdk.owners import beside_prefix, clear

_finished: list[Path] = []


def finished() -> tuple[Path, ...]:
    """Files that took their names in this process by :func:`replacing`, in order."""
    return tuple(dict.fromkeys(_finished))


def check_writable(path: Path) -> None:
    """Fails early where a result could not be written later. Folders that are missing are made when it is written.

    Raises:
        OutputError: a folder on the way is read-only or no folder, or the path is a folder.
    """
    folder = _nearest_folder(path)
    # os.path answers where pathlib raises: a name that is too long is no folder.
    if os.path.isdir(path):  # noqa: PTH112
        raise OutputError(f"{path}: is a folder", hint="give a file name")
    if not folder.is_dir():
        raise OutputError(f"{path}: {folder} is a file, not a folder", hint="give another folder")
    try:
        descriptor, probe = tempfile.mkstemp(prefix=beside_prefix(path), dir=folder)
    except ValueError as error:
        raise OutputError(f"{str(path)!r} is no path: {error}") from error
    except OSError as error:
        raise OutputError(f"{path}: the folder {folder} cannot be written: {error.strerror}") from error
    os.close(descriptor)
    Path(probe).unlink()


def _nearest_folder(path: Path) -> Path:
    """Where the first folder that is missing would be made."""
    folder = path.absolute().parent
    while not os.path.exists(folder) and folder != folder.parent:  # noqa: PTH110
        folder = folder.parent
    return folder


@contextmanager
def replacing(path: Path, *, mode: int | None = None) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its name when the block ends well, and vanishes otherwise.

    Folders that are missing are made. Those of programs that were killed there are cleared.

    Args:
        path: the name it takes.
        mode: permissions, such as 0o600 for a secret; None for what the umask leaves.

    Raises:
        OutputError: the disk is full, or the folder cannot be written.
    """
    folder = path.absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        clear(str(folder))
        descriptor, name = tempfile.mkstemp(prefix=beside_prefix(path), suffix=path.suffix, dir=folder)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask() if mode is None else mode)
        temporary.replace(path)
        _finished.append(path.absolute())
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written: {error.strerror}", hint="free space or choose another folder"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


MAPPED_BYTES = 64 << 20
"""From this size on a file of one's own is mapped, not read."""


def own_content(path: Path) -> bytes | memoryview:
    """What a file in a folder of one's own holds; a large one takes no memory beside the system's cache.

    Only for files that nobody else writes, and that are replaced by :func:`write_own`: to cut one short that is mapped
    would end the process.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size < MAPPED_BYTES:
            return file.read()
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def write_own(path: Path, data: bytes | memoryview) -> None:
    """A new file under a name in a folder of one's own; who has the old one mapped keeps it."""
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Writes a whole file or nothing; errors as :func:`replacing`."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
