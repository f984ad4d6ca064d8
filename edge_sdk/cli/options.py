"""Options that several commands take, and how their text is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from edge_sdk.data.images import ImageOptions

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
_INPUT = re.compile(r"(?P<name>.+)=(?P<shape>\d+(?:[,x]\d+)*|)(?::(?P<dtype>\w+))?")


class InputShape(click.ParamType):  # type: ignore[type-arg] # generic since click 8.2 only
    """``NAME=1,224,224,3`` or ``NAME=1,16:int64``."""

    name = "NAME=SHAPE[:DTYPE]"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, tuple[int, ...], str | None]:
        match = _INPUT.fullmatch(value)
        if match is None:
            self.fail(f"`{value}`: expected NAME=1,224,224,3 or NAME=1,16:int64", param, ctx)
        extents = [part for part in re.split("[,x]", match["shape"]) if part]
        return match["name"], tuple(int(extent) for extent in extents), match["dtype"]


class NamedFile(click.ParamType):  # type: ignore[type-arg]
    """``FILE``, or ``OUTPUT=FILE``."""

    name = "[OUTPUT=]FILE"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Path]:
        if isinstance(value, tuple):
            return value
        name, separator, file = value.partition("=")
        return (name, Path(file)) if separator else ("", Path(value))


class Numbers(click.ParamType):  # type: ignore[type-arg]
    """``0.485,0.456,0.406``; each may be a fraction such as 1/255."""

    name = "NUMBERS"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(_fraction(part) for part in value.split(","))
        except (ValueError, ZeroDivisionError):
            self.fail(f"`{value}`: expected numbers separated by commas", param, ctx)


def _fraction(text: str) -> float:
    numerator, _, denominator = text.partition("/")
    return float(numerator) / float(denominator or 1)


def source_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How to open a model."""
    return _apply(
        function,
        click.option("--batch", type=click.IntRange(1), help="For an open first dimension; default 1."),
        click.option(
            "--input",
            "inputs",
            type=InputShape(),
            multiple=True,
            help="Shape (and dtype) of an input with open dimensions.",
        ),
        click.option("--signature", help="Key of a SavedModel's signature."),
        click.option("--trust-source", is_flag=True, help="Load files that could run code they carry."),
    )


def data_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What to compare on, and how images become values."""
    return _apply(
        function,
        click.option("--data", help="What to compare on: .npz, .npy, a folder of images, or file.py:function."),
        click.option(
            "--samples", type=click.IntRange(1), default=32, show_default=True, help="How many samples of it."
        ),
        click.option("--seed", type=int, default=0, show_default=True, help="Of all random choices."),
        pixel_options,
    )


def bundle_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What goes into a bundle beside the models."""
    path = click.Path(path_type=Path)
    return _apply(
        function,
        click.option("--name", help="Of the bundle; default: the output's name without its suffix."),
        click.option(
            "--profile",
            "profiles",
            multiple=True,
            metavar="ID",
            help="Device to make it for and to check it against; see `profiles list`. A bundle takes several.",
        ),
        click.option("--labels", type=NamedFile(), multiple=True, help="A name for each index, a line each."),
        click.option("--softmax", is_flag=True, help="Outputs with labels or a ranking hold logits."),
        click.option("--top-k", type=click.IntRange(1), help="Rank the K largest values of an output."),
        click.option("--min-score", type=float, default=0.0, show_default=True, help="Rank none below it."),
        click.option("--processing", type=path, help="JSON with all steps of inputs and outputs, instead."),
        click.option(
            "--golden-samples", type=click.IntRange(0), default=4, show_default=True, help="Runs of the self-test."
        ),
        click.option("--sign", type=path, multiple=True, metavar="KEY", help="Private key (PEM); may be repeated."),
        click.option("--passphrase-file", type=path, help="First line decrypts the keys."),
        click.option(
            "--tflite-metadata/--no-tflite-metadata",
            default=True,
            show_default=True,
            help="Write TFLite Metadata into the models too.",
        ),
    )


