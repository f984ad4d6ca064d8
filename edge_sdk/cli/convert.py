"""``edge-sdk convert``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_sdk.cli.options import bundle_options, data_options, image_options, shapes_and_dtypes, source_options
from edge_sdk.cli.screen import Screen, command

if TYPE_CHECKING:
    from edge_sdk.bundle.options import BundleOptions


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
    default=("float32",),
    show_default=True,
    help="Name, or a .toml file; may be repeated.",
)
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
@click.option("--bundle", "as_bundle", is_flag=True, help="Make --output one .edge bundle, a variant for each recipe.")
@bundle_options
@click.option("--work-dir", type=click.Path(path_type=Path), help="Keep all intermediate files there.")
def convert(
    screen: Screen,
    source: str,
    output: Path,
    recipes: tuple[str, ...],
    report: Path | None,
    inputs: tuple[Any, ...],
    no_timing: bool,
    as_bundle: bool,
    **arguments: Any,
) -> int | None:
    """Convert SOURCE to a .tflite file that computes the same, and show the proof.

    SOURCE is a .keras, .h5, .pt2, .onnx or float .tflite file, a SavedModel folder, or file.py:function that returns
    a model (with example inputs, for PyTorch).

    \b
    edge-sdk convert model.keras -o model.tflite
    edge-sdk convert model.pt2 -o model_int8.tflite -r int8 --calibration samples.npz
    edge-sdk convert model.keras -o model.edge --bundle -r float16 -r int8 --calibration data.npz --profile pixel-8
    edge-sdk convert model.onnx -o out/ -r float16 -r int8 --calibration photos/ --image-mean 0.5 --image-std 0.5
    """
    from edge_sdk.converters import convert_all
    from edge_sdk.files import check_writable, write_bytes
    from edge_sdk.report.text import conversion_text

    asked = _bundle_options(arguments, as_bundle=as_bundle)
    shapes, dtypes = shapes_and_dtypes(inputs)
    arguments |= {"shapes": shapes, "dtypes": dtypes, "images": image_options(arguments), "timing": not no_timing}
    if report:
        check_writable(report)
    if asked is not None:
        _convert_bundle(screen, source, output, recipes, asked, report, arguments)
        return None
    made = []
    reports = convert_all(source, _outputs(source, output, recipes), progress=screen, **arguments)
    for result in reports:
        made.append(result.as_json())
        if not screen.as_json:
            screen.done()
            click.echo(conversion_text(result))
    whole = made[0] if len(made) == 1 else {"conversions": made}
    if report:
        write_bytes(report, json.dumps(whole, indent=2, default=str).encode())
    if screen.as_json:
        screen.result(whole, "")
    return None


def _bundle_options(arguments: dict[str, Any], *, as_bundle: bool) -> BundleOptions | None:
    """The bundle's options; None where no bundle is asked for, and then none of them may be given."""
    from click.core import ParameterSource

    from edge_sdk.cli.bundle import BUNDLE_OPTIONS, options_from

    context = click.get_current_context()
    given = [name for name in BUNDLE_OPTIONS if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if as_bundle:
        return options_from(arguments)
    if given:
        flags = ", ".join(f"--{BUNDLE_OPTIONS[name]}" for name in given)
        raise click.UsageError(f"{flags}: only with --bundle")
    for name in BUNDLE_OPTIONS:
        arguments.pop(name)
    return None


def _convert_bundle(
    screen: Screen,
    source: str,
    output: Path,
    recipes: tuple[str, ...],
    asked: BundleOptions,
    report: Path | None,
    arguments: dict[str, Any],
) -> None:
    from edge_sdk.converters.bundling import convert_bundle
    from edge_sdk.files import write_bytes
    from edge_sdk.report.bundles import bundle_text
    from edge_sdk.report.text import conversion_text

    made = convert_bundle(source, output, recipes=recipes, bundle=asked, progress=screen, **arguments)
    if report:
        conversions = {"conversions": [one.as_json() for one in made.reports]}
        write_bytes(report, json.dumps(conversions, indent=2, default=str).encode())
    texts = [*(conversion_text(one) for one in made.reports), bundle_text(made.bundle)]
    screen.result(made.as_json(), "\n\n".join(texts))


def _outputs(source: str, output: Path, recipes: tuple[str, ...]) -> dict[str, Path]:
    """Recipe to the file to write: the output itself, or a name in it where it is a folder."""
    from edge_sdk.recipe import find_recipe

    names = {name: find_recipe(name).name for name in recipes}
    if output.is_dir():
        stem = Path(source.rpartition(":")[2] if ".py:" in source else source).stem
        return {name: output / f"{stem}_{resolved}.tflite" for name, resolved in names.items()}
    if len(recipes) > 1:
        raise click.UsageError(f"{len(recipes)} recipes need a folder for --output, and {output} is not one")
    return dict.fromkeys(recipes, output)
