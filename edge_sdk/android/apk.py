"""What an APK holds, read without Android's tools: manifest, signature schemes, native libraries, models, classes.

Layouts: APPNOTE.TXT for ZIP, source.android.com/docs/security/features/apksigning for the signing block.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sdk.android.dex import lambda_machinery
from edge_sdk.engines.elf import BrokenLibraryError, Library, parse_library
from edge_sdk.errors import MissingDependencyError, ModelError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_NAME_SPACE = "{http://schemas.android.com/apk/res/android}"
_MAGIC = b"APK Sig Block 42"
_SCHEMES = {0x7109871A: "v2", 0xF05368C0: "v3", 0x1B93AD61: "v3.1"}
_MODELS = (".tflite", ".edge")
_LOCAL_HEADER = struct.Struct("<4s22xHH")


@dataclass(frozen=True)
class Manifest:
    """Of the app; ``features`` are the names in ``uses-native-library`` and ``uses-permission``."""

    package: str
    version_name: str
    min_sdk: int
    target_sdk: int
    extracts_libraries: bool
    debuggable: bool
    native_libraries: tuple[str, ...]
    permissions: tuple[str, ...]


@dataclass(frozen=True)
class Member:
    """One file in the APK; ``offset`` is where its content begins, in bytes."""

    name: str
    is_stored: bool
    offset: int
    size_bytes: int
    packed_bytes: int

    @property
    def alignment(self) -> int:
        """The largest power of two that the offset is a multiple of, up to 64 KiB."""
        return min(self.offset & -self.offset, 65536)


class Apk:
    """An APK, held in memory.

    Raises:
        ModelError: the file is not there, is no ZIP, or a table of it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._content = path.read_bytes()
            self._archive = zipfile.ZipFile(io.BytesIO(self._content))
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
        except zipfile.BadZipFile as error:
            raise ModelError(f"{path}: not an APK: {error}", hint="was it copied whole?") from error
        self.size_bytes = len(self._content)
        self.members = tuple(self._member(info) for info in self._archive.infolist() if not info.is_dir())

    def read(self, name: str) -> bytes:
        """The content of a member.

        Raises:
            ModelError: there is none of that name, or its checksum is wrong.
        """
        try:
            return self._archive.read(name)
        except KeyError as error:
            raise ModelError(f"{self.path}: holds no {name}") from error
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise ModelError(f"{self.path}: {name} is damaged: {error}") from error

    def named(self, *endings: str) -> list[Member]:
        """Members by the end of their names."""
        return [member for member in self.members if member.name.endswith(endings)]

    @property
    def models(self) -> list[Member]:
        """Models and bundles."""
        return self.named(*_MODELS)

    @cached_property
    def manifest(self) -> Manifest:
        """Read by apkInspector.

        Raises:
            MissingDependencyError: apkInspector is not installed.
            ModelError: there is no manifest, or it is damaged.
        """
        return _manifest(self.read("AndroidManifest.xml"), self.path)

    @cached_property
    def schemes(self) -> tuple[str, ...]:
        """Signature schemes that are present; whether they verify is for apksigner to say."""
        jar = ["v1"] if any(_is_jar_signature(member.name) for member in self.members) else []
        return (*jar, *sorted(_SCHEMES[key] for key in self._signing_block() if key in _SCHEMES))

    def libraries(self) -> Iterator[tuple[Member, Library | str]]:
        """Native libraries, each read as ELF; what is wrong with a broken one instead."""
        for member in self.named(".so"):
            try:
                yield member, parse_library(self.read(member.name))
            except BrokenLibraryError as error:
                yield member, str(error)

    def dex_with_lambdas(self) -> list[str]:
        """Names of .dex files that Android cannot run: they call Java's lambda machinery."""
        return [member.name for member in self.named(".dex") if lambda_machinery(self.read(member.name))]

    def _member(self, info: zipfile.ZipInfo) -> Member:
        header = self._content[info.header_offset : info.header_offset + _LOCAL_HEADER.size]
        if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\3\4"):
            raise ModelError(f"{self.path}: {info.filename} has no header where the directory says")
        _, name, extra = _LOCAL_HEADER.unpack(header)
        offset = info.header_offset + _LOCAL_HEADER.size + name + extra
        is_stored = info.compress_type == zipfile.ZIP_STORED
        return Member(info.filename, is_stored, offset, info.file_size, info.compress_size)

    def _signing_block(self) -> list[int]:
        """Ids of the pairs in the APK signing block, which ends where the central directory begins."""
        end = self._archive.start_dir
        if self._content[end - 16 : end] != _MAGIC:
            return []
        (size,) = struct.unpack_from("<Q", self._content, end - 24)
        at, last, found = end - size, end - 24, []
        while at >= 0 and at + 12 <= last:
            length, key = struct.unpack_from("<QI", self._content, at)
            found.append(key)
            at += 8 + length
        return found


def _is_jar_signature(name: str) -> bool:
    return name.startswith("META-INF/") and name.endswith(".SF")


def _manifest(content: bytes, path: Path) -> Manifest:
    try:
        from apkInspector.axml import get_manifest
        from defusedxml import ElementTree
    except ImportError as error:
        raise MissingDependencyError(
            error.name or "apkInspector", extra="android", why="reading an APK's manifest"
        ) from error
    try:
        root = ElementTree.fromstring(get_manifest(io.BytesIO(content)))
    except (ElementTree.ParseError, struct.error, ValueError, IndexError, KeyError) as error:
        raise ModelError(f"{path}: its AndroidManifest.xml cannot be decoded: {error}") from error
    sdk = root.find("uses-sdk")
    app = root.find("application")
    levels = {} if sdk is None else sdk.attrib
    settings = {} if app is None else app.attrib
    return Manifest(
        package=root.get("package", ""),
        version_name=root.get(f"{_NAME_SPACE}versionName", ""),
        min_sdk=int(levels.get(f"{_NAME_SPACE}minSdkVersion", 1)),
        target_sdk=int(levels.get(f"{_NAME_SPACE}targetSdkVersion", levels.get(f"{_NAME_SPACE}minSdkVersion", 1))),
        extracts_libraries=settings.get(f"{_NAME_SPACE}extractNativeLibs", "true") != "false",
        debuggable=settings.get(f"{_NAME_SPACE}debuggable", "false") == "true",
        native_libraries=tuple(_names(root, "uses-native-library")),
        permissions=tuple(_names(root, "uses-permission")),
    )


def _names(root: Element, tag: str) -> list[str]:
    return [one.get(f"{_NAME_SPACE}name", "") for one in root.iter(tag)]
