"""The cores that this process may use, which of them are big, and threads kept on those."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Little cores state 250 to 530 of 1024, the second kind of big ones 700 and more (device trees in Linux's arch/arm64).
_BIG = 0.6
_CAPACITY = ("cpu_capacity", "cpufreq/cpuinfo_max_freq")


@dataclass(frozen=True)
class Cores:
    """Numbers of cores: all that this process may use, and those of them that compute most."""

    usable: frozenset[int]
    big: frozenset[int]

    @contextlib.contextmanager
    def pinned(self, threads: int) -> Iterator[bool]:
        """Threads that are started meanwhile stay on the big cores, where so many are enough and the system lets us.

        The calling thread goes back to where it may run when the block ends.

        Yields:
            Whether they do.
        """
        if self.big == self.usable or threads > len(self.big):
            yield False
            return
        try:
            os.sched_setaffinity(0, self.big)
        except OSError:
            yield False
            return
        try:
            yield True
        finally:
            os.sched_setaffinity(0, self.usable)


def find_cores(root: Path = Path("/"), usable: frozenset[int] | None = None) -> Cores:
    """The cores of this machine; a core is big if it computes 0.6 of what the fastest does, as the kernel states it.

    Args:
        root: of the file system.
        usable: None for what the system lets this process use.
    """
    mine = frozenset(_affinity() if usable is None else usable)
    for name in _CAPACITY:
        found = {core: _number(root / f"sys/devices/system/cpu/cpu{core}/{name}") for core in mine}
        if all(found.values()):
            most = max(found.values())
            return Cores(mine, frozenset(core for core, capacity in found.items() if capacity >= _BIG * most))
    return Cores(mine, mine)


def _affinity() -> set[int]:
    try:
        return os.sched_getaffinity(0)
    except AttributeError:
        # Not Linux.
        return set(range(os.cpu_count() or 1))


def _number(path: Path) -> int:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
