"""What can be tried, the cheapest first: each move proposes recipes and is told what came of each.

A move is a generator of proposals; a function here and a line in :data:`MOVES` add one. It gives up by returning, and
need not ask whether a proposal can still win: the search makes and times a file before it is evaluated, and leaves out
those that cannot be better than the best so far.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, get_args

from edge_sdk.converters.search.cut import Member, Spared
from edge_sdk.converters.search.groups import Group
from edge_sdk.converters.search.records import MIB, Budgets, Point
from edge_sdk.recipe import CalibrationMethod, KeepFloat, Recipe, find_recipe

_SLACK = 1.1
_FLOAT_BYTES = 3
"""What a weight takes more in float32 than in int8."""


@dataclass(frozen=True)
class Proposal:
    """A recipe to try.

    Attributes:
        recipe: how the file is made.
        why: in words.
        spared: groups that are left out of int8.
        decides: evaluated even where it cannot be the best, because what comes next depends on it.
    """

    recipe: Recipe
    why: str
    spared: Spared = frozenset()
    decides: bool = False


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

    def damage(self, group: int) -> float:
        """What a group is expected to do in int8, once :meth:`family` was asked for."""
        ...

    def worth(self, group: int) -> float:
        """Microseconds that a group would gain in int8 for a unit of damage."""
        ...

    @property
    def has_time(self) -> bool:
        """Whether the user gave a budget beyond what the certificate needs."""
        ...


Move = Callable[[View], Generator[Proposal, Point, None]]


def plain(view: View) -> Generator[Proposal, Point, None]:
    """The recipe that serves the device, as it is."""
    yield Proposal(view.base, view.base_why, decides=True)


def spare(view: View) -> Generator[Proposal, Point, None]:
    """Int8 but for some groups: bisection along the predicted front, then what can be taken back."""
    point = view.plain
    if view.base.mode != "static_range" or point is None or point.file is None:
        return
    if view.budgets.objective == "metric":
        yield from _most_accurate(view)
    elif not point.accurate:
        yield from _fewest(view)


def _most_accurate(view: View) -> Generator[Proposal, Point, None]:
    """The members that are predicted to be the most accurate within the budgets, from the last one back."""
    family = view.family()
    most = _last_within(view, family)
    if most == len(family) - 1:
        most -= 1  # the float file itself, which is known
    for place in sorted({most, most * 3 // 4, most // 2, most // 4} - {0, -1}, reverse=True):
        spared = family[place].spared
        point = yield Proposal(
            sparing(view, spared),
            f"the most that the budgets are predicted to allow: {len(spared)} groups in float",
            spared,
        )
        if point.fits:
            return


def _fewest(view: View) -> Generator[Proposal, Point, None]:
    """The fewest groups in float that are accurate: bisection."""
    family = view.family()
    most = _last_within(view, family)
    low, high, found = 0, most + 1, None
    last = len(family) - 1
    # The end of the family is the float file, which is known to be accurate.
    if most == last:
        high = last
    while high - low > 1:
        middle = (low + high) // 2
        why = f"{len(family[middle].spared)} of {len(view.groups)} groups in float: between {low} and {high} of {last}"
        point = yield Proposal(sparing(view, family[middle].spared), why, family[middle].spared, decides=True)
        if point.accurate:
            high, found = middle, family[middle].spared
        else:
            low = middle
    if found is not None and view.has_time:
        yield from _take_back(view, found)


def _take_back(view: View, spared: Spared) -> Generator[Proposal, Point, None]:
    """Groups of a file that is accurate go back to int8, one at a time, the most time for its damage first."""
    for group in sorted(spared, key=lambda g: (-view.worth(g), g)):
        fewer = spared - {group}
        if view.worth(group) > 0 and fewer:
            name = view.groups[group].name
            point = yield Proposal(sparing(view, fewer), f"is `{name}` needed in float?", fewer)
            spared = fewer if point.accurate else spared


def whole(view: View) -> Generator[Proposal, Point, None]:
    """Other precisions of the whole file that the device takes."""
    for name in view.fallbacks:
        yield Proposal(find_recipe(name), "a precision of the whole file that the device takes too")


def ranges(view: View) -> Generator[Proposal, Point, None]:
    """Other ways to set ranges, for those who give more time: the recipe's own chooses for each tensor already."""
    recipe = view.base
    if not view.has_time or recipe.mode != "static_range" or view.plain is None or view.plain.accurate:
        return
    for method in get_args(CalibrationMethod):
        if method != recipe.calibration:
            changed = replace(recipe, name=f"{recipe.name}_{method}", short_names=(), calibration=method)
            yield Proposal(changed, f"ranges by {method} instead of {recipe.calibration}")


MOVES: dict[str, Move] = {"plain": plain, "spare": spare, "whole": whole, "ranges": ranges}
"""By name, in the order in which they are tried."""


def sparing(view: View, spared: Spared) -> Recipe:
    """The base recipe with groups left in float, by the exact names of their ops' results: what a proposal tries."""
    names = sorted({name for group in spared for name in view.groups[group].results})
    patterns = tuple(f"^{re.escape(name)}$" for name in names)
    base = view.base
    return replace(
        base,
        name=f"{base.name.removesuffix('_io8').removesuffix('_iou8')}_spared_{len(spared)}",
        description=f"{base.name} with {len(spared)} groups of ops in float, chosen by edge-sdk optimize",
        short_names=(),
        io="float32",
        keep_float=KeepFloat(base.keep_float.ops, (*base.keep_float.tensors, *patterns)),
    )


def _last_within(view: View, family: Sequence[Member]) -> int:
    """The last member of the family that is predicted to be within the budgets for time and size."""
    last = 0
    for place, member in enumerate(family):
        ms, size = expected(view, member)
        budgets = view.budgets
        if budgets.max_latency_ms is not None and ms is not None and ms > _SLACK * budgets.max_latency_ms:
            break
        if budgets.max_size_mib is not None and size > _SLACK * budgets.max_size_mib * MIB:
            break
        last = place
    return last


def expected(view: View, member: Member) -> tuple[float | None, int]:
    """Predicted latency in ms (None where that of int8 is not known) and size in bytes of a member."""
    point = view.plain
    weights = sum(view.groups[group].weights for group in member.spared)
    size = (point.file.size_bytes if point and point.file else 0) + _FLOAT_BYTES * weights
    ms = point.latency.ms + member.extra_us / 1e3 if point and point.latency else None
    return ms, size