def on_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Which device."""
    text = "Run there: local, ssh://user@host:port or adb://SERIAL; a board after `edge-sdk devices prepare`."
    return click.option("--on", multiple=True, metavar="ADDRESS", help=text)(function)


def delegate_option(text: str) -> Decorator:
    """Which delegates; the text says what several of them mean."""
    return click.option(
        "--delegate",
        "delegates",
        multiple=True,
        default=("auto",),
        show_default=True,
        metavar="NAME",
        help=f"xnnpack, gpu, npu, nnapi, cpu or external:LIBRARY; {text}",
    )


def session_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How an artifact is opened."""
    return _apply(
        function,
        click.option("--policy", metavar="RULES", help="Such as npu=require,min_mac_share=0.9,max_latency_ms=20."),
        click.option(
            "--profile", metavar="ID", help="Device whose delegates `auto` tries; default: what is found here."
        ),
        click.option("--variant", help="Of a bundle; default: what suits the accelerator."),
        click.option(
            "--trusted-key", "trusted_keys", multiple=True, type=click.Path(), help="One must have signed it."
        ),
        click.option("--engine", help="ai-edge-litert or tflite-runtime; default: the first installed."),
    )


def training_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What recipes with a [train] table need to know."""
    return _apply(
        function,
        click.option("--train-data", help="What to train on: .npz with inputs and targets, or file.py:function."),
        click.option("--eval", "evaluation", help="What the metric is taken on; default: a tenth of --train-data."),
        click.option(
            "--loss",
            help="cross_entropy (of logits), cross_entropy_probabilities, binary_cross_entropy, mse, mae, huber, "
            "or file.py:function.",
        ),
        click.option("--metric", help="accuracy, mse, mae, or file.py:function; default: what goes with the loss."),
        click.option("--metric-goal", type=click.Choice(["max", "min"]), help="For a metric of your own; default max."),
        click.option("--epochs", type=click.IntRange(1), help="Of each stage, over the recipe's."),
        click.option("--learning-rate", type=click.FloatRange(0, min_open=True), help="Over the recipe's."),
        click.option("--batch-size", type=click.IntRange(1), help="Samples for each step, over the recipe's."),
        click.option("--patience", type=click.IntRange(1), help="Epochs without a better metric that end a stage."),
        click.option(
            "--train-step", help="file.py:function of (model, batch) that does a whole step, instead of --loss."
        ),
        click.option("--fit", help="file.py:function of (model, data, hooks) that trains, instead of --loss."),
        click.option("--teacher", help="Model to distil from: as SOURCE; default: SOURCE itself."),
        click.option("--checkpoint", help="Folder for checkpoints; default: OUTPUT.checkpoint, gone when done."),
        click.option("--resume", is_flag=True, help="Go on from the checkpoint of an interrupted run."),
    )


def pixel_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How pixels become values."""
    return _apply(
        function,
        click.option("--image-resize", type=click.Choice(["stretch", "crop"]), default="stretch", show_default=True),
        click.option("--image-scale", type=Numbers(), default=(1 / 255,), help="Factor on pixels; default 1/255."),
        click.option(
            "--image-mean",
            type=Numbers(),
            default=(0.0,),
            help="Subtracted after scaling: one or one for each channel.",
        ),
        click.option("--image-std", type=Numbers(), default=(1.0,), help="Divided by last."),
        click.option("--image-order", type=click.Choice(["rgb", "bgr"]), default="rgb", show_default=True),
    )


def image_options(arguments: dict[str, Any]) -> ImageOptions:
    """Takes the image options out of a command's arguments."""
    from edge_sdk.data.images import ImageOptions

    return ImageOptions(
        resize=arguments.pop("image_resize"),
        scale=arguments.pop("image_scale")[0],
        mean=arguments.pop("image_mean"),
        std=arguments.pop("image_std"),
        order=arguments.pop("image_order"),
    )


def shapes_and_dtypes(
    inputs: Sequence[tuple[str, tuple[int, ...], str | None]],
) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """``--input`` values as the two mappings the Python functions take."""
    shapes = {name: shape for name, shape, _ in inputs}
    return shapes, {name: dtype for name, _, dtype in inputs if dtype}


def _apply(function: Callable[..., Any], *decorators: Decorator) -> Callable[..., Any]:
    for decorator in reversed(decorators):
        function = decorator(function)
    return function
