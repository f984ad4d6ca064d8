"""Shared libraries read as files: held against nm, and against what is no whole library."""

from __future__ import annotations

import contextlib
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sdk.engines.elf import BrokenLibraryError, read_library, this_machine
from tests.native import HERE, build_library, compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="install a C compiler (gcc)")


@pytest.fixture(scope="module", params=["gnu", "sysv"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Either kind of hash table."""
    folder = tmp_path_factory.mktemp("elf")
    return build_library(folder / "lib.so", HERE / "delegate.c", flags=(f"-Wl,--hash-style={request.param}",))


def test_what_it_exports_and_needs(library: Path) -> None:
    found = read_library(library)
    assert {"tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate"} <= found.exported
    assert "libc.so.6" in found.needed
    assert (found.machine, found.bits) == this_machine()


@pytest.mark.skipif(shutil.which("nm") is None, reason="install binutils")
def test_exports_are_those_that_nm_lists(library: Path) -> None:
    listed = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True)
    assert read_library(library).exported == {line.split()[-1].partition("@")[0] for line in listed.stdout.splitlines()}


def test_every_truncation_is_told_or_harmless(library: Path, tmp_path: Path) -> None:
    """What is read as whole must load: in a process of its own, for the loader dies of what is not."""
    content, cut = library.read_bytes(), tmp_path / "cut.so"
    whole = []
    for length in range(0, len(content), 97):
        cut.write_bytes(content[:length])
        with contextlib.suppress(BrokenLibraryError):
            read_library(cut)
            whole.append(length)
    # Section headers lie at the end, and the loader does not need them.
    assert whole
    cut.write_bytes(content[: whole[0]])
    subprocess.run([sys.executable, "-c", f"import ctypes; ctypes.CDLL({str(cut)!r})"], check=True)


def test_every_flipped_byte_is_read_or_told(library: Path, tmp_path: Path) -> None:
    content, flipped = library.read_bytes(), tmp_path / "flipped.so"
    for position in range(0, 4096, 3):
        flipped.write_bytes(content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :])
        with contextlib.suppress(BrokenLibraryError):
            assert read_library(flipped).bits in (32, 64)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not begin with an ELF header"),
        (b"!<arch>\n", "does not begin with an ELF header"),
        (b"\x7fELF\x02\x01\x01", "7 bytes hold no whole ELF header"),
        (b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, 62) + bytes(60), "its ELF type is 2, not 3"),
        (b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, 62) + bytes(60), "has no dynamic section"),
    ],
)
def test_what_is_no_library(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "lib.so"
    path.write_bytes(content)
    with pytest.raises(BrokenLibraryError, match=message):
        read_library(path)
