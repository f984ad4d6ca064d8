"""Names of temporary files and folders that say which process made them, so that the next one clears up after the dead.

A name holds ``<boot and process namespace>-<process>-<its start>-<random>``: a number alone is another process's later.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from functools import cache
from pathlib import Path
from typing import Final

# edge-sdk-<what>-<owner>-<random>: a folder, or .log for what tools printed.
_FOLDER: Final = re.compile(r"edge-sdk-\w+-([0-9a-f]+)-(\d+)-(\d+)-\w+(\.log)?")
# .<name of the file to be>.edge-sdk-<owner>-<random>, and the ending of that file.
_BESIDE: Final = re.compile(r"\..*\.edge-sdk-([0-9a-f]+)-(\d+)-(\d+)-\w{8}(\..*)?", re.DOTALL)
# Names have at most 255 bytes, and a character up to four.
_NAME_SHOWN: Final = 40
# An emulator (qemu-user) tells its process a start of its own, taken later than the kernel's, by a tick or by what load
# adds. No number is given out again so soon.
_SAME_S: Final = 10
# An error named it: it stays for those who want to read it. One that is empty says nothing.
_LOG_KEPT_S: Final = 7 * 24 * 3600.0


def folder_prefix(what: str) -> str:
    """What the name of a temporary folder of this process begins with."""
    return f"edge-sdk-{what}-{_owner()}-"


def beside_prefix(path: Path) -> str:
    """Likewise of a file that will take the name of ``path``."""
    return f".{path.name[:_NAME_SHOWN]}.edge-sdk-{_owner()}-"


def is_folder_name(name: str) -> bool:
    """Whether a temporary folder of ours is called so."""
    return _FOLDER.fullmatch(name) is not None


@cache
def clear(folder: str) -> None:
    """Once in a process: removes what processes of this very boot and namespace left there that are no more."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in list(entries):
            if beside := _BESIDE.fullmatch(entry.name):
                if _is_dead(beside):
                    Path(entry.path).unlink()
            elif (found := _FOLDER.fullmatch(entry.name)) and _is_dead(found):
                _remove(entry, is_log=found[4] is not None)


def _remove(entry: os.DirEntry[str], *, is_log: bool) -> None:
    if not is_log and entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path, ignore_errors=True)
    elif is_log and (not entry.stat().st_size or entry.stat().st_mtime < time.time() - _LOG_KEPT_S):
        Path(entry.path).unlink()


def _owner() -> str:
    return f"{_here()}-{os.getpid()}-{_start(os.getpid())}"


def _is_dead(found: re.Match[str]) -> bool:
    start, told = int(_start(int(found[2]))), int(found[3])
    # Where there is no /proc both are 0, and nobody is known to be dead.
    if found[1] != _here() or start == told:
        return False
    return start == 0 or abs(start - told) > _SAME_S * os.sysconf("SC_CLK_TCK")


@cache
def _here() -> str:
    """This boot and process namespace: in another, as of a container that shares the folder, numbers are others'."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8")[:8]
        return f"{boot}{Path('/proc/self/ns/pid').stat().st_ino:x}"
    except OSError:
        return "0"


def _start(process: int) -> str:
    """When a process started, in ticks of its boot; 0 if there is none."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "0"
    # The name before may hold blanks and brackets.
    return text.rpartition(")")[2].split()[19]
