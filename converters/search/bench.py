"""What a search is asked for, and what it needs of whoever makes and measures files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from edge_sdk.converters.search.predicting.cut import Network
from edge_sdk.converters.search.predicting.groups import Group
from edge_sdk.converters.search.records import Budgets, File, Latency, Point, Score
from edge_sdk.converters.search.view import Training
from edge_sdk.recipe import Recipe

Part = Literal["search", "confirm"]


class Bench(Protocol):
    """How files are made and measured."""

    @property
    def groups(self) -> Sequence[Group]:
        """Of ops."""
        ...

    def make(self, recipe: Recipe) -> File:
        """The file of a recipe; raises ConversionError or ModelError where it cannot be made."""
        ...

    def latency(self, file: File) -> Latency | None:
        """Its time; None where nothing tells."""
        ...

    def score(self, file: File, part: Part, most: float | None) -> Score:
        """The metric on a part of the data; may stop early once it is decided whether ``most`` is lost."""
        ...

    def fault(self, file: File, recipe: Recipe) -> str | None:
        """Why a file is wrong, whatever its metric; None where it is right."""
        ...

    def network(self, plain: Point, reference: Point) -> Network:
        """Damage, time and borders of the groups."""
        ...

    def other_networks(self, plain: Point, reference: Point) -> Mapping[str, Network]:
        """The same by other rankings, by how they rank; none where there is no other."""
        ...

    def added_noise(self) -> Sequence[float]:
        """See :class:`~.view.View`."""
        ...


@dataclass(frozen=True)
class Wanted:
    """What is searched for.

    Attributes:
        base: the device's recipe.
        base_why: why.
        fallbacks: other whole recipes that it takes.
        budgets: what files may cost.
        moves: which of the moves to make; None makes all that need nothing that is not there.
        training: how models are trained; None without data for it.
        alone: whether the base is measured, and the float file is no answer.
        by_placement: whether files are compared by where the device would run their ops: its time is not known.
        confirmed: whether a file of which unseen data cannot tell is no answer.
    """

    base: Recipe
    base_why: str
    fallbacks: tuple[str, ...]
    budgets: Budgets
    moves: tuple[str, ...] | None = None
    training: Training | None = None
    alone: bool = False
    by_placement: bool = False
    confirmed: bool = False
