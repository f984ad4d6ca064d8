"""The ``[train]`` table of a recipe: stages in a fixed order, each with its own settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

STAGE_NAMES = ("distil", "prune", "cluster", "qat")
"""The order in which stages are run, whatever the order in the file."""


@dataclass(frozen=True)
class StageSettings:
    """What every stage may say of its own run; None takes the value of ``[train]``."""

    epochs: int | None = None
    learning_rate: float | None = None


@dataclass(frozen=True)
class Distil(StageSettings):
    """The model learns from a teacher.

    Attributes:
        temperature: both outputs' logits are divided by it before the softmax.
        weight: share of the teacher's part in the loss, 0 to 1.
        features: pairs of layer names, student's and teacher's, whose outputs are drawn together.
        feature_weight: factor on that part.
    """

    temperature: float = 4.0
    weight: float = 0.7
    features: tuple[tuple[str, str], ...] = ()
    feature_weight: float = 1.0


@dataclass(frozen=True)
class Prune(StageSettings):
    """Weights are set to zero, or whole channels are taken out.

    Attributes:
        pattern: ``unstructured``, ``2:4``, ``block_1x4``, or ``structured`` for whole channels.
        sparsity: share of zero weights to reach, for all patterns but the last (2:4 has 0.5 by its nature).
        pruning_ratio: share of channels to take out, for ``structured``.
        macs_ratio: or instead: share of multiply-accumulates to be left.
        exclude: regular expressions, searched in the names of layers that stay as they are.
    """

    pattern: Literal["unstructured", "2:4", "block_1x4", "structured"] = "unstructured"
    sparsity: float | None = None
    pruning_ratio: float | None = None
    macs_ratio: float | None = None
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cluster(StageSettings):
    """Weights of a layer share few values.

    Attributes:
        clusters: distinct values for each layer.
        exclude: regular expressions, searched in the names of layers that stay as they are.
    """

    clusters: int = 16
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Qat(StageSettings):
    """The model is trained with the rounding of the int8 file in place.

    What stays in float is said by the recipe's ``keep_float``, as for quantization after training.

    Attributes:
        ranges: ``learned`` trains the scale of every quantized tensor; ``observed`` keeps those of the calibration.
        equalize: channels of consecutive layers are first brought to like ranges, which changes nothing in float; not
            where zeros or clusters must stay.
        calibration_samples: training samples on which ranges begin.
        keep_zeros: weights that are zero when the stage begins stay zero; None where the recipe prunes.
        keep_clusters: weights that are equal when the stage begins stay equal; None where the recipe clusters.
    """

    ranges: Literal["learned", "observed"] = "learned"
    equalize: bool = True
    calibration_samples: int = 256
    keep_zeros: bool | None = None
    keep_clusters: bool | None = None


@dataclass(frozen=True)
class Train:
    """How to train.

    Attributes:
        epochs: of each stage that does not say its own.
        learning_rate: likewise; the optimizer's first, it falls to a hundredth along a cosine.
        optimizer: ``adam`` or ``sgd`` (with momentum 0.9).
        batch_size: samples for each step.
        patience: epochs without a better metric after which a stage ends; None trains all.
        distil: the stage's settings, None where it is left out.
        prune: likewise.
        cluster: likewise.
        qat: likewise.
    """

    epochs: int = 5
    learning_rate: float = 1e-3
    optimizer: Literal["adam", "sgd"] = "adam"
    batch_size: int = 32
    patience: int | None = None
    distil: Distil | None = None
    prune: Prune | None = None
    cluster: Cluster | None = None
    qat: Qat | None = None

    @property
    def stages(self) -> dict[str, StageSettings]:
        """Name to settings of the stages that are there, in the order in which they are run."""
        found: dict[str, StageSettings | None] = {name: getattr(self, name) for name in STAGE_NAMES}
        return {name: settings for name, settings in found.items() if settings is not None}


def train_problems(train: Train, *, static_int8: bool) -> list[str]:
    """What disagrees in a ``[train]`` table, one line for each fault.

    Args:
        train: the table.
        static_int8: whether the recipe makes a file with int8 weights and activations.
    """
    problems = (
        [] if train.stages else [f"train: no stage; give one of {', '.join(f'[train.{s}]' for s in STAGE_NAMES)}"]
    )
    problems += _range_problems("train", train, {"epochs": 1, "batch_size": 1, "patience": 1})
    for name, settings in train.stages.items():
        lowest = {"epochs": 0, "clusters": 2, "calibration_samples": 1, "temperature": 0.01}
        problems += _range_problems(f"train.{name}", settings, lowest)
        problems += [f"train.{name}.{p}" for p in _share_problems(settings)]
    if train.learning_rate <= 0:
        problems.append(f"train.learning_rate: must be above 0, got {train.learning_rate:g}")
    if train.qat and not static_int8:
        problems.append("train.qat: needs mode = static_range with int8 activations")
    if train.prune:
        problems += _prune_problems(train.prune)
    return problems


def _range_problems(where: str, table: Any, lowest: dict[str, float]) -> list[str]:
    found = [(key, getattr(table, key, None), least) for key, least in lowest.items()]
    return [
        f"{where}.{key}: must be at least {least:g}, got {value:g}"
        for key, value, least in found
        if value is not None and value < least
    ]


def _share_problems(settings: StageSettings) -> list[str]:
    found = [(key, getattr(settings, key, None)) for key in ("sparsity", "pruning_ratio", "macs_ratio", "weight")]
    return [
        f"{key}: must lie between 0 and 1, got {value:g}"
        for key, value in found
        if value is not None and not 0 <= value <= 1
    ]


def _prune_problems(prune: Prune) -> list[str]:
    structured = prune.pattern == "structured"
    asked = {key: getattr(prune, key) for key in ("sparsity", "pruning_ratio", "macs_ratio")}
    given = [key for key, value in asked.items() if value is not None]
    allowed = ("pruning_ratio", "macs_ratio") if structured else ("sparsity",)
    wrong = [f"train.prune.{key}: has no meaning for pattern {prune.pattern}" for key in given if key not in allowed]
    if prune.pattern != "2:4" and len([key for key in given if key in allowed]) != 1:
        wrong.append(f"train.prune: pattern {prune.pattern} needs {' or '.join(allowed)}")
    return wrong
