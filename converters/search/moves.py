"""What can be tried, the cheapest first: each move proposes recipes and is told what came of each.

A move is a generator of proposals; a function here and a line in :data:`MOVES` add one. It gives up by returning, and
need not ask whether a proposal can still win: the search makes and times a file before it is evaluated, and leaves out
those that cannot be better than the best so far.

Sparse weights are no move: as clustered ones they make a file smaller only once it is compressed, and lose more for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import get_args

from edge_sdk.converters.search.predicting.crossing import Crossing
from edge_sdk.converters.search.predicting.cut import Member, Spared
from edge_sdk.converters.search.records import MIB, Point
from edge_sdk.converters.search.training import moves as training_moves
from edge_sdk.converters.search.view import Move, Proposal, View
from edge_sdk.recipe import CalibrationMethod, Int16, KeepFloat, Recipe, check_recipe, exactly, find_recipe

INT16 = "static_wi8_ai16"
_SLACK = 1.1
_TOLD = 0.01
"""Share of a file's time that measurements of two files tell apart."""
_MOST_TIMED = 6
_WORTH_A_TRY = 0.03
"""Share of a file's time that is worth one of the evaluations that a proof leaves over."""
_NAMED = 2
_FLOAT_BYTES = 3
"""What a weight takes more in float32 than in int8."""


def plain(view: View) -> Generator[Proposal, Point, None]:
    """The recipe that serves the device, as it is."""
    yield Proposal(view.base, view.base_why, decides=True)


def int16(view: View) -> Generator[Proposal, Point, None]:
    """Activations in int16, where the device's accelerator takes them and int8 loses too much: nothing leaves it."""
    if INT16 in view.fallbacks and _int8_loses(view):
        yield Proposal(find_recipe(INT16), "int8 loses too much: activations in int16, which the accelerator takes")


def int16_groups(view: View) -> Generator[Proposal, Point, None]:
    """Int16 for some groups, where the whole file in int16 is accurate: the fewest along the predicted front."""
    best = view.best
    if INT16 not in view.fallbacks or not _int8_loses(view) or best is None or best.move != "int16":
        return
    # Who is spared last is int16 too where all are: that end is known to be accurate.
    yield from _fewest(view, view.family(), view.base, widened)


def spare(view: View) -> Generator[Proposal, Point, None]:
    """Int8 but for some groups: bisection along the predicted front, then what can be taken back."""
    point = view.plain
    if view.base.mode != "static_range" or point is None or point.file is None:
        return
    if view.by_placement and view.best is not None and view.best.move in ("int16", "int16_groups"):
        return  # what is in float leaves the accelerator
    if view.budgets.objective == "metric":
        yield from _most_accurate(view)
    elif not point.accurate:
        found = yield from _fewest(view, _within(view), view.base, again=lambda: _within_another(view))
        if found is not None:
            yield from _take_back(view, found)


