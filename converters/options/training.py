"""What a user may say of training, in Python and on the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict


class TrainingOptions(TypedDict, total=False):
    """Keyword arguments of ``train`` and ``convert``; training needs one of ``loss``, ``train_step`` and ``fit``."""

    loss: str | Callable[..., Any] | None
    """A name from ``LOSSES``, a function of (outputs, targets) in the framework, or ``file.py:function``."""
    train_step: Callable[[Any, Any], Any] | str | None
    """Instead: does a whole step on (model, batch), optimizer included, and returns the loss."""
    fit: Callable[[Any, Any, Any], Any] | str | None
    """Instead: trains (model, data, hooks) in a loop of its own; see ``user_code.Hooks``."""
    metric: str | Callable[..., Any] | None
    """``accuracy``, ``mse``, ``mae`` or a function of (outputs, targets); default: what goes with the loss."""
    metric_goal: Literal["max", "min"] | None
    """For a metric of the user's own; ``max``."""
    evaluation: TrainData | None
    """What the metric is taken on; default: a held-out tenth of the training data."""
    epochs: int | None
    """Over the recipe's, for every stage that trains."""
    learning_rate: float | None
    """Likewise."""
    batch_size: int | None
    """Over the recipe's."""
    patience: int | None
    """Likewise: epochs without a better metric after which a stage ends."""
    teacher: Any
    """For distillation: another model of the same framework, or a path; default: the source model."""
    checkpoint: str | Path | None
    """A folder for checkpoints, written after each epoch and on Ctrl-C; tuning writes each layer that is done, what it
    learned and spans that it tried."""
    resume: bool
    """Go on from that folder."""
    tensorboard: str | Path | None
    """A folder for TensorBoard: the loss of each step, loss and metric of each epoch, a run for each stage."""
    wandb: str | None
    """A project of Weights & Biases: the same as one run, kept here unless ``WANDB_MODE=online``."""


TrainData = str | Path | Mapping[str, Any] | tuple[Any, Any] | Iterable[Any]
