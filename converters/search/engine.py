"""The search itself: what moves propose is made, timed and evaluated, and the best so far is kept at all times.

Nothing here knows how a file is made or measured: that is the bench's (:class:`~.bench.Bench`). An evaluation is
one file run over the data; the reference, every candidate and the confirmation are one each, whether a comparison
stopped early or not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from edge_sdk.converters.search.bench import Bench, Part, Wanted
from edge_sdk.converters.search.moves import MOVES, expected
from edge_sdk.converters.search.paired import State
from edge_sdk.converters.search.predicting.cut import Member, Spared
from edge_sdk.converters.search.predicting.groups import Group
from edge_sdk.converters.search.predicting.outlook import Outlook
from edge_sdk.converters.search.records import (
    Budgets,
    Confirmation,
    File,
    Limits,
    Point,
    Score,
    distance,
)
from edge_sdk.converters.search.view import Move, Proposal, Training
from edge_sdk.converters.search.words import confirmation_text, drop_text, facts_text, over, sureness_text
from edge_sdk.errors import ConversionError, MissingDependencyError, ModelError, TargetError, TrainingError
from edge_sdk.recipe import Recipe, find_recipe

Tell = Callable[[str], None]
_CONFIRMATIONS: dict[State, Confirmation] = {"within": "confirmed", "beyond": "contradicted", "undecided": "undecided"}


@dataclass
class Search:
    """One search; :meth:`run` it once, and read the rest then or at any time.

    Attributes:
        bench: makes and measures.
        wanted: what for.
        limits: when to stop.
        tell: hears what is tried, why, and what is best.
        keep: called whenever the answer changed or something was tried.
        moves: by name, in order.
        outlook: the predicted front, once a move asked for it.
    """

    bench: Bench
    wanted: Wanted
    limits: Limits
    tell: Tell = lambda text: None
    keep: Callable[[Search], None] = lambda search: None
    moves: dict[str, Move] = field(default_factory=lambda: dict(MOVES))
    points: list[Point] = field(default_factory=list)
    stopped: str = "done"
    evaluations: int = 0
    _dear: int = 0
    outlook: Outlook | None = None
    _begin: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Tries until the moves are through or a limit is reached, then confirms the best."""
        self._reference()
        for name, move in self.moves.items():
            if not self._asked(name, move) or (self.stopped != "done" and not move.free):
                continue
            try:
                self._follow(name, move)
            except _StopError as stop:
                self.stopped = stop.reason
        self._confirm()
        self.keep(self)

    # --- what moves may know ----------------------------------------------------------------------------------------

    @property
    def base(self) -> Recipe:
        """See :class:`~.view.View`."""
        return self.wanted.base

    @property
    def base_why(self) -> str:
        """Likewise."""
        return self.wanted.base_why

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """Likewise."""
        return self.wanted.fallbacks

    @property
    def budgets(self) -> Budgets:
        """Likewise."""
        return self.wanted.budgets

    @property
    def groups(self) -> Sequence[Group]:
        """Likewise."""
        return self.bench.groups

    @property
    def reference(self) -> Point:
        """The float file."""
        return self.points[0]

    @property
    def plain(self) -> Point | None:
        """Likewise."""
        return next((point for point in self.points if point.move == "plain"), None)

    @property
    def best(self) -> Point | None:
        """Likewise."""
        fitting = [point for point in self.points if point.fits]
        if self.wanted.moves is not None:
            # Who names moves asks for what comes of them.
            fitting = [point for point in fitting if point.order] or ([] if self.wanted.alone else fitting)
        return min(fitting, key=self._rank, default=None)

    @property
    def has_time(self) -> bool:
        """Likewise."""
        return self.limits.max_evals is not None or self.limits.seconds is not None

    @property
    def by_placement(self) -> bool:
        """Likewise."""
        return self.wanted.by_placement

    @property
    def training(self) -> Training | None:
        """Likewise."""
        return self.wanted.training

    def added_noise(self) -> Sequence[float]:
        """Likewise."""
        self.tell("measure the noise that each group adds")
        return self.bench.added_noise()

    def family(self) -> Sequence[Member]:
        """Likewise."""
        if self.outlook is None:
            self.tell("rank groups of ops by what int8 is expected to do to the outputs")
            if self.plain is None:
                raise ValueError("the family is of the plain int8 file")
            plain = None if self.wanted.by_placement else self.plain.latency
            network = self.bench.network(self.plain, self.reference)
            self.outlook = Outlook(network, None if plain is None else plain.ms * 1e3)
            self._note(frozenset(range(len(self.groups))), self.reference)
            self.outlook.lay()
        return self.outlook.members

    def rerank(self) -> bool:
        """Likewise."""
        outlook, plain = self.outlook, self.plain
        if outlook is None or plain is None or plain.score is None:
            return False
        self.tell("the ranking is contradicted: rank groups in other ways, and take what explains the files so far")
        numbers = {group.name: group.index for group in self.groups}
        evaluated = [
            (frozenset(numbers[name] for name in point.spared), point.score.drop.value)
            for point in self.points
            if point.score is not None and point.move in ("plain", "spare")
        ]
        others = self.bench.other_networks(plain, self.reference)
        return outlook.turned(others, evaluated, self.budgets.max_drop or 0.0)

    def extra_us(self, spared: Spared) -> float:
        """Likewise."""
        return math.nan if self.outlook is None else self.outlook.forecast.extra_us(spared)

    def _note(self, spared: Spared, point: Point) -> None:
        if self.outlook is not None and spared and point.latency is not None:
            self.outlook.forecast.note(spared, point.latency.ms * 1e3, point.latency.spread_ms * 1e3)

    def doubtful(self) -> Member | None:
        """Likewise."""
        return None if self.outlook is None else self.outlook.forecast.doubtful(self.outlook.members)

    def damage(self, group: int) -> float:
        """Likewise."""
        return 0.0 if self.outlook is None else self.outlook.damage(group)

    def expected_damage(self, spared: Spared) -> float:
        """Likewise."""
        return 0.0 if self.outlook is None else self.outlook.forecast.network.member(spared).damage

    def worth(self, group: int) -> float:
        """Likewise."""
        return 0.0 if self.outlook is None else self.outlook.worth(group)

    # --- what it leaves ---------------------------------------------------------------------------------------------

    def why(self) -> str:
        """How it ended, in a sentence or two."""
        best = self.best
        if best is not None:
            told = confirmation_text(best, self.budgets.max_drop) if best.order else ""
            return f"{best.recipe.name}: {best.why}{told}"
        nearest = min((p for p in self.points if p.file), key=lambda p: distance(self.budgets, p), default=None)
        if nearest is None:
            return "no file could be made"
        return f"nothing fits; nearest is {nearest.recipe.name}: {'; '.join(nearest.misses)}"

    # --- one step ---------------------------------------------------------------------------------------------------

    def _reference(self) -> None:
        self.tell("evaluate the source as a float32 file: what all others are compared with")
        recipe = find_recipe("float32")
        file = self.bench.make(recipe)
        score = self._score(file, "search", None)
        point = Point(0, "reference", "the source in float32", recipe, (), file, self.bench.latency(file), score)
        self.points.append(self._judged(replace(point, accurate=True)))
        self._kept()

    def _asked(self, name: str, move: Move) -> bool:
        if self.wanted.moves is not None:
            return move.free or name in self.wanted.moves
        return not move.needs or (self.has_time if move.needs == "time" else self.training is not None)

    def _follow(self, name: str, move: Move) -> None:
        # What a move looks at before its first proposal may take long.
        self._check_time()
        proposals, begun = move.propose(self), self.evaluations
        try:
            proposal = next(proposals)
            while self._may_go_on(move):
                point = self._try(name, proposal)
                self.points.append(point)
                self._kept()
                proposal = proposals.send(point)
        except StopIteration:
            pass
        if move.needs or move.beside:
            self._dear += self.evaluations - begun

    def _try(self, move: str, proposal: Proposal) -> Point:
        self.tell(f"try {proposal.recipe.name}: {proposal.why}")
        names = tuple(self.groups[group].name for group in sorted(proposal.spared))
        point = Point(len(self.points), move, proposal.why, proposal.recipe, names)
        in_float = frozenset() if proposal.recipe.int16 else proposal.spared
        if in_float:
            point = replace(point, expected_ms=expected(self, in_float)[0])
        try:
            file = self.bench.make(proposal.recipe)
            point = replace(point, file=file)
            if same := next((p for p in self.points if p.file and p.file.key == file.key), None):
                self._note(in_float, same)
                if self.wanted.alone:
                    # It is the float file that was asked for: what all others are compared with is measured already.
                    return self._judged(replace(point, latency=same.latency, score=same.score, accurate=True))
                return point.missing(f"the same file as {same.recipe.name}", state="not evaluated")
            point = replace(point, latency=self.bench.latency(file))
            self._note(in_float, point)
            if proposal.timed:
                return point.missing("timed alone, for the front", state="not evaluated")
            missed = over(self.budgets, point)
            if not proposal.decides and (reason := missed or self._cannot_win(point)):
                return point.missing(*reason, state="misses" if missed else "not evaluated")
            score = self._score(file, "search", self.budgets.max_drop)
        except (ConversionError, MissingDependencyError, ModelError, TargetError, TrainingError) as error:
            return point.missing(str(error), state="failed")
        return self._judged(replace(point, score=score, accurate=self._accurate(score)))

    def _judged(self, point: Point) -> Point:
        reasons = over(self.budgets, point)
        if point.score and not point.accurate:
            reasons = (f"the metric drops by {drop_text(point.score)}, {self.budgets.max_drop:g} allowed", *reasons)
        return replace(point, state="misses" if reasons else "fits", misses=reasons)

    def _accurate(self, score: Score) -> bool:
        most = self.budgets.max_drop
        return most is None or score.drop.allows(most)

    def _cannot_win(self, point: Point) -> tuple[str, ...]:
        best = self.best
        if best is None or self.budgets.objective == "metric" or self._rank(point) < self._rank(best):
            return ()
        return (f"not better than {best.recipe.name}, whatever its metric",)

    def _score(self, file: File, part: Part, most: float | None) -> Score:
        self.evaluations += 1
        return self.bench.score(file, part, most)

    def _confirm(self) -> None:
        """The best on data that the search never saw; one that loses too much there is struck, and the next tried."""
        while (best := self.best) is not None and best.confirmed is None:
            self.tell(f"confirm {best.recipe.name} on data that the search did not look at")
            if best.file is None:
                raise ValueError("what fits has a file")
            if best is self.reference:
                # It is not to lose anything: its metric is taken where every other answer's is.
                self.points[0] = replace(best, confirmed=self._score(best.file, "confirm", None))
                self._kept()
                continue
            if fault := self.bench.fault(best.file, best.recipe):
                self.points[best.order] = best.missing(f"wrong: {fault}")
                continue
            most = self.budgets.max_drop
            score = self._score(best.file, "confirm", most)
            told = None if most is None else _CONFIRMATIONS[score.drop.state]
            confirmed = replace(best, confirmed=score, confirmation=told)
            if most is not None and (told == "contradicted" or (self.wanted.confirmed and told == "undecided")):
                text = f"{told} on unseen data: drop {drop_text(score)}{sureness_text(score, most)}"
                confirmed = replace(confirmed.missing(text), accurate=False)
            self.points[best.order] = confirmed
            self._kept()

    def _may_go_on(self, move: Move) -> bool:
        """Whether one more file may be tried; raises where the user's limit is reached."""
        limits = self.limits
        self._check_time()
        if move.free:
            return True
        # One is kept for the confirmation.
        if limits.max_evals is not None and self.evaluations + 1 >= limits.max_evals:
            raise _StopError("max-evals")
        if self.has_time or move.needs:
            return True
        # Where nothing but the float file will do, other precisions of the whole file are worth more evaluations.
        more = len(self.fallbacks) if self.best in (None, self.reference) else 0
        return self.evaluations - self._dear + 1 < certificate(len(self.groups)) + more

    def _check_time(self) -> None:
        if self.limits.seconds is not None and time.monotonic() - self._begin > self.limits.seconds:
            raise _StopError("budget")

    def _kept(self) -> None:
        best = self.best
        if best is not None:
            self.tell(f"best so far: {best.recipe.name}{facts_text(best)}")
        self.keep(self)

    def _rank(self, point: Point) -> tuple[float, ...]:
        time_ms = point.latency.ms if point.latency else math.inf
        size = point.file.size_bytes if point.file else math.inf
        if self.budgets.objective == "metric":
            return (point.score.drop.value if point.score else math.inf, time_ms, size)
        if self.wanted.by_placement:
            # Of what is alike there the device's own recipe comes first, and what all are compared with last.
            placed = point.file.on_device if point.file else None
            return (*(placed.cost if placed else (math.inf,) * 3), point.order or math.inf)
        return (time_ms, size, point.order)


class _StopError(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def certificate(groups: int) -> int:
    """Evaluations that a search needs at most: both ends, a bisection over the groups, and the confirmation."""
    return 3 + max(1, math.ceil(math.log2(max(2, groups))))
