"""Which of several variants runs under load: falls to a faster one, returns when it can. Pure functions of times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge_sdk.errors import PolicyError

_LONGEST_WAIT = 32


@dataclass(frozen=True)
class Deadline:
    """When another variant takes over.

    Attributes:
        ms: what one run may take, values checked and copied.
        misses: so many runs in a row beyond it, and the next faster variant takes over.
        calm: so many runs in a row in which the slower variant would have kept it, and that one returns. Each time it
            fails again soon after, the wait doubles, up to 32 times.
        margin: share of the deadline that the slower variant must be expected to keep.
    """

    ms: float
    misses: int = 3
    calm: int = 30
    margin: float = 0.8

    def __post_init__(self) -> None:
        if not isinstance(self.ms, int | float):
            raise PolicyError(f"deadline: expected milliseconds, got {type(self.ms).__name__}")
        if not self.ms > 0 or self.misses < 1 or self.calm < 1 or not 0 < self.margin <= 1:
            raise PolicyError(f"deadline: expected ms > 0, misses and calm >= 1, 0 < margin <= 1, got {self}")


@dataclass(frozen=True)
class LoadState:
    """Where things stand.

    Attributes:
        level: index of the variant that runs; 0 is the one that is wanted.
        missed: runs in a row beyond the deadline.
        calm: runs in a row in which the variant before would have kept it.
        since: runs since it returned to this level; None if it did not.
        patience: what ``calm`` is multiplied by.
    """

    level: int = 0
    missed: int = 0
    calm: int = 0
    since: int | None = None
    patience: int = 1


def after_run(state: LoadState, took_ms: float, deadline: Deadline, usual_ms: Sequence[float]) -> LoadState:
    """The state after one more run.

    Args:
        state: before it.
        took_ms: by the variant at ``state.level``.
        deadline: to keep.
        usual_ms: what each variant takes without load, measured; their ratios say how a slower one would have done.
    """
    state = replace(state, since=None if state.since is None else state.since + 1)
    if took_ms > deadline.ms:
        return _missed(replace(state, missed=state.missed + 1, calm=0), deadline, len(usual_ms))
    return _kept(replace(state, missed=0), took_ms, deadline, usual_ms)


def _missed(state: LoadState, deadline: Deadline, levels: int) -> LoadState:
    if state.missed < deadline.misses or state.level + 1 >= levels:
        return state
    soon = state.since is not None and state.since <= deadline.calm * state.patience
    patience = min(2 * state.patience, _LONGEST_WAIT) if soon else 1
    return LoadState(level=state.level + 1, patience=patience)


def _kept(state: LoadState, took_ms: float, deadline: Deadline, usual_ms: Sequence[float]) -> LoadState:
    if state.level == 0:
        return state
    slower_ms = took_ms * usual_ms[state.level - 1] / usual_ms[state.level]
    if slower_ms > deadline.margin * deadline.ms:
        return replace(state, calm=0)
    state = replace(state, calm=state.calm + 1)
    if state.calm < deadline.calm * state.patience:
        return state
    return LoadState(level=state.level - 1, since=0, patience=state.patience)
