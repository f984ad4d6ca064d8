"""Is there memory for a model, before it is loaded: what it needs at least, against what this process may take."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_sdk.engines.source import ModelSource
from edge_sdk.errors import TargetError

_MIB = 1 << 20
# A cgroup v1 without a limit states the largest multiple of the page size.
_NO_LIMIT = 1 << 60


@dataclass(frozen=True)
class Need:
    """Bytes that opening and running a model takes at least: *predicted* from the file, nothing is run.

    Attributes:
        arena_bytes: what TFLite plans for values and scratch.
        packed_bytes: weights in XNNPACK's own order, which lie beside those of the file.
        copied_bytes: of the file, where an engine cannot map it. A mapped file counts nothing: its pages can go.
        trial_bytes: inputs and outputs of the self-test, where it draws them.
    """

    arena_bytes: int
    packed_bytes: int
    copied_bytes: int
    trial_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.arena_bytes + self.packed_bytes + self.copied_bytes + self.trial_bytes

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"total_bytes": self.total_bytes}


@dataclass(frozen=True)
class Limit:
    """One thing that bounds this process: what it is called, and the bytes that it leaves."""

    name: str
    free_bytes: int


def predicted_need(model: ModelSource, *, delegate: str, trial_bytes: int) -> Need:
    """What a model needs with a delegate; accelerators' own memory is not known and not in it.

    Args:
        model: to be opened.
        delegate: key of ``DELEGATES``.
        trial_bytes: of the self-test, where it draws its inputs; 0 where it reads them from a bundle.
    """
    plan = model.plan
    planned = plan.arena_bytes + plan.persistent_bytes + plan.heap_bytes
    packed = model.artifact.weights_bytes if delegate == "xnnpack" else 0
    copied = len(model.content) if model.path is None else 0
    return Need(planned, packed, copied, trial_bytes)


def check_free(need: Need, *, name: str, root: Path = Path("/")) -> Limit | None:
    """The tightest limit, which holds the need; None where the system names none.

    Args:
        need: see :func:`predicted_need`.
        name: of the model, for the message.
        root: of the file system.

    Raises:
        TargetError: less is free than the model needs.
    """
    tightest = min(limits(root), key=lambda limit: limit.free_bytes, default=None)
    if tightest is not None and need.total_bytes > tightest.free_bytes:
        raise TargetError(
            f"{name} needs at least {_mib(need.total_bytes)} (predicted: {_parts(need)}), "
            f"{tightest.name} leaves {_mib(tightest.free_bytes)}",
            limit=tightest.name,
            needed=need.total_bytes,
            available=tightest.free_bytes,
            hint="close other programs or sessions, raise the limit, or take a smaller variant",
        )
    return tightest


def limits(root: Path = Path("/")) -> Iterator[Limit]:
    """All that bounds this process's memory: the machine, its control groups and their parents, and ulimit -v."""
    available = _fields(root / "proc/meminfo").get("MemAvailable:")
    if available is not None:
        yield Limit("MemAvailable", available * 1024)
    yield from _group_limits(root)
    yield from _address_space(root)


class MemoryBudget:
    """Bytes that the sessions of one process may take together; what each needs is *predicted*. Thread-safe.

    Args:
        total_bytes: for all.
    """

    def __init__(self, total_bytes: int) -> None:
        self.total_bytes = total_bytes
        self._taken: dict[int, tuple[str, int]] = {}
        self._lock = threading.Lock()
        self._next = 0

    @property
    def free_bytes(self) -> int:
        """What is left."""
        with self._lock:
            return self._free()

    def take(self, name: str, count: int) -> int:
        """Reserves bytes; the number returned gives them back.

        Raises:
            TargetError: less is left; names who holds the rest.
        """
        with self._lock:
            if count > self._free():
                held = "; ".join(f"{who} {_mib(taken)}" for who, taken in self._taken.values()) or "nobody"
                raise TargetError(
                    f"{name} needs at least {_mib(count)} (predicted), the memory budget of {_mib(self.total_bytes)} "
                    f"has {_mib(self._free())} left (held by {held})",
                    limit="memory budget",
                    needed=count,
                    available=self._free(),
                    hint="close a session, or raise the budget",
                )
            self._next += 1
            self._taken[self._next] = (name, count)
            return self._next

    def give_back(self, ticket: int) -> None:
        """Frees what :meth:`take` reserved; twice is harmless."""
        with self._lock:
            self._taken.pop(ticket, None)

    def _free(self) -> int:
        return self.total_bytes - sum(taken for _, taken in self._taken.values())


def _group_limits(root: Path) -> Iterator[Limit]:
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory") or "memory" in controllers.split(","):
            for mount, inner in _mounts(root, version=1 if controllers else 2):
                yield from _along(root, mount, _within(path, inner), version=1 if controllers else 2)


def _mounts(root: Path, *, version: int) -> Iterator[tuple[str, str]]:
    """Where the memory controller's tree of that version is mounted, and the part of the tree that is."""
    for line in _lines(root / "proc/self/mountinfo"):
        left, _, right = line.partition(" - ")
        before, after = left.split(), right.split()
        if len(before) < 5 or len(after) < 3:
            continue
        if after[0] == ("cgroup2" if version == 2 else "cgroup") and (version == 2 or "memory" in after[2].split(",")):
            yield before[4], before[3]


def _within(path: str, inner: str) -> str:
    """A group's path below a mount that shows only the part ``inner`` of the tree, as containers have it."""
    if inner != "/" and (path == inner or path.startswith(inner + "/")):
        return path[len(inner) :] or "/"
    return path


def _along(root: Path, mount: str, path: str, *, version: int) -> Iterator[Limit]:
    """The limits of a group and of all groups that it is in."""
    top = root / mount.lstrip("/")
    steps = [part for part in path.split("/") if part and part != ".."]
    for depth in range(len(steps), -1, -1):
        yield from _limit_of(top.joinpath(*steps[:depth]), root, version)


def _limit_of(folder: Path, root: Path, version: int) -> Iterator[Limit]:
    ceiling, used = (
        ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    )
    limit, taken = _number(folder / ceiling), _number(folder / used)
    if limit is None or taken is None or limit >= _NO_LIMIT:
        return
    # Pages of files are dropped before the group is out of memory.
    droppable = _fields(folder / "memory.stat").get("inactive_file" if version == 2 else "total_inactive_file", 0)
    name = f"/{(folder / ceiling).relative_to(root)}"
    yield Limit(name, max(0, limit - max(0, taken - droppable)))


def _address_space(root: Path) -> Iterator[Limit]:
    import resource

    ceiling, _ = resource.getrlimit(resource.RLIMIT_AS)
    pages = " ".join(_lines(root / "proc/self/statm")).split()
    if ceiling != resource.RLIM_INFINITY and pages:
        yield Limit("ulimit -v", max(0, ceiling - int(pages[0]) * os.sysconf("SC_PAGE_SIZE")))


def _fields(path: Path) -> Mapping[str, int]:
    words = (line.split() for line in _lines(path))
    return {found[0]: int(found[1]) for found in words if len(found) > 1 and found[1].isdigit()}


def _number(path: Path) -> int | None:
    text = "".join(_lines(path)).strip()
    return int(text) if text.isdigit() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _parts(need: Need) -> str:
    parts = {
        "arena": need.arena_bytes,
        "packed weights": need.packed_bytes,
        "copy of the file": need.copied_bytes,
        "self-test": need.trial_bytes,
    }
    return ", ".join(f"{what} {_mib(count)}" for what, count in parts.items() if count) or "nothing"


def _mib(count: float) -> str:
    return f"{count / _MIB:.1f} MiB"
