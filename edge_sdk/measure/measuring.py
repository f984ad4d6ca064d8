"""A benchmark from beginning to end: sittings of subjects taken in turn, the machine watched, and what it all says."""

from __future__ import annotations

import contextlib
import gc
import uuid
from collections.abc import Iterator, Sequence

import numpy as np

from edge_sdk.measure import memory
from edge_sdk.measure.clock import Reading, jumps
from edge_sdk.measure.comparing import compare, undecided
from edge_sdk.measure.conditions import Watch
from edge_sdk.measure.machine import Machine, environment
from edge_sdk.measure.plan import Plan
from edge_sdk.measure.records import (
    SCHEMA,
    Benchmark,
    BuildInfo,
    Comparison,
    Conditions,
    Look,
    MetaInfo,
    Reason,
    Result,
)
from edge_sdk.measure.steady import settle
from edge_sdk.measure.subjects import About, Opened, Subject
from edge_sdk.measure.summary import Run, result_of
from edge_sdk.measure.taking import Taken, Turn, batch_for, overhead_ns, round_of, turn_for
from edge_sdk.measure.timed import WarmUp
from edge_sdk.measure.validity import machine_reasons
from edge_sdk.progress import Progress
from edge_sdk.version import __version__

_LOOK_S = 1.0
_MOST_LOOKS = 2000
# What is undecided gets so many times the sittings before it stays so.
_PATIENCE = 4


def measure(
    subjects: Sequence[Subject], plan: Plan, *, machine: Machine | None = None, progress: Progress
) -> Benchmark:
    """Measures subjects side by side.

    Args:
        subjects: one, or several that are taken in turn and compared with the first.
        plan: how long.
        machine: where.
        progress: hears of stages.

    Raises:
        EdgeSdkError: a subject cannot be opened, or fails in a run.
    """
    return _Measuring(subjects, plan, machine or Machine(), progress).measure()


