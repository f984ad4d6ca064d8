"""However a program ends, its workers end with it within a second, and its folders are gone at the next start."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from edge_sdk import folders

# A worker that holds the interpreter's lock in C, as converters do; its own child; and where it works.
_PROGRAM = """
import sys, time
from edge_sdk.converters.workers.workshop import Workshop
with Workshop() as workshop:
    worker = workshop.worker("role")
    print(worker.function("tests.hostile.test_leaving:begin", "beginning"), workshop.folder, flush=True)
    worker.function("tests.hostile.test_leaving:busy", "being busy")
"""
# What a loaded machine needs to notice that a process has ended; the kernel itself needs none.
_SOON_S = 1.0


def begin() -> str:
    """In a worker: its process, and that of a program it started."""
    other = subprocess.Popen(["sleep", "60"])
    return f"{os.getpid()} {other.pid}"


def busy() -> None:
    """In a worker: hours in one call of a library in C, which no thread of Python interrupts."""
    re.match("(a+)+$", "a" * 60 + "b")


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_workers_end_with_their_program(number: signal.Signals, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(root)}
    program = subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, env=environment)
    assert program.stdout is not None
    worker, other, folder = program.stdout.readline().decode().split()
    time.sleep(0.2)
    program.send_signal(number)
    try:
        program.wait(10)
    finally:
        program.kill()
        program.stdout.close()
    end = time.monotonic() + _SOON_S
    while time.monotonic() < end and (is_alive(int(worker)) or is_alive(int(other))):
        time.sleep(0.01)
    assert not is_alive(int(worker))
    assert not is_alive(int(other))
    assert Path(folder).exists()
    script = "from edge_sdk.folders import temporary_folder\nwith temporary_folder('next'): pass"
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    assert list(tmp_path.glob("edge-sdk-*")) == []


def test_only_folders_of_the_dead_are_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mine = folders.make_folder("mine")
    kept = {
        mine.name,
        mine.name.replace(folders._here(), "0123abcd"),  # of another boot or container
        "edge-sdk-mine-notes",
        "somebody-elses",
    }
    dead = mine.name.replace(f"-{os.getpid()}-", "-4194305-")  # beyond the largest process number
    for name in (*kept, dead):
        (tmp_path / name).mkdir(exist_ok=True)
    folders._clear.cache_clear()
    with folders.temporary_folder("next"):
        pass
    assert {one.name for one in tmp_path.iterdir()} == kept


def test_full_disk_is_one_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from edge_sdk.errors import OutputError

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(OutputError, match="no temporary folder can be made: No such file"):
        folders.make_folder("any")


def test_command_that_is_asked_to_end_closes_what_is_open(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys, time; from edge_sdk.cli.screen import command\n"
        "from edge_sdk.folders import temporary_folder\n"
        "@command()\n"
        "def waiting(screen):\n"
        "    with temporary_folder('open'):\n"
        "        os.kill(os.getpid(), int(os.environ['NUMBER'])); time.sleep(60)\n"
        "waiting()\n"
    )
    for number in (signal.SIGTERM, signal.SIGHUP):
        environment = {**os.environ, "TMPDIR": str(tmp_path), "NUMBER": str(int(number))}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=50
        )
        assert (done.returncode, done.stderr) == (128 + number, f"ended by {number.name}; nothing was written\n")
        assert list(tmp_path.iterdir()) == []
