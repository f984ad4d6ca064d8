"""Who hears of tuning's progress, a clock that stands still, and what tuning is asked for."""

from __future__ import annotations

from pathlib import Path

from edge_sdk.converters.quantize.tuning.budget import _WORDS, Asked

_STAGES = {words: stage for stage, words in _WORDS.items()}


class Heard:
    """Notes counts of stages; raises KeyboardInterrupt at one, as a kill in the middle.

    Args:
        stop_at: stage and count.
    """

    def __init__(self, stop_at: tuple[str, int] | None = None) -> None:
        self.counts: list[tuple[str, int, int | None]] = []
        self._stage, self._stop_at = "", stop_at

    def stage(self, name: str) -> None:
        """Begins."""
        self._stage = _STAGES.get(name, name)

    def count(self, done: int, total: int | None) -> None:
        """Noted."""
        if (self._stage, done) == self._stop_at:
            raise KeyboardInterrupt
        self.counts.append((self._stage, done, total))


class Clock:
    """Seconds that go by where they are told to, or by so many at each look."""

    def __init__(self, each: float = 0.0) -> None:
        self.now, self._each = 0.0, each

    def __call__(self) -> float:
        """The time."""
        self.now += self._each
        return self.now


def asked(minutes: float = 1e6, checkpoint: Path | None = None) -> Asked:
    """Tuning without an end, unless told."""
    return Asked(minutes=minutes, checkpoint=str(checkpoint) if checkpoint else None, seed=0)