class _Measuring:
    """One benchmark while it runs."""

    def __init__(self, subjects: Sequence[Subject], plan: Plan, machine: Machine, progress: Progress) -> None:
        self._subjects = subjects
        self._plan = plan
        self._machine = machine
        self._clock = machine.clock
        self._progress = progress
        self._watch = Watch(machine.root)
        self._draw = np.random.default_rng(plan.seed)
        self._overhead_ns = overhead_ns(self._clock)
        self._taken: list[Taken] = [Taken(1) for _ in subjects]
        self._order: list[int] = []
        self._about: list[About] = []
        self._warm_ups: list[list[WarmUp]] = [[] for _ in subjects]
        self._looks: list[Look] = []
        self._begin: Reading | None = None
        self._looked_s = 0.0

    def measure(self) -> Benchmark:
        self._watch.look(0.0, self._now_s())  # so that the next one has something to count from
        sitting = 0
        while sitting == 0 or self._wants_another(sitting):
            with _no_collection(), self._opened(sitting) as opened:
                turns = self._warm(opened, sitting)
                self._sit(turns, sitting)
            sitting += 1
        end = self._clock.read()
        return self._report(end, self._look())

    # --- one sitting ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _opened(self, sitting: int) -> Iterator[list[Opened]]:
        if sitting == 0:
            self._progress.stage("open")
        with contextlib.ExitStack() as stack:
            found: dict[int, Opened] = {}
            for index in self._order_of(sitting):
                found[index] = self._subjects[index].open()
                stack.callback(found[index].close)
            made = [found[index] for index in range(len(found))]
            if not self._about:
                self._about = [one.about for one in made]
            yield made

    def _order_of(self, sitting: int) -> list[int]:
        """In which subjects are opened and warmed up: by lot, and the other way round in the next sitting.

        Where a model comes to lie depends on what was opened before it: the second of two equal files was 0.2 to 1.4 %
        faster while it was always the second to be opened.
        """
        if sitting % 2 == 0:
            self._order = [int(index) for index in self._draw.permutation(len(self._subjects))]
            return self._order
        return self._order[::-1]

    def _warm(self, opened: Sequence[Opened], sitting: int) -> list[Turn]:
        if sitting == 0:
            self._progress.stage("warm up")
        turns: dict[int, Turn] = {}
        for index in self._order if sitting % 2 == 0 else self._order[::-1]:
            run = opened[index].run
            warm_up, query_ns = settle(run, self._clock, patience_s=self._plan.patience_s)
            self._warm_ups[index].append(warm_up)
            if sitting == 0:
                runs = self._about[index].settings.replicas or 1
                self._taken[index] = Taken(batch_for(query_ns, self._overhead_ns), runs)
            self._taken[index].sittings.append(len(self._taken[index].took))
            turns[index] = turn_for(run, self._taken[index], query_ns, alone=len(opened) == 1)
        if sitting == 0:
            self._announce(list(turns.values()))
        return [turns[index] for index in range(len(turns))]

    def _sit(self, turns: Sequence[Turn], sitting: int) -> None:
        if self._begin is None:
            self._begin = self._clock.read()
            self._looks.append(self._look())
        else:
            # What was busy while models were opened is not what was busy while they were timed.
            self._watch.look(0.0, self._now_s())
        began, rounds = self._now_s(), 0
        # A sitting that an earlier one has left nothing to do still tells where models come to lie.
        while rounds == 0 or self._wants_more(sitting, began):
            round_of(turns, self._clock, self._draw)
            rounds += 1
            if self._now_s() - self._looked_s >= self._look_every_s():
                self._looks.append(self._look())
                self._progress.count(*self._done(began))
        self._looks.append(self._look())

    def _look(self) -> Look:
        now = self._now_s()
        self._looked_s = now
        begin = self._begin.now_s if self._begin else now
        return self._watch.look(now - begin, now)

    # --- how long ---------------------------------------------------------------------------------------------------

    @property
    def _share(self) -> float:
        """Of the whole that a sitting is to bring."""
        return 1.0 / (self._plan.sittings if len(self._subjects) > 1 and not self._plan.sustained_minutes else 1)

    def _wants_more(self, sitting: int, began: float) -> bool:
        plan, spent = self._plan, self._now_s() - began
        if plan.sustained_minutes is not None:
            return spent < 60 * plan.sustained_minutes
        share = min(1.0, self._share * (sitting + 1))
        if sitting >= plan.sittings:
            # Beyond the plan, to decide what is open: as much again as a sitting of the plan.
            share = self._share * (sitting + 1)
        if spent >= plan.max_seconds * len(self._subjects) * self._share:
            return any(taken.queries < plan.fewest * share for taken in self._taken)
        return any(
            taken.queries < plan.min_queries * share or taken.timed_ns < plan.min_seconds * share * 1e9
            for taken in self._taken
        )

    def _wants_another(self, sitting: int) -> bool:
        if len(self._subjects) == 1 or self._plan.sustained_minutes is not None:
            return False
        if sitting < self._plan.sittings:
            return True
        return sitting < _PATIENCE * self._plan.sittings and undecided(self._taken, self._plan.margin)

    def _look_every_s(self) -> float:
        """Once a second, and less often in a run that lasts for hours."""
        total = 60 * self._plan.sustained_minutes if self._plan.sustained_minutes else self._plan.max_seconds
        return max(_LOOK_S, total * len(self._subjects) / _MOST_LOOKS)

    def _done(self, began: float) -> tuple[int, int]:
        """In per cent."""
        plan = self._plan
        if plan.sustained_minutes is not None:
            done = (self._now_s() - began) / 60 / plan.sustained_minutes
        else:
            done = min(min(t.queries / plan.min_queries, t.timed_ns / 1e9 / plan.min_seconds) for t in self._taken)
        return min(100, int(100 * done)), 100

    def _announce(self, turns: Sequence[Turn]) -> None:
        words, plan = "measure", self._plan
        if plan.sustained_minutes is not None:
            words += f" for {plan.sustained_minutes:g} minutes"
        words += f" {len(turns)} in turn" if len(turns) > 1 else ""
        if plan.sustained_minutes is None:
            words += f", {min(plan.min_seconds, plan.max_seconds) * len(turns):.0f} s or more"
        self._progress.stage(words)

    # --- what it says -----------------------------------------------------------------------------------------------

    def _report(self, end: Reading, after: Look) -> Benchmark:
        begin = self._begin or end
        clock_reasons, notes = jumps(begin, end)
        conditions = self._conditions(after, notes)
        shared = [*clock_reasons, *self._machine_reasons(conditions)]
        results = [self._result(index, shared, begin) for index in range(len(self._subjects))]
        return Benchmark(
            schema=SCHEMA,
            meta=MetaInfo(str(uuid.uuid4()), end.datetime, self._plan.run_mode),
            build_info=BuildInfo("edge-sdk", __version__, "python"),
            environment_info=environment(self._machine),
            results=tuple(results),
            conditions=conditions,
            comparisons=self._comparisons(results),
        )

    def _conditions(self, after: Look, notes: Sequence[str]) -> Conditions:
        before, *during = self._looks
        return Conditions(before, tuple(during), after, self._watch.not_seen(after), tuple(notes))

    def _machine_reasons(self, conditions: Conditions) -> list[Reason]:
        sustained = self._plan.sustained_minutes is not None
        return machine_reasons(conditions, cpus=self._machine.cpus, sustained=sustained)

    def _result(self, index: int, shared: Sequence[Reason], begin: Reading) -> Result:
        taken, about = self._taken[index], self._about[index]
        run = Run(
            id=self._subjects[index].id,
            name=self._subjects[index].name,
            about=about,
            taken=taken,
            warm_ups=self._warm_ups[index],
            overhead_ns=overhead_ns(self._clock, taken.batch),
            begin=begin,
            peak_rss_bytes=memory.peak_rss_bytes(),
        )
        return result_of(run, self._plan, shared)

    def _comparisons(self, results: Sequence[Result]) -> tuple[Comparison, ...]:
        if len(results) == 1 or self._plan.sustained_minutes is not None:
            return ()
        reasons = [result.validity.reasons for result in results]
        return compare([one.id for one in self._subjects], self._taken, self._plan.margin, reasons)

    def _now_s(self) -> float:
        return self._clock.now_ns() / 1e9


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Python's collector would stop the clock's world at times of its own."""
    was = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
