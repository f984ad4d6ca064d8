"""Data, and how pixels become values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from edge_sdk.cli.options.completing import files
from edge_sdk.cli.options.kinds import NamedAxis, NamedForm, Numbers, apply

if TYPE_CHECKING:
    from edge_sdk.data.images import ImageOptions


def data_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What to compare on, and how images become values."""
    return apply(
        function,
        click.option(
            "--data",
            shell_complete=files,
            help="What to compare on: .npz, .npy, a folder of images, or file.py:function.",
        ),
        click.option(
            "--samples",
            type=click.IntRange(1),
            help="How many samples of it. [default: 32; `convert` to float32 alone: as many seeded ones as 32 GMACs "
            "pay for, at least 4]",
        ),
        click.option("--seed", type=int, default=0, show_default=True, help="Of all random choices."),
        pixel_options,
        click.option(
            "--boxes",
            type=NamedForm(),
            multiple=True,
            help="Boxes in an output's rows: corners, centres (cx cy w h), none. Default: found by values.",
        ),
        click.option(
            "--classes",
            type=NamedAxis(),
            multiple=True,
            help="The axis of classes in a sequence's or map's output, or none. Default: found by values.",
        ),
        group="Data",
    )


def calibration_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What ranges are observed on."""
    return apply(
        function,
        click.option(
            "--calibration", shell_complete=files, help="Data to observe ranges on, for int8 and int16 activations."
        ),
        click.option("--calibration-samples", type=click.IntRange(1), help="Use at most so many, chosen by --seed."),
        group="Data",
    )


def pixel_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How pixels become values."""
    return apply(
        function,
        click.option("--image-resize", type=click.Choice(["stretch", "crop"]), default="stretch", show_default=True),
        click.option(
            "--image-scale",
            type=Numbers(),
            help="Factor on pixels; default: 1 for a model that scales them itself, else 1/255.",
        ),
        click.option(
            "--image-mean",
            type=Numbers(),
            default=(0.0,),
            help="Subtracted after scaling: one or one for each channel.",
        ),
        click.option("--image-std", type=Numbers(), default=(1.0,), help="Divided by last."),
        click.option("--image-order", type=click.Choice(["rgb", "bgr"]), default="rgb", show_default=True),
        group="Data",
    )


def image_options(arguments: dict[str, Any]) -> ImageOptions:
    """Takes the image options out of a command's arguments."""
    from edge_sdk.data.images import ImageOptions

    scale = arguments.pop("image_scale")
    return ImageOptions(
        resize=arguments.pop("image_resize"),
        scale=scale[0] if scale else None,
        mean=arguments.pop("image_mean"),
        std=arguments.pop("image_std"),
        order=arguments.pop("image_order"),
    )
