"""What recipes with a [train] table need to know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from edge_sdk.cli.options.kinds import apply


def training_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What recipes with a [train] table need to know."""
    return apply(
        function,
        _TRAIN_DATA,
        click.option("--eval", "evaluation", help="What the metric is taken on; default: a tenth of --train-data."),
        _LOSS,
        click.option("--metric", help="accuracy, mse, mae, or file.py:function; default: what goes with the loss."),
        click.option("--metric-goal", type=click.Choice(["max", "min"]), help="For a metric of your own; default max."),
        *_HOW,
        click.option("--checkpoint", help="Folder for checkpoints; default: OUTPUT.checkpoint, gone when done."),
        _TENSORBOARD,
        _WANDB,
        click.option("--resume", is_flag=True, help="Go on from the checkpoint of an interrupted run."),
        group="Training",
    )


def moves_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What moves of `optimize` that train need to know; metric, data for it and resuming are the search's own."""
    return apply(function, _TRAIN_DATA, _LOSS, *_HOW, _TENSORBOARD, _WANDB, group="Training")


_TRAIN_DATA = click.option("--train-data", help="What to train on: .npz with inputs and targets, or file.py:function.")
_TENSORBOARD = click.option("--tensorboard", metavar="DIR", help="Write curves of every stage there, for TensorBoard.")
_WANDB = click.option(
    "--wandb", metavar="PROJECT", help="Curves of every stage for Weights & Biases; sent with WANDB_MODE=online alone."
)
_LOSS = click.option(
    "--loss",
    help="cross_entropy (of logits), cross_entropy_probabilities, binary_cross_entropy, mse, mae, huber, "
    "or file.py:function.",
)
_HOW = (
    click.option("--epochs", type=click.IntRange(1), help="Of each stage, over the recipe's."),
    click.option("--learning-rate", type=click.FloatRange(0, min_open=True), help="Over the recipe's."),
    click.option("--batch-size", type=click.IntRange(1), help="Samples for each step, over the recipe's."),
    click.option("--patience", type=click.IntRange(1), help="Epochs without a better metric that end a stage."),
    click.option("--train-step", help="file.py:function of (model, batch) that does a whole step, instead of --loss."),
    click.option("--fit", help="file.py:function of (model, data, hooks) that trains, instead of --loss."),
    click.option("--teacher", help="Model to distil from: as SOURCE; default: SOURCE itself."),
)
