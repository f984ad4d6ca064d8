"""What a sweep is to do: a matrix of sources, recipes, devices and data, from a TOML file.

::

    sources = { small = "small.keras", large = "large.onnx" }
    recipes = ["float16", "static_wi8_ai8", "optimize"]
    profiles = ["pixel-8", "raspberry-pi-5"]
    devices = ["local"]

    [data.photos]
    eval = "photos"
    calibration = "calibration.npz"
    metric = "accuracy"

    [optimize]
    max_drop = 0.5

Paths are relative to the file. What is left out does not multiply.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge_sdk.converters.search.sweep.jobs import OPTIMIZE, Job
from edge_sdk.data.functions import is_function_reference
from edge_sdk.errors import RecipeError
from edge_sdk.profile.reading import find_profile
from edge_sdk.recipe import find_recipe
from edge_sdk.records import RecordError, read_record

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class DataSet:
    """Data of one column of the matrix; see ``edge_sdk.optimize`` for what each may be.

    Attributes:
        eval: what files are measured on; without it they are only compared with their source.
        calibration: what ranges are observed on.
        metric: by which.
    """

    eval: str | None = None
    calibration: str | None = None
    metric: str | None = None


@dataclass(frozen=True)
class OptimizeTable:
    """Budgets and limits of recipe ``optimize``; see ``edge_sdk.optimize``."""

    max_drop: float | None = None
    max_latency_ms: float | None = None
    max_size_mib: float | None = None
    max_memory_mib: float | None = None
    max_compressed_mib: float | None = None
    max_evals: int | None = None


@dataclass(frozen=True)
class Plan:
    """A sweep.

    Attributes:
        sources: label to path or ``file.py:function``.
        recipes: names, ``.toml`` paths, or ``optimize``.
        profiles: device ids that files are checked against (predicted).
        devices: addresses that time is measured on, one job at a time; ``local`` is this machine, of the worker that
            declares it.
        data: label to data.
        optimize: of recipe ``optimize``.
        seed: of all random choices.
    """

    sources: Mapping[str, str]
    recipes: tuple[str, ...]
    profiles: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    data: Mapping[str, DataSet] = field(default_factory=dict)
    optimize: OptimizeTable = OptimizeTable()
    seed: int = 0

    def jobs(self) -> Iterator[Job]:
        """All of the matrix, in its order."""
        data: Mapping[str, DataSet] = self.data or {"": DataSet()}
        for label, source in self.sources.items():
            for recipe in self.recipes:
                for name, one in data.items():
                    for profile in self.profiles or (None,):
                        for device in self.devices or (None,):
                            yield self._job((label, source), recipe, (name, one), profile, device)

    def _job(
        self,
        source: tuple[str, str],
        recipe: str,
        data: tuple[str, DataSet],
        profile: str | None,
        device: str | None,
    ) -> Job:
        settings = dict(vars(self.optimize)) if recipe == OPTIMIZE else {}
        return Job(
            source=source[0],
            path=source[1],
            recipe=recipe,
            data=data[0],
            evaluation=data[1].eval,
            calibration=data[1].calibration,
            metric=data[1].metric,
            profile=profile,
            device=device,
            settings={key: value for key, value in settings.items() if value is not None},
            seed=self.seed,
        )


def read_plan(path: Path) -> Plan:
    """Reads a plan; recipes, profiles and files are looked for at once.

    Raises:
        RecipeError: not TOML, keys or values that do not fit, or a file that is not there; lists every fault of form.
        ProfileError: an unknown device.
    """
    try:
        plan = read_record(Plan, tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not TOML: byte {error.start} is not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: not TOML: {error}") from error
    except RecordError as error:
        raise RecipeError(f"{path}: {error}") from error
    if not plan.sources or not plan.recipes:
        raise RecipeError(f"{path}: a plan has at least one source and one recipe")
    for profile in plan.profiles:
        find_profile(profile)
    for name, data in plan.data.items():
        if OPTIMIZE in plan.recipes and data.eval is None:
            raise RecipeError(f"{path}: data.{name} has no `eval`, which recipe {OPTIMIZE} measures on")
    if OPTIMIZE in plan.recipes and not plan.data:
        raise RecipeError(f"{path}: recipe {OPTIMIZE} needs a [data.NAME] with `eval`")
    return _located(plan, path.absolute().parent)


def _located(plan: Plan, folder: Path) -> Plan:
    """Paths made absolute, so that a job means the same wherever it runs."""

    def found(text: str | None) -> str | None:
        if text is None:
            return None
        file = text.rpartition(":")[0] if is_function_reference(text) else text
        path = folder / file
        if not path.exists():
            raise RecipeError(f"{path}: no such file or folder", hint="paths in a plan are relative to its file")
        return str(path) + text[len(file) :]

    def recipe(text: str) -> str:
        if text == OPTIMIZE:
            return text
        return str(find_recipe(text).name) if not text.endswith(".toml") else str(found(text))

    for text in plan.recipes:
        if text != OPTIMIZE:
            find_recipe(str(found(text)) if text.endswith(".toml") else text)
    data = {
        name: DataSet(found(one.eval), found(one.calibration), _metric(one.metric, folder))
        for name, one in plan.data.items()
    }
    sources = {label: str(found(source)) for label, source in plan.sources.items()}
    recipes = tuple(recipe(text) for text in plan.recipes)
    return Plan(sources, recipes, plan.profiles, plan.devices, data, plan.optimize, plan.seed)


def _metric(text: str | None, folder: Path) -> str | None:
    return str(folder / text) if text and is_function_reference(text) else text
