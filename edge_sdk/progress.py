"""How long work tells whoever waits for it."""

from __future__ import annotations

import time
from typing import Protocol


class Progress(Protocol):
    """Hears of stages and of counts within a stage."""

    def stage(self, name: str) -> None:
        """A stage begins; the one before is done."""
        ...

    def count(self, done: int, total: int | None) -> None:
        """``done`` of ``total`` steps of the stage are done; the total may not be known."""
        ...


class Silent:
    """Hears and says nothing."""

    def stage(self, name: str) -> None:
        """Ignored."""

    def count(self, done: int, total: int | None) -> None:
        """Ignored."""


class Parts:
    """A stage that may have parts, told as ``stage: part``, and how long each took.

    Args:
        name: of the stage, which begins now.
        progress: hears of it and of its parts.
    """

    def __init__(self, name: str, progress: Progress) -> None:
        self._name, self._progress = name, progress
        self._seconds: dict[str, float] = {}
        self._begin(name)

    def stage(self, name: str) -> None:
        """A part begins; the one before is done."""
        self._end()
        self._begin(f"{self._name}: {name}")

    def count(self, done: int, total: int | None) -> None:
        """Passed on."""
        self._progress.count(done, total)

    def ended(self) -> dict[str, float]:
        """The stage is done: seconds of what came before its first part, and of each part, in order."""
        self._end()
        return self._seconds

    def _begin(self, name: str) -> None:
        self._progress.stage(name)
        self._now, self._since = name, time.perf_counter()

    def _end(self) -> None:
        # A part that comes again, as for a second file, is told again and counted once.
        self._seconds[self._now] = self._seconds.get(self._now, 0.0) + time.perf_counter() - self._since
