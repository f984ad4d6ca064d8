"""How long to measure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from edge_sdk.errors import MeasurementError
from edge_sdk.measure.records import RunMode

FEWEST_QUERIES = 10
"""However long they take, unless the user says otherwise: fewer have no interval."""


@dataclass(frozen=True)
class Plan:
    """How long to measure, for each subject.

    Attributes:
        run_mode: what it is called in the result.
        min_queries: at least so many.
        min_seconds: and at least so long; the time of the queries, without what is between them.
        max_seconds: then it ends, if there are ``FEWEST_QUERIES`` or the user set it.
        patience_s: for warm-up, after which latency counts as not settled.
        sittings: where there is something to compare, every subject is opened so often anew.
        margin: a difference in the median of less does not matter; a share.
        sustained_minutes: for so long without a break, instead of all that; None for not.
        seed: of orders and draws.
    """

    run_mode: RunMode
    min_queries: int
    min_seconds: float
    max_seconds: float = 600.0
    fewest: int = FEWEST_QUERIES
    patience_s: float = 30.0
    sittings: int = 6
    margin: float = 0.02
    sustained_minutes: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("min_queries", 1), ("sittings", 1), ("fewest", 1)):
            if getattr(self, name) < least:
                raise MeasurementError(f"{name}: expected {least} or more, got {getattr(self, name)}")
        for name in ("min_seconds", "max_seconds", "margin", "sustained_minutes"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise MeasurementError(f"{name}: expected a number above 0, got {value}")
        if self.sustained_minutes is not None and self.sustained_minutes < 2:
            raise MeasurementError(
                f"sustained_minutes: expected 2 or more, got {self.sustained_minutes:g}",
                hint="the last minute is compared with the first",
            )


# MLPerf Inference: 1,024 queries and 60 s for a single stream; MLPerf Mobile gives up after 600 s.
QUOTABLE = Plan("quotable", min_queries=1024, min_seconds=60.0)
QUICK = Plan("quick", min_queries=64, min_seconds=2.0, max_seconds=60.0, patience_s=5.0)


def make_plan(
    *,
    quick: bool = False,
    runs: int | None = None,
    seconds: float | None = None,
    max_seconds: float | None = None,
    sustained: float | None = None,
    margin: float | None = None,
) -> Plan:
    """The plan for what a user says.

    Args:
        quick: less than MLPerf wants.
        runs: queries, instead.
        seconds: at least, instead.
        max_seconds: then it ends, however few there are.
        sustained: minutes.
        margin: a share.

    Raises:
        MeasurementError: a value makes no sense, or two do not go together.
    """
    if sustained is not None and (quick or runs is not None or seconds is not None):
        raise MeasurementError("a sustained run lasts its minutes: no quick, runs or seconds beside it")
    plan = QUICK if quick else QUOTABLE
    if sustained is not None:
        plan = replace(plan, run_mode="sustained", sustained_minutes=sustained)
    if runs is not None or seconds is not None:
        # Who names the one leaves the other to it.
        queries = runs if runs is not None else 1
        least = seconds if seconds is not None else 1e-9
        plan = replace(
            plan, run_mode="custom", min_queries=queries, min_seconds=least, fewest=min(queries, plan.fewest)
        )
    if max_seconds is not None:
        plan = replace(plan, max_seconds=max_seconds, fewest=1)
    return plan if margin is None else replace(plan, margin=margin)
