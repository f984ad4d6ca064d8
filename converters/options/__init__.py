"""What a user may ask of a conversion, in one place for Python and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge_sdk.converters.options.data import DataOptions
from edge_sdk.converters.options.recipe import RecipeOptions
from edge_sdk.converters.options.recipe import recipe_from as recipe_from
from edge_sdk.converters.options.source import OpeningOptions
from edge_sdk.converters.options.source import source_options_from as source_options_from
from edge_sdk.converters.options.training import TrainData, TrainingOptions
from edge_sdk.converters.proving.labels import Labels, read_all
from edge_sdk.converters.sources.source import SourceOptions
from edge_sdk.converters.workers.workshop import Workers
from edge_sdk.data.images import ImageOptions
from edge_sdk.data.opening import Data
from edge_sdk.errors import RecipeError
from edge_sdk.profile.reading import find_profile
from edge_sdk.profile.records import DeviceProfile


class Options(OpeningOptions, DataOptions, RecipeOptions, TrainingOptions, total=False):
    """Keyword arguments of ``convert`` and ``convert_all``; all may be left out."""

    train_data: TrainData | None
    """What to train on, for recipes that train; see ``edge_sdk.converters.train.data.open_training_data``."""
    allow_slow: bool
    """Whether a file with activations in int16 is written where it is slower than the float file, not refused."""
    keep_unverified: bool
    """Write a file even if it is beyond its bound; the report says so."""
    repair: bool
    """Keep the fewest ops in float that let every output reach ``min_sqnr_db``, or top-1 lose ``max_drop`` at most, and
    write the recipe that does beside the file, named ``*.recipe.toml``; see ``edge_sdk.converters.repairing``."""
    max_drop: float | None
    """For ``repair``: points of top-1 that may be lost, of accuracy where the data tells classes, else of agreement
    with the source."""
    timing: bool
    """Measure it against the float file; True."""
    details: bool
    """Look at every result and at samples that flipped, as a page shows them; False, for it takes a few more runs."""
    labels: Mapping[str, str | Path]
    """Output name to a file with a name for each index, a line each, for TFLite Metadata in the file; the name ""
    stands for the only output."""
    work_dir: str | Path | None
    """Keep all intermediate files here."""
    profile: str | Path | DeviceProfile | None
    """Device to convert for, by id or ``.toml`` path: the file is checked against it, and an Ethos-U gets one compiled
    by Vela beside it, named ``*_vela.tflite``."""
    workers: Workers | None
    """Worker processes to use and leave running, over several conversions."""


def settings_from(options: Options) -> Settings:
    """The part that says what to do with it."""
    work_dir = options.get("work_dir")
    return Settings(
        options=source_options_from(options),
        calibration=options.get("calibration"),
        calibration_samples=options.get("calibration_samples"),
        data=options.get("data"),
        samples=options.get("samples"),
        seed=options.get("seed", 0),
        images=options.get("images", ImageOptions()),
        boxes=options.get("boxes", {}),
        classes=options.get("classes", {}),
        allow_slow=options.get("allow_slow", False),
        keep_unverified=options.get("keep_unverified", False),
        timing=options.get("timing", True),
        details=options.get("details", False),
        labels=read_all(options.get("labels", {})),
        work_dir=Path(work_dir) if work_dir else None,
        workers=options.get("workers"),
        profile=profile_from(options),
        checkpoint=Path(folder) if (folder := options.get("checkpoint")) else None,
        resume=options.get("resume", False),
        max_drop=_max_drop(options),
    )


def _max_drop(options: Options) -> float | None:
    drop = options.get("max_drop")
    if drop is not None and not options.get("repair"):
        raise RecipeError(
            "max_drop is what a repair may lose, and none is asked for",
            hint="add --repair; `edge-sdk optimize --max-drop` searches further",
        )
    if drop is not None and not 0 <= drop <= 100:
        raise RecipeError(f"max_drop: expected points of top-1 from 0 to 100, got {drop:g}")
    return drop


def profile_from(options: Options) -> DeviceProfile | None:
    """The device asked for.

    Raises:
        ProfileError: unknown, or its file has faults.
    """
    profile = options.get("profile")
    return profile if isinstance(profile, DeviceProfile) or profile is None else find_profile(profile)


@dataclass(frozen=True)
class Settings:
    """Everything a user may ask of a conversion but the source, recipe and output; see ``convert``."""

    options: SourceOptions = field(default_factory=SourceOptions)
    calibration: Data | None = None
    calibration_samples: int | None = None
    data: Data | None = None
    samples: int | None = None
    seed: int = 0
    images: ImageOptions = field(default_factory=ImageOptions)
    boxes: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    allow_slow: bool = False
    keep_unverified: bool = False
    timing: bool = True
    details: bool = False
    labels: Labels = field(default_factory=dict)
    work_dir: Path | None = None
    workers: Workers | None = None
    profile: DeviceProfile | None = None
    keep_samples: int = 0
    checkpoint: Path | None = None
    resume: bool = False
    max_drop: float | None = None
