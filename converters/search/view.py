"""What a move is, what it proposes, and what it may know of the search."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from edge_sdk.converters.search.predicting.cut import Member, Spared
from edge_sdk.converters.search.predicting.groups import Group
from edge_sdk.converters.search.records import Budgets, Point
from edge_sdk.recipe import Recipe
from edge_sdk.recipe.training import Train


@dataclass(frozen=True)
class Training:
    """How models are trained where a move asks for it.

    Attributes:
        table: epochs, optimizer and so on; a move adds the stages.
        teaches: what a teacher is compared by, see ``recipe.training.Distil``.
    """

    table: Train
    teaches: Literal["classes", "values"]


@dataclass(frozen=True)
class Proposal:
    """A recipe to try.

    Attributes:
        recipe: how the file is made.
        why: in words.
        spared: groups that are left out of int8.
        decides: evaluated even where it cannot be the best, because what comes next depends on it.
        timed: made and timed, and never evaluated.
    """

    recipe: Recipe
    why: str
    spared: Spared = frozenset()
    decides: bool = False
    timed: bool = False


class View(Protocol):
    """What a move may know of the search."""

    @property
    def base(self) -> Recipe:
        """The recipe that serves the device."""
        ...

    @property
    def base_why(self) -> str:
        """Why it does."""
        ...

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """Recipes of whole files that the device takes instead, the fastest first."""
        ...

    @property
    def budgets(self) -> Budgets:
        """What is allowed."""
        ...

    @property
    def best(self) -> Point | None:
        """The best so far that is within all budgets."""
        ...

    @property
    def plain(self) -> Point | None:
        """What came of the base recipe."""
        ...

    @property
    def groups(self) -> Sequence[Group]:
        """Of ops."""
        ...

    def family(self) -> Sequence[Member]:
        """The predicted front, made when it is first asked for."""
        ...

    def rerank(self) -> bool:
        """Whether another ranking explains better what was evaluated so far; :meth:`family` goes by it from then on."""
        ...

    def expected_damage(self, spared: Spared) -> float:
        """What a file with these groups in float is expected to do to the outputs; 0 before :meth:`family`."""
        ...

    def damage(self, group: int) -> float:
        """What a group is expected to do in int8, once :meth:`family` was asked for."""
        ...

    def worth(self, group: int) -> float:
        """Microseconds that a group would gain in int8 for a unit of damage."""
        ...

    def extra_us(self, spared: Spared) -> float:
        """Microseconds that a file with these groups in float takes more than int8, predicted.

        From single ops and all files that were timed; not a number before :meth:`family` was asked for.
        """
        ...

    def doubtful(self) -> Member | None:
        """The member of the predicted front whose time is doubted most; None where none is, or there is no front."""
        ...

    @property
    def has_time(self) -> bool:
        """Whether the user gave a budget beyond what the certificate needs."""
        ...

    @property
    def training(self) -> Training | None:
        """How models are trained; None without data for it."""
        ...

    @property
    def by_placement(self) -> bool:
        """Whether files are compared by where the device would run their ops, for its time is not known."""
        ...

    def added_noise(self) -> Sequence[float]:
        """What the results of each group add in noise in the plain int8 file, measured: mean square of their own."""
        ...


@dataclass(frozen=True)
class Move:
    """One kind of thing to try.

    Attributes:
        propose: a generator of proposals.
        needs: what must be given for it, beyond a search: more ``time`` than a proof takes (or the move's own name), or
            data for ``training``. Its evaluations are beside those that a proof takes.
        beside: whether they are so without such a need.
        free: whether it evaluates nothing: it is made whatever was named, and where no evaluation is left.
    """

    propose: Callable[[View], Generator[Proposal, Point, None]]
    needs: Literal["", "time", "training"] = ""
    beside: bool = False
    free: bool = False
