"""``edge-sdk convert``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_sdk.cli.options import data_options, image_options, shapes_and_dtypes, source_options
from edge_sdk.cli.screen import OK, UNFIT, Screen, command

if TYPE_CHECKING:
    from edge_sdk.report.conversion import ConversionReport


@command(short_help="Convert a model to .tflite and prove it against the source.")
@click.argument("source")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="File to write; a folder for several recipes.",
)
@click.option(
    "-r",
    "--recipe",
    "recipes",
    multiple=True,
    help="Name, or a .toml file; may be repeated. Default: what --profile is served best with, else float32.",
)
@click.option("--profile", metavar="ID", help="Device to convert for and to check against; see `profiles list`.")
@click.option("--calibration", help="Data to observe ranges on, for int8 and int16 activations.")
@click.option("--calibration-samples", type=click.IntRange(1), help="Use at most so many, chosen by --seed.")
@data_options
@source_options
@click.option(
    "--layout", type=click.Choice(["nhwc", "source"]), default="nhwc", show_default=True, help="Of image inputs."
)
@click.option("--lowering", default="auto", show_default=True, help="For PyTorch: auto, onnx2tf or litert-torch.")
@click.option(
    "--io",
    type=click.Choice(["float32", "int8", "uint8", "int16"]),
    help="Type of inputs and outputs, over the recipe's.",
)
@click.option(
    "--weights",
    "granularity",
    type=click.Choice(["per_channel", "per_tensor"]),
    help="Scales of int8 weights, over the recipe's.",
)
@click.option(
    "--keep-float-op", "keep_float_ops", multiple=True, metavar="REGEX", help="Leave ops of matching types in float."
)
@click.option(
    "--keep-float-tensor",
    "keep_float_tensors",
    multiple=True,
    metavar="REGEX",
    help="Leave ops with matching result names in float.",
)
@click.option("--min-sqnr-db", type=float, help="What every output must reach, instead of the derived bound.")
@click.option("--keep-unverified", is_flag=True, help="Write the file even if it is beyond its bound.")
@click.option("--no-timing", is_flag=True, help="Do not measure it against the float file.")
@click.option("--report", type=click.Path(path_type=Path), help="Write the full report there, as JSON.")
@click.option("--work-dir", type=click.Path(path_type=Path), help="Keep all intermediate files there.")
def convert(
    screen: Screen,
    source: str,
    output: Path,
    recipes: tuple[str, ...],
    profile: str | None,
    report: Path | None,
    inputs: tuple[Any, ...],
    no_timing: bool,
    **arguments: Any,
) -> int | None:
    """Convert SOURCE to a .tflite file that computes the same, and show the proof.

    SOURCE is a .keras, .h5, .pt2, .onnx or float .tflite file, a SavedModel folder, or file.py:function that returns
    a model (with example inputs, for PyTorch).

    \b
    edge-sdk convert model.keras -o model.tflite
    edge-sdk convert model.pt2 -o model_int8.tflite -r int8 --calibration samples.npz
    edge-sdk convert model.keras -o model.tflite --profile imx93 --calibration samples.npz
    edge-sdk convert model.onnx -o out/ -r float16 -r int8 --calibration photos/ --image-mean 0.5 --image-std 0.5

    With --profile the file is checked against the device at the end: exit code 3 if it does not fit (it is kept).
    """
    from edge_sdk.files import check_writable, write_bytes
    from edge_sdk.report.text import conversion_text

    shapes, dtypes = shapes_and_dtypes(inputs)
    images = image_options(arguments)
    if report:
        check_writable(report)
    made, fits = [], True
    reports = _convert(
        source,
        output,
        recipes,
        profile=profile,
        progress=screen,
        shapes=shapes,
        dtypes=dtypes,
        images=images,
        timing=not no_timing,
        **arguments,
    )
    for result in reports:
        fits = fits and result.fits
        made.append(result.as_json())
        if not screen.as_json:
            screen.done()
            click.echo(conversion_text(result))
    whole = made[0] if len(made) == 1 else {"conversions": made}
    if report:
        write_bytes(report, json.dumps(whole, indent=2, default=str).encode())
    if screen.as_json:
        screen.result(whole, "")
    return OK if fits else UNFIT


def _convert(
    source: str, output: Path, recipes: tuple[str, ...], *, profile: str | None, **options: Any
) -> Iterator[ConversionReport]:
    """One file by the recipe that the profile is served best with, where none was named; else one for each recipe."""
    from edge_sdk.converters import convert, convert_all
    from edge_sdk.converters.device import choose_recipe
    from edge_sdk.profile.reading import find_profile

    if profile and not recipes:
        device = find_profile(profile)
        target = _in_folder(source, output, choose_recipe(device).recipe.name) if output.is_dir() else output
        yield convert(source, target, profile=device, **options)
        return
    outputs = _outputs(source, output, recipes or ("float32",))
    yield from convert_all(source, outputs, profile=profile, **options)


def _in_folder(source: str, folder: Path, recipe: str) -> Path:
    stem = Path(source.rpartition(":")[2] if ".py:" in source else source).stem
    return folder / f"{stem}_{recipe}.tflite"


def _outputs(source: str, output: Path, recipes: tuple[str, ...]) -> dict[str, Path]:
    """Recipe to the file to write: the output itself, or a name in it where it is a folder."""
    from edge_sdk.recipe import find_recipe

    names = {name: find_recipe(name).name for name in recipes}
    if output.is_dir():
        return {name: _in_folder(source, output, resolved) for name, resolved in names.items()}
    if len(recipes) > 1:
        raise click.UsageError(f"{len(recipes)} recipes need a folder for --output, and {output} is not one")
    return dict.fromkeys(recipes, output)
