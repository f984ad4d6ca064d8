"""What a search is asked for, and what that means for a device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_sdk.converters.device import choose_recipe
from edge_sdk.converters.options import Options, recipe_from, settings_from
from edge_sdk.converters.search.bench import Wanted
from edge_sdk.converters.search.moves import MOVES
from edge_sdk.converters.search.records import Budgets, Limits, Result
from edge_sdk.converters.search.training.options import check_training
from edge_sdk.errors import CalibrationError, ProfileError, RecipeError, nearest
from edge_sdk.profile.records import DeviceProfile
from edge_sdk.recipe import Recipe

_DEFAULT_DROP = 0.5


class SearchOptions(Options, total=False):
    """Keyword arguments of ``optimize`` beside those of ``convert``; ``evaluation`` must be there."""

    budgets: Budgets
    """What the file may cost; with none at all, a drop of 0.5 points."""
    limits: Limits
    """When to stop."""
    recipe: str | Path | Recipe | None
    """Measure this recipe alone, instead of a search."""
    moves: Sequence[str] | None
    """Names from ``moves.MOVES`` beside ``plain``; default: all that fit the device and what was given: ``ranges``,
    ``tune`` and ``repair`` where there is more time than a proof takes, ``qat`` and ``prune`` where there is
    ``train_data``, ``cluster`` where there is a budget of compressed bytes besides."""
    on: str | None
    """Address of a device whose time counts, as ``edge-sdk benchmark --on``; default: this machine's CPU."""
    calibration_table: str | Path | None
    """What ``edge-sdk devices calibrate`` wrote: times are predicted by it; default: ``calibration/ID.json`` beside the
    profile, where there is one."""
    require_confirmed: bool
    """Whether a file of which unseen data cannot tell whether it is within ``max_drop`` is no answer."""
    callback: Callable[[Result], None]
    """Called with all that is known so far after every step."""


@dataclass(frozen=True)
class Plan:
    """What was asked for, resolved."""

    budgets: Budgets
    limits: Limits
    profile: DeviceProfile | None
    wanted: Wanted


def planned(source: object, options: SearchOptions) -> Plan:
    """What was asked for, before anything is opened.

    Raises:
        EdgeSdkError: options that contradict each other, or want what is not there.
    """
    profile = settings_from(options).profile
    limits = options.get("limits", Limits())
    if (only := options.get("recipe")) is not None:
        alone = Wanted(
            recipe_from(only, options), "the recipe that was asked for", (), Budgets(), ("plain",), alone=True
        )
        return Plan(alone.budgets, limits, profile, alone)
    budgets = _budgets(options)
    if budgets.max_memory_mib is not None and profile is None:
        raise ProfileError("--max-memory-mib is predicted for a device", hint="give --profile")
    choice = choose_recipe(profile) if profile else None
    base = recipe_from(choice.recipe if choice else "static_wi8_ai8", options)
    why = choice.reason if choice else "int8 is the fast form on CPUs"
    moves = check_moves(options.get("moves"), trains=options.get("train_data") is not None)
    sure = options.get("require_confirmed", False)
    if sure and budgets.max_drop is None:
        raise CalibrationError("--require-confirmed without a drop that is allowed", hint="give --max-drop")
    training = check_training(source, options)
    if "cluster" in (moves or ()) and budgets.max_compressed_mib is None:
        raise RecipeError(
            "move cluster makes a file smaller only once it is compressed, and no budget counts that",
            hint="give --max-compressed-mib",
        )
    wanted = Wanted(base, why, _fallbacks(profile), budgets, moves, training, confirmed=sure)
    return Plan(budgets, limits, profile, wanted)


def check_moves(names: Sequence[str] | None, *, trains: bool) -> tuple[str, ...] | None:
    """Names of moves, ``plain`` among them: all others begin where it ended.

    Raises:
        RecipeError: unknown; or one needs training data and there is none, or none needs it and there is.
    """
    if names is None:
        return None
    if unknown := [name for name in names if name not in MOVES]:
        raise RecipeError(f"unknown move `{unknown[0]}`{nearest(unknown[0], MOVES)}", hint=f"moves: {', '.join(MOVES)}")
    training = [name for name in names if MOVES[name].needs == "training"]
    if training and not trains:
        raise RecipeError(f"move {training[0]} trains, and there is no training data", hint="give --train-data")
    if trains and not training:
        raise RecipeError(
            f"training data was given, and none of the moves {', '.join(names)} trains",
            hint="add --move qat, prune or cluster",
        )
    return tuple(dict.fromkeys(("plain", *names)))


def _budgets(options: SearchOptions) -> Budgets:
    """What was asked for; half a point where nothing was, for metrics that have points."""
    budgets, metric = options.get("budgets", Budgets()), options.get("metric")
    if budgets != Budgets():
        return budgets
    if callable(metric) or ".py:" in str(metric) or metric in ("mse", "mae"):
        raise CalibrationError("no budget", hint="give --max-drop in the metric's own unit, or another budget")
    return Budgets(max_drop=_DEFAULT_DROP)


def _fallbacks(profile: DeviceProfile | None) -> tuple[str, ...]:
    """Other precisions of the whole file: int16 activations for accelerators of int8, else what CPUs are fast in."""
    first = next(iter(profile.device.delegates), None) if profile else None
    if first is None or first.accelerator == "cpu":
        return ("dynamic_wi8_afp32", "float16")
    return ("static_wi8_ai8",) if first.accelerator == "gpu" else ("static_wi8_ai16",)
