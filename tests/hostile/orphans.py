"""``python -m tests.hostile.orphans``: commands whose children lose their parents, one by one, by SIGKILL.

A command is run again and again; in the n-th run the parent of the n-th process that it starts is killed as soon as
that process is there. Then that process and all that it started must be gone within a second, and where the command
itself was killed, all of its processes. ``make orphans`` tries all commands; the tests try the quick ones.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.commands import COMMANDS, filled

_ROOT = Path(__file__).parents[2]
SOON_S = 1.0
_COMMAND_S = 300.0


@dataclass(frozen=True)
class Orphans:
    """What became of one run.

    Attributes:
        child: the process whose parent was killed, by its command line; empty where the command ended before.
        left: those that were alive after :data:`SOON_S`, likewise.
    """

    child: str
    left: tuple[str, ...] = ()


def orphaned(command: Sequence[str], number: int, folder: Path) -> Orphans:
    """Runs a command until its ``number``-th process is there (from 1), and kills that one's parent."""
    environment = {
        **os.environ,
        "TMPDIR": str(folder),
        "EDGE_SDK_CACHE": str(folder / "cache"),
        "PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    words = [sys.executable, "-W", "ignore", "-m", "edge_sdk", *filled(command, folder, folder), "--quiet"]
    program = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        child = _nth_child(program, number)
        if child is None:
            # A command that refuses its input at once would seem to leave nobody behind. 3: a busy machine's INVALID.
            if (status := program.wait(_COMMAND_S)) not in (0, 3):
                raise RuntimeError(f"{' '.join(words)} ends with status {status} where nobody is killed")
            return Orphans("")
        name, parent = _words(child), _parents().get(child, 0)
        doomed = {child, *_below(child)} if parent != program.pid else set(_below(program.pid))
        if parent in {program.pid, *_below(program.pid)}:
            os.kill(parent, signal.SIGKILL)
        return Orphans(name, tuple(_words(one) for one in _alive_after(doomed)))
    finally:
        program.kill()
        program.wait()


def _nth_child(program: subprocess.Popen[bytes], number: int) -> int | None:
    seen: list[int] = []
    end = time.monotonic() + _COMMAND_S
    while program.poll() is None and time.monotonic() < end:
        seen += [one for one in _below(program.pid) if one not in seen]
        if len(seen) >= number:
            # Between fork and exec it is a copy of its parent, and not tied yet.
            time.sleep(0.1)
            return seen[number - 1]
        time.sleep(0.002)
    return None


def _alive_after(processes: set[int]) -> list[int]:
    end = time.monotonic() + SOON_S
    while (left := [one for one in processes if _is_alive(one)]) and time.monotonic() < end:
        time.sleep(0.01)
    return left


def _parents() -> dict[int, int]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            found[int(entry.name)] = int(fields[1])
    return found


def _below(process: int) -> Iterator[int]:
    """Its children and theirs, in the order of their numbers."""
    parents = _parents()
    reached = {process}
    for one in sorted(parents):
        line: list[int] = []
        place = one
        while place in parents and place not in reached and len(line) < len(parents):
            line.append(place)
            place = parents[place]
        if place in reached:
            reached.update(line)
    return iter(sorted(reached - {process}))


def _stat(process: int) -> list[str]:
    try:
        return Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _is_alive(process: int) -> bool:
    fields = _stat(process)
    return bool(fields) and fields[0] not in "ZX"


def _words(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[-100:]
    except OSError:
        return str(process)


def every(name: str, most: int = 100) -> Iterator[Orphans]:
    """Runs of one command until it starts no further process."""
    for number in range(1, most + 1):
        with tempfile.TemporaryDirectory() as folder:
            found = orphaned(COMMANDS[name], number, Path(folder))
        if not found.child:
            return
        yield found


def main() -> int:
    """All commands, or those named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("commands", nargs="*", default=list(COMMANDS), metavar="COMMAND", help=", ".join(COMMANDS))
    broken = 0
    for name in parser.parse_args().commands:
        runs = list(every(name))
        wrong = [f"{one.child}: {', '.join(one.left)} lived on" for one in runs if one.left]
        print(f"{name}: {len(runs)} processes, {len(wrong)} wrong", *wrong, sep="\n  ", flush=True)
        broken += len(wrong)
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
