"""A file and a calibration table to the time of each op and the whole: *predicted*, with intervals, or not at all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from edge_sdk.artifact.model import Artifact
from edge_sdk.checks.timing.amounts import place
from edge_sdk.checks.timing.model import COVERAGE, Model
from edge_sdk.checks.timing.streams import run_bytes
from edge_sdk.checks.timing.table import Table
from edge_sdk.checks.timing.work import Placed, Work, Workload, workload

Bound = Literal["compute", "memory", "overhead", "folded"]
# Octaves to the nearest kernel: beyond the first a time is interpolated, beyond the second nothing is said.
_NEAR, _FAR = 1.0, 4.0
_WIDEST = math.log(2.0)
_LOOPS = frozenset({"WHILE", "IF", "CALL", "CALL_ONCE", "STABLEHLO_COMPOSITE", "STABLEHLO_WHILE"})
# Shape arithmetic on a few integers: no kernel is worth the name, and an op's overhead is all that it costs.
_BOOKKEEPING_BYTES = 256


@dataclass(frozen=True)
class OpTime:
    """One op's predicted time.

    Attributes:
        op: its index in the main subgraph.
        op_name: its type.
        result: name of its first result.
        place: ``xnnpack``, or ``cpu`` for the engine's own kernels.
        us: microseconds; 0 for an op that the engine folds into another; None where nothing can be said.
        low_us: 9 of 10 such ops take at least so much.
        high_us: and at most so much.
        interpolated: whether the nearest kernel that was timed is more than an octave away.
        bound: by what: ``compute``; ``memory``: its bytes take longer than its arithmetic, by the table's best rates;
            ``overhead``: what any such op costs is half of its time or more; ``folded``.
    """

    op: int
    op_name: str
    result: str
    place: str
    us: float | None
    low_us: float | None
    high_us: float | None
    interpolated: bool
    bound: Bound


@dataclass(frozen=True)
class Abstention:
    """Why nothing is said of the whole: an op, or the interval."""

    op: int | None
    op_name: str
    why: str


@dataclass(frozen=True)
class Prediction:
    """The predicted time of one run.

    Attributes:
        truth: always ``predicted``.
        subject: device, engine and threads that the table was measured on.
        ms: of one run; None where it abstains.
        low_ms: 9 of 10 files take at least so much.
        high_ms: and at most so much.
        coverage: of that interval.
        interpolated_share: of the sum of ops, what has no kernel within an octave.
        partitions: rows of ops between which values are handed over.
        border_bytes: of these values.
        abstentions: why there is no time; empty where there is one.
        ops: each op's.
    """

    truth: Literal["predicted"]
    subject: str
    ms: float | None
    low_ms: float | None
    high_ms: float | None
    coverage: float
    interpolated_share: float
    partitions: int
    border_bytes: int
    abstentions: tuple[Abstention, ...]
    ops: tuple[OpTime, ...]


class Predictor:
    """A table, fitted once and asked often."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.model = Model(table)
        works = [one.work[0] for one in table.timed if not one.is_network and not one.reasons]
        times = [one.us for one in table.timed if not one.is_network and not one.reasons]
        self._bytes_a_us = max(_moved(work) / us for work, us in zip(works, times, strict=True))
        self._macs_a_us: dict[str, float] = {}
        for work, us in zip(works, times, strict=True):
            if work.depth > 1:
                best = self._macs_a_us.get(work.arithmetic, 0.0)
                self._macs_a_us[work.arithmetic] = max(best, work.macs / us)

    def workload(self, artifact: Artifact) -> Workload:
        """The file as the table's engine would run it."""
        return workload(artifact, self.table.subject.engine, self.table.subject.version)

    def predict(self, artifact: Artifact) -> Prediction:
        """The whole file.

        Raises:
            ModelError: an op is not formed as its kernel needs it.
        """
        return self.predict_work(self.workload(artifact))

    def predict_work(self, load: Workload) -> Prediction:
        """Likewise, of a file that need not exist."""
        run = run_bytes([placed.work for placed in load.ops if placed.work is not None])
        ops = tuple(self._op(placed, run) for placed in load.ops)
        abstentions = list(self._abstentions(load))
        known = [one for one in ops if one.us]
        whole = sum(one.us or 0.0 for one in known)
        model = self.model
        held = model.context
        around = model.invoke_us + held.partition_us * max(0, load.partitions - 1) + held.border_us * load.border_bytes
        reach = self._reach(load, ops, around + whole)
        if reach > _WIDEST and not abstentions:
            worst = max((one for one in known if one.interpolated), key=lambda one: one.us or 0.0, default=None)
            words = f"the interval exceeds a factor of two ({math.exp(reach):.2f})"
            op, op_name = (worst.op, worst.op_name) if worst else (None, "")
            abstentions.append(Abstention(op, op_name, words))
        ms = None if abstentions else (around + whole) / 1e3
        return Prediction(
            truth="predicted",
            subject=str(self.table.subject),
            ms=ms,
            low_ms=None if ms is None else ms * math.exp(-reach),
            high_ms=None if ms is None else ms * math.exp(reach),
            coverage=COVERAGE,
            interpolated_share=sum(one.us or 0.0 for one in known if one.interpolated) / whole if whole else 0.0,
            partitions=load.partitions,
            border_bytes=load.border_bytes,
            abstentions=tuple(abstentions),
            ops=ops,
        )

    def _op(self, placed: Placed, run: int) -> OpTime:
        work, op = placed.work, placed.op
        if work is None:
            return OpTime(
                op.index, op.name, placed.result, placed.place, 0.0, 0.0, 0.0, interpolated=False, bound="folded"
            )
        us = self._us(work, run)
        if us is None:
            return OpTime(
                op.index, op.name, placed.result, placed.place, None, None, None, interpolated=True, bound="compute"
            )
        kind = self.model.kinds.get(work.key)
        miss = self.model.miss(work) if kind else _WIDEST
        interpolated = kind is None or kind.distance(place(work)) > _NEAR
        low, high = us * math.exp(-miss), us * math.exp(miss)
        bound = self._bound(work, us)
        return OpTime(
            op.index, op.name, placed.result, placed.place, us, low, high, interpolated=interpolated, bound=bound
        )

    def _us(self, work: Work, run: int = 0) -> float | None:
        found = self.model.op_us(work, run)
        if found is None and _moved(work) <= _BOOKKEEPING_BYTES:
            return self.model.least_us(work.place)
        return found

    def _bound(self, work: Work, us: float) -> Bound:
        memory = _moved(work) / self._bytes_a_us
        compute = work.macs / self._macs_a_us.get(work.arithmetic, math.inf) if work.depth > 1 else 0.0
        kind = self.model.kinds.get(work.key)
        if kind is None or self.model.overhead_us(work.place) > us / 2:
            return "overhead"
        return "memory" if memory > compute else "compute"

    def _abstentions(self, load: Workload) -> Iterator[Abstention]:
        seen: set[tuple[str, ...]] = set()
        for placed in load.ops:
            work = placed.work
            if work is None or (*work.key,) in seen:
                continue
            why = self._why_not(work)
            if why:
                seen.add((*work.key,))
                yield Abstention(placed.op.index, placed.op.name, why)

    def _why_not(self, work: Work) -> str:
        if work.kind in _LOOPS:
            return "runs other subgraphs, how often is only known in a run"
        if self._us(work) is None:
            who = "XNNPACK" if work.place == "xnnpack" else "the engine's own kernels"
            return f"has no neighbour: no {work.kind} in {work.arithmetic} by {who} was timed"
        kind = self.model.kinds.get(work.key)
        if kind is not None and work.macs > 1 << 16 and kind.distance(place(work)) > _FAR:
            far = kind.distance(place(work))
            return f"has no neighbour: the nearest {work.kind} that was timed is {far:.1f} octaves away"
        return ""

    def _reach(self, load: Workload, ops: Sequence[OpTime], whole: float) -> float:
        """Log of the factor: of the networks of the table, and beyond that what far ops may add, by their share."""
        works = {placed.op.index: placed.work for placed in load.ops}
        far = 0.0
        for one in ops:
            work = works[one.op]
            if one.interpolated and one.us and work is not None and whole:
                miss = self.model.miss(work) if work.key in self.model.kinds else _WIDEST
                far += one.us / whole * miss
        return math.hypot(self.model.reach, far)


def op_times(artifact: Artifact, table: Table) -> tuple[OpTime, ...]:
    """The predicted time of each op of a file's main subgraph, in order; see :class:`Predictor` to ask often.

    Args:
        artifact: the file.
        table: of the device, see :func:`~edge_sdk.checks.timing.table.read_table`.
    """
    return Predictor(table).predict(artifact).ops


def _moved(work: Work) -> int:
    return work.read_bytes + work.written_bytes + work.weight_bytes
