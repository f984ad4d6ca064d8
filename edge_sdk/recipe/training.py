"""The ``[train]`` table of a recipe: stages in a fixed order, each with its own settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

STAGE_NAMES = ("distil", "slim", "prune", "cluster", "qat")
"""The order in which stages are run, whatever the order in the file."""


Score = Literal["magnitude", "taylor", "activation", "apoz", "scale"]


@dataclass(frozen=True)
class StageSettings:
    """What every stage may say of its own run; None takes the value of ``[train]``."""

    epochs: int | None = None
    learning_rate: float | None = None


@dataclass(frozen=True)
class Distil(StageSettings):
    """The model learns from a teacher.

    Attributes:
        outputs: ``classes`` compares distributions over classes, ``values`` the outputs themselves.
        temperature: of classes: both models' logits are divided by it before the softmax.
        weight: share of the teacher's part in the loss, 0 to 1.
        features: pairs of layer names, student's and teacher's, whose outputs are drawn together.
        feature_weight: factor on that part.
        during: later stages in which the teacher goes on teaching; with ``epochs = 0`` only those.
    """

    outputs: Literal["classes", "values"] = "classes"
    temperature: float = 4.0
    weight: float = 0.7
    features: tuple[tuple[str, str], ...] = ()
    feature_weight: float = 1.0
    during: tuple[str, ...] = ()


@dataclass(frozen=True)
class Slim(StageSettings):
    """Scales of batch norms are drawn to zero, so that a cut by ``score = "scale"`` takes what is not needed.

    Attributes:
        strength: factor on the sum of their absolute values, in the loss.
    """

    strength: float = 1e-4


@dataclass(frozen=True)
class Prune(StageSettings):
    """Weights are set to zero, or whole channels are taken out.

    Attributes:
        pattern: ``structured`` for whole channels; for weights ``unstructured``, n of m such as ``2:4``, or
            ``block_OUTPUTSxINPUTS`` such as ``block_1x4``.
        sparsity: share of zero weights to reach; n of m has its own.
        allocation: for sparsity: ``uniform`` in all layers, or by each layer's ``sensitivity``.
        pruning_ratio: share of channels to take out of every layer, for ``structured``.
        macs_ratio: or instead, by sensitivity: share of multiply-accumulates to come down to.
        size_ratio: or: share of parameters.
        time_ratio: or: share of the time of a run, measured on this machine.
        ratios: rising, those that the analysis of sensitivity tries; the last is the most that any layer may lose.
        score: by what channels are judged, for ``structured``: ``magnitude`` of all weights that go with one;
            ``taylor``, by how much the loss is expected to change without them, from gradients over training data;
            ``activation``, the mean absolute value of what is read of them, and ``apoz``, by the share that is zero,
            both over training data; ``scale``, of their batch norm, which a stage ``slim`` makes small.
        round_to: channels left are a multiple of it, for ``structured``.
        smallest: kernels with fewer weights stay as they are, unless ``structured``.
        exclude: regular expressions, searched in the names of layers that stay as they are.
    """

    pattern: str = "unstructured"
    sparsity: float | None = None
    allocation: Literal["uniform", "sensitivity"] = "uniform"
    pruning_ratio: float | None = None
    macs_ratio: float | None = None
    size_ratio: float | None = None
    time_ratio: float | None = None
    ratios: tuple[float, ...] = (0.25, 0.5, 0.7, 0.8, 0.9)
    score: Score = "magnitude"
    round_to: int = 8
    smallest: int = 0
    exclude: tuple[str, ...] = ()

    @property
    def by_sensitivity(self) -> bool:
        """Whether ratios are chosen by an analysis of every layer."""
        budgets = (self.macs_ratio, self.size_ratio, self.time_ratio)
        return self.allocation == "sensitivity" or any(budget is not None for budget in budgets)


@dataclass(frozen=True)
class Cluster(StageSettings):
    """Weights of a layer share few values.

    Attributes:
        clusters: distinct values for each layer; zeros that pruning left are one of them.
        smallest: kernels with fewer weights stay as they are.
        exclude: regular expressions, searched in the names of layers that stay as they are.
    """

    clusters: int = 16
    smallest: int = 0
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
        slim: likewise.
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
    slim: Slim | None = None
    prune: Prune | None = None
    cluster: Cluster | None = None
    qat: Qat | None = None

    @property
    def stages(self) -> dict[str, StageSettings]:
        """Name to settings of the stages that are there, in the order in which they are run."""
        found: dict[str, StageSettings | None] = {name: getattr(self, name) for name in STAGE_NAMES}
        return {name: settings for name, settings in found.items() if settings is not None}


_LOWEST = {
    "epochs": 0,
    "clusters": 2,
    "calibration_samples": 1,
    "temperature": 0.01,
    "feature_weight": 0,
    "round_to": 1,
    "smallest": 0,
}


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
        problems += _range_problems(f"train.{name}", settings, _LOWEST)
        problems += [f"train.{name}.{p}" for p in _share_problems(settings)]
    if train.learning_rate <= 0:
        problems.append(f"train.learning_rate: must be above 0, got {train.learning_rate:g}")
    if train.qat and not static_int8:
        problems.append("train.qat: needs mode = static_range with int8 activations")
    if train.slim and train.slim.strength <= 0:
        problems.append(f"train.slim.strength: must be above 0, got {train.slim.strength:g}")
    if train.prune:
        problems += _prune_problems(train.prune)
    return problems + _distil_problems(train)


def _range_problems(where: str, table: Any, lowest: dict[str, float]) -> list[str]:
    found = [(key, getattr(table, key, None), least) for key, least in lowest.items()]
    return [
        f"{where}.{key}: must be at least {least:g}, got {value:g}"
        for key, value, least in found
        if value is not None and value < least
    ]


def _share_problems(settings: StageSettings) -> list[str]:
    found = [(key, getattr(settings, key, None)) for key in ("weight",)]
    return [
        f"{key}: must lie between 0 and 1, got {value:g}"
        for key, value in found
        if value is not None and not 0 <= value <= 1
    ]


_PATTERN = re.compile(r"structured|unstructured|(\d+):(\d+)|block_([1-9]\d*)x([1-9]\d*)")
_CHANNEL_KEYS = ("pruning_ratio", "macs_ratio", "size_ratio", "time_ratio")


def _prune_problems(prune: Prune) -> list[str]:
    where, found = "train.prune", _PATTERN.fullmatch(prune.pattern)
    n_of_m = found is not None and found[1] is not None
    if found is None or (n_of_m and not 0 < int(found[1]) < int(found[2])):
        known = "structured, unstructured, n:m such as 2:4, or block_OUTPUTSxINPUTS such as block_1x4"
        return [f"{where}.pattern: must be {known}, got `{prune.pattern}`"]
    allowed = _CHANNEL_KEYS if prune.pattern == "structured" else () if n_of_m else ("sparsity",)
    given = [key for key in ("sparsity", *_CHANNEL_KEYS) if getattr(prune, key) is not None]
    problems = [f"{where}.{key}: has no meaning for pattern {prune.pattern}" for key in given if key not in allowed]
    if prune.score != "magnitude" and prune.pattern != "structured":
        problems.append(f"{where}.score: {prune.score} is for pattern structured, got {prune.pattern}")
    if allowed and len([key for key in given if key in allowed]) != 1:
        problems.append(f"{where}: pattern {prune.pattern} needs one of {', '.join(allowed)}")
    if n_of_m and prune.allocation == "sensitivity":
        problems.append(f"{where}.allocation: pattern {prune.pattern} has the same share of zeros everywhere")
    outside = {key: getattr(prune, key) for key in given if not 0 < getattr(prune, key) < 1}
    problems += [f"{where}.{key}: must lie between 0 and 1, got {value:g}" for key, value in outside.items()]
    if (
        not prune.ratios
        or list(prune.ratios) != sorted(set(prune.ratios))
        or not 0 < prune.ratios[0] <= prune.ratios[-1] < 1
    ):
        problems.append(f"{where}.ratios: must rise between 0 and 1, got {list(prune.ratios)}")
    return problems


def _distil_problems(train: Train) -> list[str]:
    distil = train.distil
    if distil is None:
        return []
    later = [name for name in STAGE_NAMES[1:] if name in train.stages]
    problems = [
        f"train.distil.during: must name later stages of the recipe ({', '.join(later) or 'it has none'}), got `{name}`"
        for name in distil.during
        if name not in later
    ]
    if distil.epochs == 0 and not distil.during:
        problems.append("train.distil: epochs = 0 and no `during`: the teacher would teach nothing")
    return problems
