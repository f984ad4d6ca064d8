"""The time that tuning may take, shared out to its stages, and how far each of them came in it.

A stage ends where its share of the whole does, and what it does not need is left to those behind it. Layers come
first, for all else begins with them; the last quarter is for spans of ops in float, which win most where int8 is poor.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.workers.child import ToParent
from edge_sdk.files import write_bytes
from edge_sdk.progress import Progress

ENDS = {"layers": 0.4, "blocks": 0.55, "whole": 0.75, "floats": 1.0}
"""Stage to the share of all time at which it ends."""
_WORDS = {
    "layers": "round layers",
    "blocks": "learn block by block",
    "whole": "learn from end to end",
    "floats": "try ops in float",
}
# How often the time that was spent is written beside a checkpoint.
_KEPT_EACH = 5.0


class Spent(TypedDict):
    """What is gone of the time."""

    seconds: float
    """By the clock."""
    kept: str | None
    """The file where they are written for a run that goes on."""


class _Always(TypedDict):
    """What tuning is asked for."""

    minutes: float
    """By the clock, of all stages together; each ends at its share with its best state."""
    checkpoint: str | None
    """A folder that keeps what is done, and in which what an interrupted run did on the same files is found again."""
    seed: int
    """Of which samples and places are looked at."""


class Asked(_Always, total=False):
    """What tuning is asked for."""

    spent: Spent
    """By what came before; without it what an interrupted run kept is."""


def save_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """An .npz, written whole or not at all; folders that are missing are made."""
    file = BytesIO()
    np.savez(file, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, file.getbuffer())


@dataclass(frozen=True)
class Reached:
    """How far a stage came.

    Attributes:
        stage: one of :data:`ENDS`.
        done: layers, steps or files tried; those of an interrupted run too.
        of: how many there are.
        by_time: whether it ended because its share was over.
        seconds: that it took in this run.
    """

    stage: str
    done: int
    of: int
    by_time: bool
    seconds: float


@dataclass(frozen=True)
class Ended:
    """How tuning ended.

    Attributes:
        minutes: that it was given, by the clock.
        seconds: that it took, those of interrupted runs too.
        stages: in order; those that were not begun are not there.
    """

    minutes: float
    seconds: float
    stages: tuple[Reached, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data; ``by`` is ``time`` where any stage ended because its share was over, else ``end``."""
        by = "time" if any(one.by_time for one in self.stages) else "end"
        return {"by": by} | asdict(self) | {"stages": [asdict(one) for one in self.stages]}


class Budget:
    """Time by the clock from now on, in stages.

    Args:
        minutes: of all stages together.
        kept: where what was spent is kept for a run that goes on.
        spent: seconds that are gone already; None for those that an interrupted run kept there.
        progress: hears of stages and counts; by default the parent of a worker.
        clock: seconds.
    """

    def __init__(
        self,
        minutes: float,
        *,
        kept: Path | None = None,
        spent: float | None = None,
        progress: Progress | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._minutes, self._kept, self._clock = minutes, kept, clock
        self._progress = progress or ToParent()
        if spent is None and kept is not None and kept.exists():
            with np.load(kept) as arrays:
                spent = float(arrays["seconds"])
        self._begin = clock() - (spent or 0.0)
        self._written = clock()
        self._stages: list[Reached] = []
        self._now: Reached | None = None

    @property
    def spent(self) -> float:
        """Seconds."""
        return self._clock() - self._begin

    def is_over(self, stage: str) -> bool:
        """Whether a stage's share is."""
        return self.left(stage) <= 0

    def left(self, stage: str) -> float:
        """Seconds until a stage's share ends."""
        return 60 * self._minutes * ENDS[stage] - self.spent

    @contextmanager
    def stage(self, stage: str, of: int, done: int = 0) -> Iterator[None]:
        """A stage of so many parts, some of which an interrupted run did."""
        self._progress.stage(_WORDS[stage])
        self._now, since = Reached(stage, done, of, by_time=False, seconds=0.0), self._clock()
        yield
        # Left early for another reason than time there is an error, and nothing to tell.
        self._stages.append(replace(self._now, by_time=self._now.done < of, seconds=self._clock() - since))
        self._now = None

    def says(self, words: str) -> None:
        """What is done between stages."""
        self._progress.stage(words)

    def count(self, done: int) -> None:
        """So many parts of the stage are done."""
        if self._now is None:
            raise ValueError("no stage has begun")
        self._now = replace(self._now, done=done)
        self._progress.count(done, self._now.of)
        if self._kept is not None and self._clock() - self._written > _KEPT_EACH:
            self.keep()

    def keep(self) -> None:
        """Writes what was spent by now."""
        if self._kept is not None:
            save_arrays(self._kept, {"seconds": np.array(self.spent)})
            self._written = self._clock()

    def ended(self) -> Ended:
        """What was told of the stages by now."""
        return Ended(self._minutes, self.spent, tuple(self._stages))
