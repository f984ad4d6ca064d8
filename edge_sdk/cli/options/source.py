"""How a model is opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from edge_sdk.cli.options.kinds import FixedInput, InputShape, apply


def source_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How to open a model."""
    return apply(
        function,
        click.option("--batch", type=click.IntRange(1), help="For an open first dimension; default 1."),
        click.option(
            "--input",
            "inputs",
            type=InputShape(),
            multiple=True,
            help="Shape (and dtype) of an input with open dimensions.",
        ),
        click.option(
            "--signature", help="Key of a SavedModel's signature; `compare` takes that of two .tflite files too."
        ),
        click.option("--trust-source", is_flag=True, help="Load files that could run code they carry."),
        group="Source",
    )


def shapes_and_dtypes(
    inputs: Sequence[tuple[str, tuple[int, ...], str | None]],
) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """``--input`` values as the two mappings the Python functions take."""
    shapes = {name: shape for name, shape, _ in inputs}
    return shapes, {name: dtype for name, _, dtype in inputs if dtype}


def lowering_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How it becomes a float file."""
    return apply(
        function,
        click.option(
            "--fix-input",
            "fixed",
            type=FixedInput(),
            multiple=True,
            callback=lambda _context, _parameter, value: dict(value),
            help="Numbers that an input of an ONNX or frozen graph shall always have: it is no input of the file then.",
        ),
        click.option(
            "--end-at",
            "ends",
            metavar="NAME",
            multiple=True,
            help="End an ONNX or frozen graph at this value, which becomes an output of the file; may be repeated.",
        ),
        click.option(
            "--layout",
            type=click.Choice(["nhwc", "source"]),
            default="nhwc",
            show_default=True,
            help="Of image inputs.",
        ),
        click.option(
            "--lowering", default="auto", show_default=True, help="For PyTorch: auto, onnx2tf or litert-torch."
        ),
        group="Source",
    )
