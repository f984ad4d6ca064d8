"""The classes of a library that the app can reach: the rest of a large JAR stays out of the APK."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from edge_sdk.android.archive import Entry, write_archive
from edge_sdk.errors import BuildError

_MAGIC = b"\xca\xfe\xba\xbe"
_UTF8, _CLASS, _LONGS = 1, 7, (5, 6)
# Bytes of the other entries of a constant pool after their tag: the Java Virtual Machine Specification, table 4.4-A.
_SIZES = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}


def keep_reachable(library: Path, users: Iterable[Path], output: Path) -> Path:
    """Writes a JAR with those classes of a library that the users' JARs refer to, and all that these refer to.

    Raises:
        BuildError: a class file cannot be read.
    """
    with zipfile.ZipFile(library) as archive:
        there = {name.removesuffix(".class") for name in archive.namelist() if name.endswith(".class")}
        left = [name for user in users for name in _referred(user) if name in there]
        kept: set[str] = set()
        while left:
            name = left.pop()
            if name not in kept:
                kept.add(name)
                left += [one for one in referred_classes(archive.read(f"{name}.class")) if one in there]
        write_archive(output, [Entry(f"{name}.class", archive.read(f"{name}.class")) for name in kept])
    return output


def referred_classes(content: bytes) -> set[str]:
    """Names of all classes that a class file's constant pool names, as paths.

    Raises:
        BuildError: not a class file.
    """
    try:
        return set(_classes(content))
    except (struct.error, KeyError, UnicodeDecodeError) as error:
        raise BuildError(f"a class file cannot be read: {error}") from error


def _referred(jar: Path) -> Iterator[str]:
    with zipfile.ZipFile(jar) as archive:
        for name in archive.namelist():
            if name.endswith(".class"):
                yield from referred_classes(archive.read(name))


def _classes(content: bytes) -> Iterator[str]:
    if content[:4] != _MAGIC:
        raise KeyError("it does not begin with CAFEBABE")
    (count,) = struct.unpack_from(">H", content, 8)
    texts: dict[int, bytes] = {}
    named: list[int] = []
    index, at = 1, 10
    while index < count:
        tag = content[at]
        if tag == _UTF8:
            (length,) = struct.unpack_from(">H", content, at + 1)
            texts[index] = content[at + 3 : at + 3 + length]
            at += 3 + length
        else:
            if tag == _CLASS:
                named.append(struct.unpack_from(">H", content, at + 1)[0])
            at += 1 + _SIZES[tag]
        # Longs and doubles take two places of the pool.
        index += 2 if tag in _LONGS else 1
    for place in named:
        yield texts[place].decode()
