"""What a user may ask of a conversion, in one place for Python and the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from edge_sdk.converters.pipeline import Settings
from edge_sdk.converters.sources.source import SourceOptions
from edge_sdk.converters.train.data import TrainData
from edge_sdk.converters.train.options import TrainingOptions
from edge_sdk.converters.workers.workshop import Workers
from edge_sdk.data.images import ImageOptions
from edge_sdk.data.opening import Data
from edge_sdk.profile.reading import find_profile
from edge_sdk.profile.records import DeviceProfile
from edge_sdk.recipe import Granularity, IoType, Recipe, change_recipe, find_recipe


class Options(TrainingOptions, total=False):
    """Keyword arguments of ``convert`` and ``convert_all``; all may be left out."""

    train_data: TrainData | None
    """What to train on, for recipes that train; see ``edge_sdk.converters.train.data.open_training_data``."""
    calibration: Data | None
    """Data to observe ranges on, for recipes with quantized activations; see ``edge_sdk.data.open_data``."""
    calibration_samples: int | None
    """Use at most so many of them, chosen by ``seed``."""
    data: Data | None
    """What to compare on; default: the calibration data, else seeded data shaped by the signature."""
    samples: int
    """How many samples of it; 32."""
    seed: int
    """Of all random choices; 0."""
    batch: int | None
    """For an open first dimension; 1."""
    shapes: Mapping[str, Sequence[int]]
    """Input name to whole shape, for other open dimensions."""
    dtypes: Mapping[str, str]
    """Input name to dtype, for a module without example inputs."""
    signature: str | None
    """Key of a SavedModel's signature."""
    layout: Literal["nhwc", "source"]
    """``nhwc`` (the default) puts the channels of image inputs last; ``source`` leaves inputs as they are."""
    lowering: str
    """For PyTorch: ``auto``, ``onnx2tf`` or ``litert-torch``."""
    images: ImageOptions
    """How pixels of a folder of images become values."""
    io: IoType | None
    """Type of inputs and outputs, over the recipe's."""
    granularity: Granularity | None
    """Scales of int8 weights, over the recipe's."""
    keep_float_ops: Sequence[str]
    """Regular expressions of op types left in float."""
    keep_float_tensors: Sequence[str]
    """Likewise for the names of ops' results."""
    min_sqnr_db: float | None
    """What every output must reach, instead of the derived bound."""
    keep_unverified: bool
    """Write a file even if it is beyond its bound; the report says so."""
    timing: bool
    """Measure it against the float file; True."""
    trust_source: bool
    """Load files that could run code they carry."""
    work_dir: str | Path | None
    """Keep all intermediate files here."""
    profile: str | Path | DeviceProfile | None
    """Device to convert for, by id or ``.toml`` path: the file is checked against it, and an Ethos-U gets one compiled
    by Vela beside it, named ``*_vela.tflite``."""
    workers: Workers | None
    """Worker processes to use and leave running, over several conversions."""


def recipe_from(recipe: str | Path | Recipe, options: Options) -> Recipe:
    """The recipe with the options laid over it.

    Raises:
        RecipeError: unknown, or contradicted by the options.
    """
    return change_recipe(
        recipe if isinstance(recipe, Recipe) else find_recipe(recipe),
        io=options.get("io"),
        granularity=options.get("granularity"),
        keep_ops=tuple(options.get("keep_float_ops", ())),
        keep_tensors=tuple(options.get("keep_float_tensors", ())),
        min_sqnr_db=options.get("min_sqnr_db"),
    )


def source_options_from(options: Options) -> SourceOptions:
    """The part that says how to open the source."""
    return SourceOptions(
        batch=options.get("batch"),
        shapes={name: tuple(shape) for name, shape in options.get("shapes", {}).items()},
        dtypes=dict(options.get("dtypes", {})),
        signature=options.get("signature"),
        layout=options.get("layout", "nhwc"),
        lowering=options.get("lowering", "auto"),
        trust=options.get("trust_source", False),
    )


def settings_from(options: Options) -> Settings:
    """The part that says what to do with it."""
    work_dir = options.get("work_dir")
    return Settings(
        options=source_options_from(options),
        calibration=options.get("calibration"),
        calibration_samples=options.get("calibration_samples"),
        data=options.get("data"),
        samples=options.get("samples", 32),
        seed=options.get("seed", 0),
        images=options.get("images", ImageOptions()),
        keep_unverified=options.get("keep_unverified", False),
        timing=options.get("timing", True),
        work_dir=Path(work_dir) if work_dir else None,
        workers=options.get("workers"),
        profile=profile_from(options),
    )


def profile_from(options: Options) -> DeviceProfile | None:
    """The device asked for.

    Raises:
        ProfileError: unknown, or its file has faults.
    """
    profile = options.get("profile")
    return profile if isinstance(profile, DeviceProfile) or profile is None else find_profile(profile)