def _most_accurate(view: View) -> Generator[Proposal, Point, None]:
    """The members that are predicted to be the most accurate within the budgets, from the last one back."""
    family = view.family()
    most = _last_within(view, family)
    if most == len(family) - 1:
        most -= 1  # the float file itself, which is known
    for place in sorted({most, most * 3 // 4, most // 2, most // 4} - {0, -1}, reverse=True):
        spared = family[place].spared
        point = yield Proposal(
            sparing(view, spared, view.base),
            f"the most that the budgets are predicted to allow: {len(spared)} groups in float",
            spared,
        )
        if point.fits:
            return


def _fewest(
    view: View,
    family: Sequence[Member],
    base: Recipe,
    make: Callable[[View, Spared, Recipe], Recipe] | None = None,
    again: Callable[[], Sequence[Member]] | None = None,
) -> Generator[Proposal, Point, Spared | None]:
    """The fewest groups out of int8 that are accurate, along a nested family; None where none is.

    It ends where one holds, and none that is left would be faster by what a clock can tell. Where a member contradicts
    what was expected of it before any holds, the family that ``again`` has goes on; none where there is no better one.
    """
    made, what = (sparing, "float") if make is None else (make, "int16")
    last, found = len(view.groups), None
    failed: list[tuple[Spared, float | None]] = []
    crossing = _crossing(view, family, base, failed)
    while crossing.high - crossing.low > 1 and not (found is not None and _alike(view, family, crossing)):
        place = crossing.next_place()
        spared = family[place].spared
        why = (
            f"{len(spared)} of {last} groups in {what}: between {crossing.low} and {crossing.high} of {len(family) - 1}"
        )
        point = yield Proposal(made(view, spared, base), why, spared, decides=True)
        drop = point.score.drop.value if point.score else None
        crossing.note(place, drop, holds=point.accurate)
        if crossing.high == place:
            found = spared
            continue
        failed.append((spared, drop))
        if crossing.surprised and found is None and again is not None and (other := again()):
            family, crossing = other, _crossing(view, other, base, failed)
    return found


def _crossing(
    view: View, family: Sequence[Member], base: Recipe, failed: Sequence[tuple[Spared, float | None]]
) -> Crossing:
    """The search along a family, of which is known what fails; a choice of fewer groups than those fails too."""
    # The end of the family is the float file, which is known to be accurate.
    end = len(family) - (bool(family) and len(family[-1].spared) == len(view.groups))
    crossing = Crossing([member.damage for member in family], view.budgets.max_drop or 0.0, 0, end)
    if view.plain is not None and view.plain.score is not None and not base.tune:
        crossing.note(0, view.plain.score.drop.value, holds=False)
    for spared, drop in failed:
        crossing.note_beside(view.expected_damage(spared), drop)
        crossing.low = max(place for place in range(end) if place <= crossing.low or family[place].spared <= spared)
    return crossing


def _alike(view: View, family: Sequence[Member], crossing: Crossing) -> bool:
    """Whether all members that are left are predicted to take what the one that holds takes."""
    if crossing.high >= len(family):
        return False
    fastest, holds = (expected(view, family[place].spared)[0] for place in (crossing.low + 1, crossing.high))
    return fastest is not None and holds is not None and holds - fastest < _TOLD * holds


def _take_back(view: View, spared: Spared) -> Generator[Proposal, Point, None]:
    """Groups of a file that is accurate go back to int8, those of the most time for their damage first.

    Half of them at once; what fails together is tried in halves. It goes on as long as evaluations are left: of those
    that a proof takes only for what is predicted to be worth one, and for few files, for each takes time to make.
    """
    least, left = (0.0, len(spared) ** 2) if view.has_time else (_WORTH_A_TRY, _MOST_TIMED)
    order = sorted((g for g in spared if view.worth(g) > 0), key=lambda g: (-view.worth(g), g))
    blocks = [part for part in _halves(order)[::-1] if part]
    while blocks and left:
        block = blocks.pop()
        fewer = spared - frozenset(block)
        before, after = (expected(view, those)[0] for those in (spared, fewer))
        if not fewer or (before is not None and after is not None and before - after < least * before):
            continue
        names = ", ".join(f"`{view.groups[group].name}`" for group in block[:_NAMED])
        more = f" and {len(block) - _NAMED} more" if len(block) > _NAMED else ""
        why = f"{'is' if len(block) == 1 else 'are'} {names}{more} needed in float?"
        left -= 1
        point = yield Proposal(sparing(view, fewer, view.base), why, fewer)
        if point.accurate:
            spared = fewer
        elif len(block) > 1:
            blocks += _halves(block)[::-1]


def _halves(block: Sequence[int]) -> list[Sequence[int]]:
    middle = (len(block) + 1) // 2
    return [block[:middle], block[middle:]]


def whole(view: View) -> Generator[Proposal, Point, None]:
    """Other precisions of the whole file that the device takes."""
    for name in view.fallbacks:
        if name != INT16:
            yield Proposal(find_recipe(name), "a precision of the whole file that the device takes too")


def four_bit(view: View) -> Generator[Proposal, Point, None]:
    """Weights in int4, where the device takes dynamic ranges: fast for dense layers alone, which the time will tell."""
    if "dynamic_wi8_afp32" not in view.fallbacks:
        return
    plain_int4 = find_recipe("dynamic_wi4_afp32")
    for granularity in ("per_channel", "blockwise_32"):
        changed = replace(
            plain_int4,
            name=plain_int4.name if granularity == "per_channel" else f"{plain_int4.name}_{granularity}",
            short_names=(),
            weights=replace(plain_int4.weights, granularity=granularity),
        )
        point = yield Proposal(changed, f"weights in int4, {granularity.replace('_', ' ')}")
        if point.accurate:
            return


def ranges(view: View) -> Generator[Proposal, Point, None]:
    """Other ways to set ranges, for those who give more time: the recipe's own chooses for each tensor already."""
    recipe = view.base
    if not _int8_loses(view):
        return
    for method in get_args(CalibrationMethod):
        if method != recipe.calibration:
            changed = replace(recipe, name=f"{recipe.name}_{method}", short_names=(), calibration=method)
            yield Proposal(changed, f"ranges by {method} instead of {recipe.calibration}")


def tune(view: View) -> Generator[Proposal, Point, None]:
    """Weights rounded anew, layer by layer, against the float file; where that is not enough, with groups in float."""
    if not _int8_loses(view):
        return
    tuned = replace(view.base, name=f"{view.base.name}_tuned", short_names=(), tune=True)
    point = yield Proposal(tuned, "int8 loses too much: its weights are rounded anew, layer by layer")
    if point.score is not None and not point.accurate:
        best = view.best
        # What is in float without tuning need not be with it.
        most = len(view.groups) if best is None or best.move != "spare" else len(best.spared)
        shorter = [member for member in _within(view) if len(member.spared) <= most]
        yield from _fewest(view, shorter, tuned)


def repair(view: View) -> Generator[Proposal, Point, None]:
    """Where the predicted front led nowhere: groups to float by the noise that was measured of them, most first."""
    best = view.best
    if not _int8_loses(view) or (best is not None and best.recipe.mode == "static_range"):
        return
    noise = view.added_noise()
    order = sorted(range(len(noise)), key=lambda group: (-noise[group], group))
    yield from _fewest(view, [_noisy(noise, order, count) for count in range(len(order) + 1)], view.base)


def _noisy(noise: Sequence[float], order: Sequence[int], count: int) -> Member:
    """The groups of most noise in float, and what is left; what that costs in time is not known."""
    return Member(frozenset(order[:count]), math.nan, sum(noise[group] for group in order[count:]))


def _int8_loses(view: View) -> bool:
    """Whether the base is int8, and plain int8 was made and loses too much."""
    recipe, point = view.base, view.plain
    int8 = recipe.mode == "static_range" and recipe.activations.dtype == "int8"
    return int8 and point is not None and point.file is not None and not point.accurate


def front(view: View) -> Generator[Proposal, Point, None]:
    """Members of the predicted front are made and timed, those first whose time is doubted most; none is evaluated."""
    for _ in range(_MOST_TIMED):
        member = view.doubtful()
        if member is None:
            return
        count, last = len(member.spared), len(view.groups)
        why = f"{count} of {last} groups in float: the time that the predicted front is least sure of"
        point = yield Proposal(sparing(view, member.spared, view.base), why, member.spared, timed=True)
        if point.latency is None:
            return


MOVES: dict[str, Move] = {
    "plain": Move(plain),
    "int16": Move(int16, beside=True),
    "int16_groups": Move(int16_groups, beside=True),
    "spare": Move(spare),
    "whole": Move(whole),
    "four_bit": Move(four_bit),
    "ranges": Move(ranges, needs="time"),
    "tune": Move(tune, needs="time"),
    "repair": Move(repair, needs="time"),
    "qat": Move(training_moves.qat, needs="training"),
    "prune": Move(training_moves.prune, needs="training"),
    "cluster": Move(training_moves.cluster, needs="training"),
    "front": Move(front, free=True),
}
"""By name, in the order in which they are tried."""


def sparing(view: View, spared: Spared, base: Recipe) -> Recipe:
    """A recipe with groups left in float, by the exact names of their ops' results: what a proposal tries."""
    patterns = _patterns(view, spared)
    changed = replace(
        base,
        name=f"{base.name.removesuffix('_io8').removesuffix('_iou8')}_spared_{len(spared)}",
        description=f"{base.name} with {len(spared)} groups of ops in float, chosen by edge-sdk optimize",
        short_names=(),
        io="float32",
        keep_float=KeepFloat(base.keep_float.ops, (*base.keep_float.tensors, *patterns)),
    )
    return check_recipe(changed, where=changed.name)


def widened(view: View, spared: Spared, base: Recipe) -> Recipe:
    """A recipe with the activations of groups in int16, named as :func:`sparing` names them."""
    patterns = _patterns(view, spared)
    changed = replace(
        base,
        name=f"{base.name}_int16_{len(spared)}",
        description=f"{base.name} with {len(spared)} groups of ops in int16, chosen by edge-sdk optimize",
        short_names=(),
        io="int8" if base.io == "uint8" else base.io,
        int16=Int16(base.int16.ops, (*base.int16.tensors, *patterns)),
    )
    return check_recipe(changed, where=changed.name)


def _patterns(view: View, spared: Spared) -> tuple[str, ...]:
    return exactly(sorted({name for group in spared for name in view.groups[group].results}))


def _within(view: View) -> Sequence[Member]:
    """The members of the family that are predicted to be within the budgets for time and size."""
    family = view.family()
    return family[: _last_within(view, family) + 1]


def _within_another(view: View) -> Sequence[Member]:
    """Those of the family of a ranking that explains better what was evaluated; none where there is none."""
    return _within(view) if view.rerank() else ()


def _last_within(view: View, family: Sequence[Member]) -> int:
    """The last member of the family that is predicted to be within the budgets for time and size.

    Those before it need not be: where int8 has slow forms of some ops, it is not the fastest member.
    """
    last = 0
    for place, member in enumerate(family):
        ms, size = expected(view, member.spared)
        budgets = view.budgets
        slow = budgets.max_latency_ms is not None and ms is not None and ms > _SLACK * budgets.max_latency_ms
        large = budgets.max_size_mib is not None and size > _SLACK * budgets.max_size_mib * MIB
        last = last if slow or large else place
    return last


def expected(view: View, spared: Spared) -> tuple[float | None, int]:
    """Predicted latency in ms (None where none is known) and size in bytes of the file with some groups in float."""
    point = view.plain
    weights = sum(view.groups[group].weights for group in spared)
    size = (point.file.size_bytes if point and point.file else 0) + _FLOAT_BYTES * weights
    known = point is not None and point.latency is not None and not view.by_placement
    ms = point.latency.ms + view.extra_us(spared) / 1e3 if known and point and point.latency else None
    return None if ms is None or math.isnan(ms) else ms, size
