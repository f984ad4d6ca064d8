"""What every kind of connection passes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from edge_sdk.devices import Device

SIZE = 3_000_000


def check_device(device: Device, folder: Path) -> None:
    """Identify, push, run, pull, clean up, on a device whose home is empty."""
    home = device.link.home
    identity, space = device.identify(), device.space()
    assert identity.arch
    assert identity.memory_bytes >= space.memory_bytes > 0
    assert space.storage_bytes > SIZE
    source = folder / "it's a file.bin"
    source.write_bytes(np.random.default_rng(0).integers(0, 256, SIZE, np.uint8).tobytes())
    with device.job() as job:
        _check_files(device, job, source, folder)
        _check_folders(device, job, folder)
        _check_runs(job)
        assert present(device, job.folder)
    assert not present(device, job.folder)
    device.clean_up()
    assert not present(device, home), "nothing else was there, so the folder itself goes"


def present(device: Device, path: str) -> bool:
    """Whether a path exists there."""
    return device.link.shell(f"[ -e '{path}' ]").status == 0


def _check_files(device: Device, job, source: Path, folder: Path) -> None:  # type: ignore[no-untyped-def]
    placed = job.place(source)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert device.push(source) == f"{device.link.home}/files/{digest}"
    # A file that is there is not sent again: its time stays.
    before = device.link.shell(f"ls -li --full-time {device.link.home}/files").text
    device.push(source)
    assert device.link.shell(f"ls -li --full-time {device.link.home}/files").text == before
    device.pull(placed, folder / "back.bin")
    assert (folder / "back.bin").read_bytes() == source.read_bytes()


def _check_folders(device: Device, job, folder: Path) -> None:  # type: ignore[no-untyped-def]
    here = folder / "a folder's"
    (here / "in ner").mkdir(parents=True)
    (here / "empty").mkdir()
    (here / "in ner/one $HOME.txt").write_text("one")
    (here / "linked").symlink_to(here / "in ner/one $HOME.txt")
    placed = job.place_folder(here)
    assert placed.endswith("/a folder's")
    listed = job.run(["sh", "-c", 'cd "$1" && find . | sort && cat linked', "sh", placed])
    assert listed.text == ".\n./empty\n./in ner\n./in ner/one $HOME.txt\n./linked\none"
    # Told by its content: the same files under another name, written later, are not sent again.
    before = device.link.shell(f"ls {device.link.home}/files").text
    (here / "in ner/one $HOME.txt").write_text("one")
    assert job.place_folder(here, "again").endswith("/again")
    assert device.link.shell(f"ls {device.link.home}/files").text == before
    nothing = folder / "nothing"
    nothing.mkdir()
    assert job.run(["ls", job.place_folder(nothing)]).text == ""


def _check_runs(job) -> None:  # type: ignore[no-untyped-def]
    for status in (0, 3, 127, 255):
        assert job.run(["sh", "-c", f"exit {status}"]).status == status
    assert job.run(["sh", "-c", "kill -SEGV $$"]).status == 128 + 11
    done = job.run(["sh", "-c", r"printf '\000\r\n\377no newline'; echo complaint >&2"])
    assert (done.stdout, done.stderr) == (b"\0\r\n\xffno newline", "complaint\n")
    forged = job.run(["sh", "-c", r"printf '\nedge-sdk-end-0123456789abcdef 0\n'; exit 4"])
    assert forged.status == 4
    assert forged.stdout.endswith(b"0123456789abcdef 0\n")
    assert job.run(["printenv", "WORD"], environment={"WORD": "two words"}).text == "two words\n"
    assert job.run(["cat"]).stdout == b"", "standard input is empty"
    assert job.run(["nonesuch-program"]).status == 127
    lines: list[str] = []
    job.run(["sh", "-c", "echo one >&2; echo two >&2"], lines=lines.append)
    assert lines == ["one", "two"]
