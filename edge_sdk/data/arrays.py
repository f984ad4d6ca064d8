"""Arrays from ``.npy`` and ``.npz`` files, one row at a time: the file is never loaded whole."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from edge_sdk.errors import CalibrationError


@dataclass(frozen=True)
class ArrayFile:
    """An array on disk: a ``.npy`` file, or a member of a ``.npz``.

    ``rows()`` yields the items of the first axis in order.
    """

    path: Path
    member: str | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran_order: bool

    def rows(self) -> Iterator[npt.NDArray[Any]]:
        """Each item of the first axis, shape ``self.shape[1:]``."""
        if self.fortran_order:
            raise CalibrationError(
                f"{self}: is stored in Fortran order, which cannot be streamed",
                hint="save it with np.ascontiguousarray(...)",
            )
        row_shape = self.shape[1:]
        size = int(np.prod(row_shape, dtype=np.int64)) * self.dtype.itemsize
        with _open(self.path, self.member) as stream:
            _read_header(stream, self.path)
            for index in range(self.shape[0]):
                raw = stream.read(size)
                if len(raw) != size:
                    raise CalibrationError(f"{self}: ends in row {index} of {self.shape[0]}")
                yield np.frombuffer(raw, self.dtype).reshape(row_shape)

    def __str__(self) -> str:
        return f"{self.path}[{self.member}]" if self.member else str(self.path)


def array_files(path: Path) -> dict[str, ArrayFile]:
    """Name to array: the members of a ``.npz``, or one nameless array of a ``.npy``.

    Raises:
        CalibrationError: unreadable, truncated, or holding Python objects.
    """
    try:
        if path.suffix == ".npy":
            return {"": _describe(path, None)}
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.endswith(".npy")]
        return {name.removesuffix(".npy"): _describe(path, name) for name in members}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise CalibrationError(
            f"{path}: not a readable {path.suffix} file: {error}", hint="write it with numpy.savez or numpy.save"
        ) from error


def _describe(path: Path, member: str | None) -> ArrayFile:
    with _open(path, member) as stream:
        shape, fortran_order, dtype = _read_header(stream, path)
    if dtype.hasobject:
        raise CalibrationError(
            f"{path}: array `{member or ''}` holds Python objects, which are pickled and could run code",
            hint="save numeric arrays; for ragged data pass a file.py:function that yields samples",
        )
    return ArrayFile(path, member, shape, dtype, fortran_order)


def _open(path: Path, member: str | None) -> Any:
    if member is None:
        return path.open("rb")
    archive = zipfile.ZipFile(path)
    with closing(archive):
        return archive.open(member)


def _read_header(stream: IO[bytes], path: Path) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(stream)  # type: ignore[no-untyped-call]
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise CalibrationError(f"{path}: npy format {version} is not known")
    header: tuple[tuple[int, ...], bool, np.dtype[Any]] = readers[version](stream)  # type: ignore[no-untyped-call]
    return header
