"""``convert --repair``: the fewest ops to keep in float so that a bound is reached, found in few evaluations.

The bound is the SQNR that every output has (``min_sqnr_db``), or what of top-1 may be lost (``max_drop``): accuracy
where the data tells classes, else the share of samples that have another best class than in the source.

Ops are ranked once, by the noise that each adds in the int8 file (:mod:`edge_sdk.parity.localize`). All of them are
tried in float, which ends a search for what cannot be had. Then the first one, two, four ... stay in float until the
bound is reached, a bisection finds where between the last two numbers that happened, and ops are given back, in halves,
where they were not needed. Each evaluation quantizes, and runs the file on the samples that the proof compares on;
after 25 of them the fewest ops that reached the bound are the answer. What is written goes through the whole proof as
every file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge_sdk.converters.jobs import Job, check_calibration
from edge_sdk.converters.options import Settings
from edge_sdk.converters.pipeline import Line
from edge_sdk.converters.proving.float_model import FloatModel
from edge_sdk.converters.proving.proof import Measure, Proof
from edge_sdk.converters.reports.conversion import ConversionReport
from edge_sdk.converters.workers.workshop import Workshop
from edge_sdk.errors import AccuracyError, ConversionError, RecipeError
from edge_sdk.files import check_writable, write_bytes
from edge_sdk.findings import Finding, gravest_first
from edge_sdk.progress import Progress, Silent
from edge_sdk.recipe import Recipe, change_recipe, exactly
from edge_sdk.recipe.reading import KeepFloat
from edge_sdk.recipe.writing import recipe_text
from edge_sdk.version import __version__

MOST_EVALUATIONS = 24
_NAMED = 4


@dataclass(frozen=True)
class Repair:
    """What was found.

    Attributes:
        kept: names of the results of ops that stay in float, the guiltiest first.
        evaluations: files that were made and measured.
        reached: level with them in float, by the goal's measure.
    """

    kept: tuple[str, ...]
    evaluations: int
    reached: float


@dataclass(frozen=True)
class Goal:
    """What a repair shall reach.

    Attributes:
        bound: the least level.
        measure: the level of a file, the higher the better.
        told: a level in words.
    """

    bound: float
    measure: Measure
    told: Callable[[float], str]

    def __str__(self) -> str:
        return self.told(self.bound)


def goal_of(min_sqnr_db: float | None, max_drop: float | None) -> Goal | None:
    """The one that is asked for, a drop in points of top-1 before an SQNR; None where neither is."""
    if max_drop is not None:
        return Goal(-max_drop, _kept_of_top1, lambda level: f"top-1 {0.0 - level:.3g} points lower")
    if min_sqnr_db is not None:
        return Goal(min_sqnr_db, Proof.level, _in_decibels)
    return None


def _in_decibels(level: float) -> str:
    return f"{level:.4g} dB" if level > float("-inf") else "too few kept rows found again"


def _kept_of_top1(proof: Proof, path: Path, lowered: FloatModel, recipe: Recipe) -> float:
    return -proof.drop(path, lowered, recipe)


def repair(source: object, job: Job, settings: Settings, progress: Progress | None = None) -> ConversionReport:
    """Makes one int8 or int16 file that reaches a bound, and the recipe that makes it again.

    Args:
        source: as for ``convert``.
        job: its recipe must quantize activations, and say ``min_sqnr_db`` where the settings have no ``max_drop``.
        settings: as for ``convert``; the recipe goes beside the file, named ``*.recipe.toml``.
        progress: hears how far the work is.

    Raises:
        RecipeError: the recipe cannot be repaired.
        AccuracyError: no number of ops in float reaches the bound; nothing is written.
        EdgeSdkError: as for ``convert``.
    """
    goal, recipe_path = _goal_of(job.recipe, settings.max_drop), job.output.with_name(f"{job.output.stem}.recipe.toml")
    check_writable(job.output)
    check_writable(recipe_path)
    with Workshop(settings.work_dir, settings.workers) as shop:
        line = Line(shop, source, settings, progress or Silent())
        check_calibration(job, settings, has_ranges=line.has_ranges)
        found = _search(line, job.recipe, goal, progress or Silent())
        recipe = _keeping(job.recipe, found.kept)
        report = line.make(replace(job, recipe=recipe))
    comment = f"{job.recipe.name}, repaired to {goal} by edge-sdk {__version__} in {found.evaluations} evaluations"
    named = replace(recipe, name=recipe_path.stem, short_names=())
    write_bytes(recipe_path, recipe_text(named, comment=comment).encode())
    return replace(report, findings=gravest_first([*report.findings, _told(found, goal, recipe_path)]))


def _goal_of(recipe: Recipe, max_drop: float | None) -> Goal:
    if recipe.mode != "static_range" or recipe.train is not None:
        raise RecipeError(
            f"recipe {recipe.name} does not quantize activations, there is nothing to repair",
            hint="take static_wi8_ai8 or static_wi8_ai16",
        )
    if recipe.integer_only:
        raise RecipeError(
            f"recipe {recipe.name} must be integer-only (io = {recipe.io}), a repair leaves ops in float",
            hint="take it with --io float32",
        )
    goal = goal_of(recipe.min_sqnr_db, max_drop)
    if goal is None:
        raise RecipeError(
            f"recipe {recipe.name}: a repair needs a bound to reach",
            hint="give --min-sqnr-db, for example 30, or --max-drop in points of top-1; `edge-sdk optimize` goes by a "
            "metric of your own",
        )
    return goal


def _search(line: Line, recipe: Recipe, goal: Goal, progress: Progress) -> Repair:
    levels: dict[tuple[str, ...], float] = {}

    def level(kept: tuple[str, ...]) -> float:
        if kept not in levels:
            progress.stage(f"try {len(levels) + 1}: {len(kept)} ops in float{_so_far(levels, goal)}")
            try:
                levels[kept] = line.level(_keeping(recipe, kept), goal.measure)
            except ConversionError:
                # A quantizer that fails on a mixture is no answer; the next mixture may be one.
                levels[kept] = float("-inf")
        return levels[kept]

    # The file as it is, and then at most as many as the search may ask.
    if level(()) >= goal.bound:
        return Repair((), 1, level(()))
    lowered, rows = line.noise(recipe)
    graph = lowered.artifact.main
    ranked = ranked_names(rows, frozenset(graph.tensors[op.outputs[0]].name for op in graph.ops if op.outputs))
    kept = fewest(ranked, lambda names: level(names) >= goal.bound, most=MOST_EVALUATIONS)
    if kept is None:
        best = max(levels, key=lambda names: levels[names])
        raise AccuracyError(
            f"{recipe.name}: {goal} is not reached: {goal.told(levels[best])} at best, with {len(best)} of "
            f"{len(ranked)} ops in float, in {len(levels)} evaluations",
            report={"levels": {str(len(names)): value for names, value in levels.items()}, "tensors": []},
            hint="float16 has the weights in half the bits and nothing else rounded; or ask for less",
        )
    return Repair(kept, len(levels), levels[kept])


def _so_far(levels: Mapping[tuple[str, ...], float], goal: Goal) -> str:
    """The fewest that reach the goal, of all that were tried; the best level where none do."""
    reached = [names for names, value in levels.items() if value >= goal.bound]
    if reached:
        return f" ({len(min(reached, key=len))} reach {goal}; at most {MOST_EVALUATIONS + 1} tries)"
    return f" ({goal.told(max(levels.values()))} so far)" if levels else ""


def fewest(ranked: Sequence[str], reaches: Callable[[tuple[str, ...]], bool], *, most: int) -> tuple[str, ...] | None:
    """A small subset that reaches a goal; None where all of them together do not.

    All are asked first, so that what cannot be reached ends at once. Prefixes of the ranking grow twofold until one
    reaches the goal, and are bisected; then parts of it are given back, halves first, the last ranked first. When
    ``most`` asks are used up, the smallest subset that reached it is the answer.

    Args:
        ranked: the most useful first.
        reaches: whether a subset does, in the ranking's order.
        most: how often it is asked at most.
    """
    asks = _Asks(reaches, most)
    if not ranked or not asks.reach(tuple(ranked)):
        return None
    size, last = 1, 0
    while size < len(ranked) and asks.left and not asks.reach(tuple(ranked[:size])):
        size, last = 2 * size, size
    size = len(asks.best)
    while size - last > 1 and asks.left:
        middle = (size + last) // 2
        size, last = (middle, last) if asks.reach(tuple(ranked[:middle])) else (size, middle)
    return _given_back(asks)


class _Asks:
    """Asks at most so often, and keeps the smallest subset that reached the goal."""

    def __init__(self, reaches: Callable[[tuple[str, ...]], bool], most: int) -> None:
        self._reaches, self.left = reaches, most
        self.best: tuple[str, ...] = ()

    def reach(self, names: tuple[str, ...]) -> bool:
        self.left -= 1
        found = self._reaches(names)
        if found and (not self.best or len(names) < len(self.best)):
            self.best = names
        return found


def _given_back(asks: _Asks) -> tuple[str, ...]:
    kept, part = asks.best, len(asks.best) // 2
    while part:
        end = len(kept)
        while end > 0 and asks.left > 0:
            without = kept[: max(0, end - part)] + kept[end:]
            if without and asks.reach(without):
                kept = without
            end -= part
        part //= 2
    return kept


def _keeping(recipe: Recipe, names: Sequence[str]) -> Recipe:
    if not names:
        return recipe
    return change_recipe(recipe, keep=KeepFloat((), exactly(names)))


def _told(found: Repair, goal: Goal, path: Path) -> Finding:
    reached = f"{goal.told(found.reached)}, {goal} asked"
    if not found.kept:
        return Finding("repaired", "info", f"nothing to repair: {reached}", path.name)
    listing = ", ".join(f"`{name.split(';')[-1][-60:]}`" for name in found.kept[:_NAMED])
    more = f" and {len(found.kept) - _NAMED} more" if len(found.kept) > _NAMED else ""
    return Finding(
        "repaired",
        "info",
        f"{len(found.kept)} ops stay in float, {listing}{more}: {reached}, found in {found.evaluations} evaluations",
        path.name,
        f"-r {path} makes it again",
    )


def ranked_names(rows: Sequence[Mapping[str, object]], known: frozenset[str]) -> list[str]:
    """Names of results that the float file knows, those that added most noise first, each once."""
    ordered = sorted(rows, key=lambda row: -float(str(row["added_noise"])))
    return list(dict.fromkeys(str(row["tensor"]) for row in ordered if row["tensor"] in known))
