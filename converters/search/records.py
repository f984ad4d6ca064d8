"""What a search looks for and what it found, as values; ``front.json`` is :meth:`Result.as_json`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from edge_sdk.converters.search.paired import CONFIDENCE, Drop
from edge_sdk.recipe import Recipe
from edge_sdk.rows import Tabular

SCHEMA = "edge-sdk optimize 1"
MIB = 1 << 20
Objective = Literal["latency", "metric"]
PointState = Literal["fits", "misses", "not evaluated", "failed"]
Confirmation = Literal["confirmed", "contradicted", "undecided"]


@dataclass(frozen=True)
class Budgets:
    """What a file may cost; None for no limit.

    Attributes:
        max_drop: of the metric against the source's float file: in points of a share, else in the metric's own unit.
        max_latency_ms: of one run.
        max_size_mib: of the file.
        max_memory_mib: of the process, predicted for a profile.
        max_compressed_mib: of the file once it is compressed (deflate), as it travels in an app or an update.
    """

    max_drop: float | None = None
    max_latency_ms: float | None = None
    max_size_mib: float | None = None
    max_memory_mib: float | None = None
    max_compressed_mib: float | None = None

    @property
    def objective(self) -> Objective:
        """What is made best among files that fit: time where a drop is allowed, else the metric."""
        return "metric" if self.max_drop is None else "latency"


@dataclass(frozen=True)
class Limits:
    """When to stop: evaluations (None: what a certificate needs), and seconds of this run (None: no limit)."""

    max_evals: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Latency:
    """Time of one run in ms, how it is known (``measured``, ``translated``, ``predicted``) and where."""

    ms: float
    low_ms: float | None
    high_ms: float | None
    truth: str
    where: str

    @property
    def spread_ms(self) -> float:
        """Standard deviation, from the interval of 95 %; 0 without one."""
        return 0.0 if self.low_ms is None or self.high_ms is None else (self.high_ms - self.low_ms) / (2 * 1.96)


@dataclass(frozen=True)
class Score:
    """The metric of a file on one part of the data, and its drop against the reference on the same samples."""

    value: float
    drop: Drop


@dataclass(frozen=True)
class OnDevice:
    """What a device's accelerator is predicted to take, by the rules of the delegate that is tried first.

    Attributes:
        rules: of that delegate.
        macs: multiply-accumulates on the accelerator, those in int16 twice, for they take twice the time.
        macs_elsewhere: on the CPU.
        partitions: rows of ops between which values go to and fro; 0 where nothing runs on the accelerator.
    """

    rules: str
    macs: int
    macs_elsewhere: int
    partitions: int

    @property
    def cost(self) -> tuple[int, ...]:
        """The smaller, the better, in order."""
        return self.macs_elsewhere, self.partitions, self.macs


@dataclass(frozen=True)
class File:
    """A file that was made.

    Attributes:
        key: its SHA-256.
        size_bytes: of it.
        compressed_bytes: of it once it is compressed, by zlib at level 9.
        int8_macs: share of multiply-accumulates, 0 to 1.
        memory_bytes: predicted for the profile; None without one.
        on_device: predicted for the profile; None without one, or where its CPU is tried first.
    """

    key: str
    size_bytes: int
    compressed_bytes: int
    int8_macs: float
    memory_bytes: int | None = None
    on_device: OnDevice | None = None


@dataclass(frozen=True)
class Point:
    """One configuration that was tried.

    Attributes:
        order: from 0, as they were tried.
        move: who proposed it.
        why: its reason.
        recipe: how it is made.
        spared: names of groups that are left out of int8; see ``spared_in``.
        file: what came of it; None where it could not be made.
        latency: None where nothing tells.
        score: on the part of the data that the search looks at; None where it was not evaluated.
        confirmed: on the part that it does not look at, for those that were to be the answer.
        confirmation: what that part says of ``max_drop``: ``confirmed`` (the whole interval is within it),
            ``contradicted`` (beyond it) or ``undecided``; None where it was not asked, or no drop was allowed.
        accurate: whether the metric is within its budget.
        state: whether it is within all budgets.
        misses: the budgets that it misses, or why it was not evaluated or failed, in words.
        expected_ms: its time as it was predicted before the file was made; None of what the front says nothing of.
    """

    order: int
    move: str
    why: str
    recipe: Recipe
    spared: tuple[str, ...] = ()
    file: File | None = None
    latency: Latency | None = None
    score: Score | None = None
    confirmed: Score | None = None
    confirmation: Confirmation | None = None
    accurate: bool = False
    state: PointState = "not evaluated"
    misses: tuple[str, ...] = ()
    expected_ms: float | None = None

    @property
    def fits(self) -> bool:
        """Within all budgets."""
        return self.state == "fits"

    @property
    def spared_in(self) -> Literal["float32", "int16"]:
        """What spared groups compute in."""
        return "int16" if self.recipe.int16 else "float32"

    def missing(self, *reasons: str, state: PointState = "misses") -> Point:
        """The same with reasons why it is not the answer."""
        return replace(self, state=state, misses=(*self.misses, *reasons))

    def row(self) -> dict[str, Any]:
        """What a table shows of it; what is not known is None."""
        return {
            "order": self.order,
            "recipe": self.recipe.name,
            "in_float": len(self.spared) if self.spared_in == "float32" else 0,
            "in_int16": len(self.spared) if self.spared_in == "int16" else 0,
            "size_bytes": self.file.size_bytes if self.file else None,
            "latency_ms": self.latency.ms if self.latency else None,
            "latency_is": self.latency.truth if self.latency else None,
            "metric": self.score.value if self.score else None,
            "drop": self.score.drop.value if self.score else None,
            "state": self.state,
            "confirmation": self.confirmation,
        }

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "order": self.order,
            "move": self.move,
            "why": self.why,
            "recipe": self.recipe.name,
            "spared": list(self.spared),
            "spared_in": self.spared_in,
            "file": asdict(self.file) if self.file else None,
            "latency": asdict(self.latency) if self.latency else None,
            "expected_ms": self.expected_ms,
            "score": asdict(self.score) if self.score else None,
            "confirmed": asdict(self.confirmed) if self.confirmed else None,
            "confirmation": self.confirmation,
            "accurate": self.accurate,
            "state": self.state,
            "misses": list(self.misses),
        }


@dataclass(frozen=True)
class Expectation:
    """One member of the predicted family.

    Attributes:
        spared: how many groups are in float.
        damage: of the others; predicted.
        ms: of one run; None where no time of int8 is known.
        truth: of ``ms``: ``predicted``, or as that of the file is known which was made of it.
        size_bytes: predicted.
    """

    spared: int
    damage: float
    ms: float | None
    truth: str | None
    size_bytes: int | None = None


@dataclass(frozen=True)
class GroupFacts:
    """A group of ops and what was expected of it."""

    name: str
    ops: int
    macs: int
    damage: float
    extra_us: float
    spared: bool = False


@dataclass(frozen=True)
class MetricFacts:
    """What files were measured by.

    Attributes:
        name: of the metric.
        unit: ``points`` for a share (0.5 are half a per cent of all samples), else empty.
        higher_is_better: whether large is good.
        data: where samples come from.
        search_samples: those that the search looks at.
        confirm_samples: those that only the answer is tried on.
        calibration: what ranges were observed on, in words.
    """

    name: str
    unit: str
    higher_is_better: bool
    data: str
    search_samples: int
    confirm_samples: int
    calibration: str


@dataclass(frozen=True, repr=False)
class Result(Tabular):
    """The answer of a search.

    Attributes:
        source: what was optimized.
        profile: device id, or None.
        metric: what files were measured by.
        budgets: what they may cost.
        reference: the float file that all are compared with.
        points: all that was tried, in order.
        best: the chosen one of them; None where none fits.
        why: how it ended, in a sentence or two.
        stopped: ``done``, ``max-evals``, ``budget`` or ``interrupted``.
        evaluations: files run over the data, the reference and the confirmation among them.
        samples_run: samples run in all of them.
        seconds: wall clock of this run.
        groups: of ops, with what was expected of them; empty where no choice among them was needed.
        family: the predicted front.
        ranking: how the damage was estimated.
        findings: what else a user should know, in words.
        folder: where the files are.
    """

    source: str
    profile: str | None
    metric: MetricFacts
    budgets: Budgets
    reference: Point
    points: tuple[Point, ...]
    best: Point | None
    why: str
    stopped: str
    evaluations: int
    samples_run: int
    seconds: float
    groups: tuple[GroupFacts, ...] = ()
    family: tuple[Expectation, ...] = ()
    ranking: str = ""
    findings: tuple[str, ...] = ()
    folder: str = ""

    @property
    def full_evaluations(self) -> float:
        """Evaluations, each counted by the share of its samples that it took to decide."""
        scores = [one for p in (self.reference, *self.points) for one in (p.score, p.confirmed) if one is not None]
        return round(sum(score.drop.samples / score.drop.of for score in scores), 2)

    @property
    def confirmation(self) -> Confirmation | None:
        """What unseen data says of the answer; None where it was not asked: the float file, or no drop was allowed."""
        return self.best.confirmation if self.best else None

    @property
    def front(self) -> tuple[Point, ...]:
        """Tried points that no other is at least as good as in latency, size and metric."""
        known = [p for p in (self.reference, *self.points) if p.file and p.score]
        return tuple(p for p in known if not any(_beats(q, p) for q in known if q is not p))

    def headline(self) -> str:
        """What was chosen, and why the search ended."""
        best = self.best
        chosen = f"{best.recipe.name}, {len(best.spared)} groups in {best.spared_in}" if best else "nothing fits"
        chosen += f", {self.confirmation} on unseen data" if self.confirmation else ""
        return f"{self.source}: {chosen}; {len(self.points)} points tried, {self.stopped}"

    def rows(self) -> list[dict[str, Any]]:
        """A row for each point, the reference first; what was not evaluated is None."""
        front = {point.order for point in self.front}
        chosen = self.best.order if self.best else None
        points = (self.reference, *self.points)
        return [{**p.row(), "on_front": p.order in front, "chosen": p.order == chosen} for p in points]

    def as_json(self) -> dict[str, Any]:
        """The content of ``front.json``; see the schema in ``converters/search/FRONT.md``."""
        front = {point.order for point in self.front}
        chosen = self.best.order if self.best else None

        def row(point: Point) -> Mapping[str, Any]:
            return {**point.as_json(), "on_front": point.order in front, "chosen": point.order == chosen}

        return {
            "schema": SCHEMA,
            "source": self.source,
            "profile": self.profile,
            "objective": self.budgets.objective,
            "confidence": CONFIDENCE,
            "metric": asdict(self.metric),
            "budgets": asdict(self.budgets),
            "reference": row(self.reference),
            "points": [row(point) for point in self.points],
            "chosen": chosen,
            "confirmation": self.confirmation,
            "why": self.why,
            "stopped": self.stopped,
            "evaluations": self.evaluations,
            "full_evaluations": self.full_evaluations,
            "samples_run": self.samples_run,
            "seconds": round(self.seconds, 1),
            "ranking": self.ranking,
            "groups": [asdict(group) for group in self.groups],
            "predicted_front": [asdict(member) for member in self.family],
            "findings": list(self.findings),
            "folder": self.folder,
        }


def _beats(one: Point, other: Point) -> bool:
    """At least as good in all, and better in one."""
    mine, theirs = _costs(one), _costs(other)
    pairs = [(a, b) for a, b in zip(mine, theirs, strict=True) if a is not None and b is not None]
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def _costs(point: Point) -> tuple[float | None, ...]:
    value = point.score.drop.value if point.score else None
    return (point.latency.ms if point.latency else None, point.file.size_bytes if point.file else None, value)


def distance(budgets: Budgets, point: Point) -> tuple[float, int]:
    """How far a point is from fitting: by what factor each budget is missed, together; the earlier point is nearer."""
    factors = [0.0]
    for most, value in (
        (budgets.max_latency_ms, point.latency.ms if point.latency else None),
        (budgets.max_size_mib, point.file.size_bytes / MIB if point.file else None),
        (budgets.max_compressed_mib, point.file.compressed_bytes / MIB if point.file else None),
        (budgets.max_drop, max(0.0, point.score.drop.value) if point.score else None),
    ):
        if most is not None and value is not None:
            factors.append(max(0.0, math.log(max(value, 1e-9) / max(most, 1e-9))))
    return sum(factors), point.order
