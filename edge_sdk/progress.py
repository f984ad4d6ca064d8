"""How long work tells whoever waits for it."""

from __future__ import annotations

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
