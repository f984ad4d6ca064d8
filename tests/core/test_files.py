"""Results are written whole or not at all."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sdk import files, owners
from edge_sdk.errors import OutputError
from edge_sdk.files import check_writable, replacing, write_bytes


def test_write_replaces_and_leaves_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["out.bin"]


def test_mode_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "out.bin", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "out.bin").stat().st_mode & 0o777 == 0o640


def test_failure_in_the_middle_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with replacing(path) as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.bin"]


def test_missing_folders_are_made_when_there_is_something_to_write(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "too" / "out.bin"
    check_writable(path)
    assert not list(tmp_path.iterdir())
    write_bytes(path, b"x")
    assert path.read_bytes() == b"x"


def test_a_folder_as_file_and_a_file_as_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file, not a folder"):
        check_writable(tmp_path / "file" / "out.bin")
    with pytest.raises(OutputError, match="is a folder"):
        check_writable(tmp_path)


def test_read_only_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "sealed"
    folder.mkdir(mode=0o555)
    script = f"""
import os
from pathlib import Path
from edge_sdk.errors import OutputError
from edge_sdk.files import check_writable
if os.geteuid() == 0:
    os.setegid(65534); os.seteuid(65534)  # root may write anywhere
try:
    check_writable(Path({str(folder / "out.bin")!r}))
except OutputError as error:
    print(error)
"""
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "cannot be written: Permission denied" in done.stdout


def test_full_disk_is_one_error_and_no_file(tmp_path: Path) -> None:
    """A file size limit stands for the disk: the write fails in the middle with EFBIG as it would with ENOSPC."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OutputError, match=r"out.bin: cannot be written: File too large"):
            write_bytes(tmp_path / "out.bin", b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_a_large_file_of_ones_own_is_mapped_and_outlives_its_successor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAPPED_BYTES", 4)
    path = tmp_path / "model"
    files.write_own(path, b"abc")
    assert files.own_content(path) == b"abc"
    files.write_own(path, b"a longer one")
    mapped = files.own_content(path)
    assert isinstance(mapped, memoryview)
    files.write_own(path, b"short")
    assert bytes(mapped) == b"a longer one"
    path.unlink()
    assert bytes(mapped) == b"a longer one"


def test_half_files_of_killed_programs_go_with_the_next_one(tmp_path: Path) -> None:
    """A program that is killed as it writes leaves a file beside; names that only look like one are others'."""
    owners.clear.cache_clear()
    target = tmp_path / ("n" * 250 + ".tfl")
    with replacing(target) as temporary:
        mine = temporary.name
        temporary.write_bytes(b"new")
        dead = mine.replace(f"-{os.getpid()}-", "-4194305-")  # beyond the largest process number
        kept = {f"x{dead}", dead.replace(owners._here(), "0123abcd"), ".notes.edge-sdk-dead"}
        for name in (dead, *kept):
            (tmp_path / name).touch()
        owners.clear.cache_clear()
        write_bytes(tmp_path / "other", b"")
        assert {one.name for one in tmp_path.iterdir()} == {mine, "other", *kept}
    assert target.read_bytes() == b"new"
