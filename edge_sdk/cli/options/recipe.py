"""What is laid over a recipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from edge_sdk.cli.options.kinds import apply


def recipe_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Types at the ends, scales, ops in float, the bound."""
    return apply(
        function,
        click.option(
            "--io",
            type=click.Choice(["float32", "int8", "uint8", "int16"]),
            help="Type of inputs and outputs, over the recipe's.",
        ),
        click.option(
            "--weights",
            "granularity",
            type=click.Choice(["per_channel", "per_tensor", "blockwise_32", "blockwise_64"]),
            help="Scales of integer weights, over the recipe's; blocks are for int4.",
        ),
        click.option(
            "--mixed-weights",
            is_flag=True,
            default=None,
            help="With int4: embeddings, first and last layers stay in int8.",
        ),
        click.option(
            "--keep-float-op",
            "keep_float_ops",
            multiple=True,
            metavar="REGEX",
            help="Leave ops of matching types in float.",
        ),
        click.option(
            "--keep-float-tensor",
            "keep_float_tensors",
            multiple=True,
            metavar="REGEX",
            help="Leave ops with matching result names in float.",
        ),
        click.option(
            "--int16-op",
            "int16_ops",
            multiple=True,
            metavar="REGEX",
            help="Activations of ops of matching types in int16, in an int8 file; for accelerators that take both.",
        ),
        click.option(
            "--int16-tensor",
            "int16_tensors",
            multiple=True,
            metavar="REGEX",
            help="Likewise of ops with matching result names.",
        ),
        click.option(
            "--calibration-method",
            type=click.Choice(["auto", "minmax", "percentile", "mse", "entropy"]),
            help="How ranges of int8 activations are set, over the recipe's; auto chooses for each tensor.",
        ),
        click.option(
            "--bias-correction/--no-bias-correction",
            default=None,
            help="Whether int8 biases make up for what rounding the weights does to means; default: the recipe's, yes.",
        ),
        click.option(
            "--equalize/--no-equalize",
            default=None,
            help="Channels of like range before int8, where outputs come nearer; default: with --weights per_tensor.",
        ),
        click.option(
            "--forms",
            type=click.Choice(["delegate", "plain"]),
            help="delegate (the default): int8 ops that XNNPACK has no integer kernel for in a form that it takes.",
        ),
        click.option(
            "--tune",
            is_flag=True,
            default=None,
            help="Round int8 or int4 weights anew, layer by layer, against the float file on calibration data.",
        ),
        click.option(
            "--tune-float",
            type=click.FloatRange(0, 100),
            metavar="PERCENT",
            help="Of its work --tune may leave so much in float where outputs are surely nearer; default 20, 0: none.",
        ),
        click.option(
            "--tune-minutes",
            type=click.FloatRange(0, min_open=True),
            metavar="MINUTES",
            help="By the clock, that --tune may take; the best by then is taken, and the report says so. Default 10.",
        ),
        click.option("--min-sqnr-db", type=float, help="What every output must reach, instead of the derived bound."),
        click.option(
            "--repair",
            is_flag=True,
            help="Keep the fewest ops in float that reach --min-sqnr-db or --max-drop; writes *.recipe.toml.",
        ),
        click.option(
            "--max-drop",
            type=click.FloatRange(0, 100),
            metavar="POINTS",
            help="For --repair: top-1 that may be lost, of accuracy where folders tell classes, else of agreement.",
        ),
        group="Precision",
    )
