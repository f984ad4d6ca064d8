"""``python -m tests.hostile.leavings``: what commands leave behind, and what of it the next one clears.

Each ends well, by an error (no space left at the first writing call behind three fifths of them that it cannot do
without), by Ctrl-C, SIGTERM and SIGKILL, these when it has come as far. Then the temporary folder, the folder of its
output, the user's cache and the rest of the home are looked through; then ``bundle create`` runs in the same folders,
and they are once more. ``make leavings``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.commands import COMMANDS, filled
from tests.native import compiler

_ROOT = Path(__file__).parents[2]
_SHARE = 0.6
_COMMAND_S = 600.0
# Of what ends with its parent.
_SOON_S = 1.0
SIGNALS = {"Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM, "SIGKILL": signal.SIGKILL}
ENDINGS = ("well", "error", *SIGNALS)
_ENOSPC, _COUNT = "28", "0"


@dataclass(frozen=True)
class Left:
    """What one ending left.

    Attributes:
        status: the exit status.
        after: paths by place: ``tmp``, ``out``, ``cache`` and ``home``.
        later: the same when the next command has run.
    """

    status: int
    after: Mapping[str, list[str]]
    later: Mapping[str, list[str]]


class Folders:
    """Where a command may write, below one folder; all writing calls there are counted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counter = folder / "counter"
        self._places = {name: folder / "all" / name for name in ("tmp", "out", "cache", "home")}
        for place in (folder / "read", *self._places.values()):
            place.mkdir(parents=True)
        self._library = folder / "faults.so"
        build = [compiler() or "cc", "-shared", "-fPIC", "-O1", "-o", self._library, _ROOT / "tests/native/faults.c"]
        subprocess.run([*map(str, build), "-ldl"], check=True)

    def start(self, command: Sequence[str], kind: str = _COUNT, at: int = 0) -> subprocess.Popen[bytes]:
        """The command, with a fault of a kind at its ``at``-th writing call."""
        self._counter.write_bytes(bytes(8))
        faults = {
            "LD_PRELOAD": str(self._library),
            "FAULT_ROOT": str(self._folder / "all"),
            "FAULT_COUNTER": str(self._counter),
            "FAULT_KIND": kind,
            "FAULT_AT": str(at),
        }
        places = {
            "TMPDIR": str(self._places["tmp"]),
            "EDGE_SDK_CACHE": str(self._places["cache"]),
            "HOME": str(self._places["home"]),
            "PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }
        words = [*filled(command, self._folder / "read", self._places["out"]), "--quiet"]
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "edge_sdk", *words],
            env={**_without(os.environ, "XDG_"), **faults, **places},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def calls(self) -> int:
        """How many writing calls there were since the start."""
        return int(struct.unpack("=q", self._counter.read_bytes())[0])

    def empty(self) -> None:
        """Removes what commands made there."""
        for place in self._places.values():
            shutil.rmtree(place)
            place.mkdir()

    def left(self) -> dict[str, list[str]]:
        """What lies in each place, in it directly: what a folder holds is not told."""
        return {name: sorted(one.name for one in place.iterdir()) for name, place in self._places.items()}


def _without(environment: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(prefix)}


def calls_of(command: Sequence[str]) -> int:
    """How many writing calls a command makes that ends well."""
    with tempfile.TemporaryDirectory() as folder:
        folders = Folders(Path(folder))
        if status := folders.start(command).wait(_COMMAND_S):
            raise AssertionError(f"{' '.join(command)} ends with {status}")
        return folders.calls()


def left_by(command: Sequence[str], ending: str, calls: int) -> Left:
    """Runs a command until it ends so, and the next one.

    Args:
        command: of :data:`COMMANDS`.
        ending: of :data:`ENDINGS`.
        calls: how many writing calls it makes.
    """
    with tempfile.TemporaryDirectory() as folder:
        folders = Folders(Path(folder))
        status = _run_until(folders, command, ending, max(1, int(_SHARE * calls)))
        time.sleep(_SOON_S)
        after = folders.left()
        if folders.start(COMMANDS["bundle"]).wait(_COMMAND_S):
            raise AssertionError("the next command does not end well")
        return Left(status, after, folders.left())


def _run_until(folders: Folders, command: Sequence[str], ending: str, far: int) -> int:
    """Runs a command and ends it at that writing call; its exit status."""
    if ending == "error":
        # A cache that cannot be written only costs time.
        while not (status := folders.start(command, _ENOSPC, far).wait(_COMMAND_S)):
            folders.empty()
            far += 1
        return status
    program = folders.start(command)
    if ending in SIGNALS:
        while folders.calls() < far and program.poll() is None:
            time.sleep(0.002)
        program.send_signal(SIGNALS[ending])
    return program.wait(_COMMAND_S)


def main() -> int:
    """All commands and endings, or those named; a line of JSON each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("commands", nargs="*", default=list(COMMANDS), metavar="COMMAND", help=", ".join(COMMANDS))
    parser.add_argument("--endings", nargs="*", default=list(ENDINGS), choices=ENDINGS)
    asked = parser.parse_args()
    for name in asked.commands:
        calls = calls_of(COMMANDS[name])
        for ending in asked.endings:
            left = left_by(COMMANDS[name], ending, calls)
            print(json.dumps({"command": name, "ending": ending, "calls": calls, **vars(left)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
