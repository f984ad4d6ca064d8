"""``edge-sdk convert``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_sdk.cli.options import (
    bundle_options,
    data_options,
    html_option,
    image_options,
    lowering_options,
    recipe_options,
    shapes_and_dtypes,
    source_options,
    training_options,
)
from edge_sdk.cli.options.html import write_html
from edge_sdk.cli.screen import OK, UNFIT, Screen, command
from edge_sdk.cli.training import check_sensitivity, checkpoint_for, draw

if TYPE_CHECKING:
    from edge_sdk.bundle.options import BundleOptions
    from edge_sdk.converters.reports.conversion import ConversionReport


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
@click.option("--calibration", help="Data to observe ranges on, for int8 and int16 activations.")
@click.option("--calibration-samples", type=click.IntRange(1), help="Use at most so many, chosen by --seed.")
@data_options
@source_options
@training_options
@lowering_options
@recipe_options
@click.option("--keep-unverified", is_flag=True, help="Write the file even if it is beyond its bound.")
@click.option("--no-timing", is_flag=True, help="Do not measure it against the float file.")
@click.option("--report", type=click.Path(path_type=Path), help="Write the full report there, as JSON.")
@html_option
@click.option(
    "--sensitivity",
    type=click.Path(path_type=Path),
    help="Draw there what each layer can lose (.png, .svg, .pdf), for recipes that prune by it.",
)
@click.option("--bundle", "as_bundle", is_flag=True, help="Make --output one .edge bundle, a variant for each recipe.")
@bundle_options
@click.option("--work-dir", type=click.Path(path_type=Path), help="Keep all intermediate files there.")
def convert(
    screen: Screen,
    source: str,
    output: Path,
    recipes: tuple[str, ...],
    report: Path | None,
    html: Path | None,
    sensitivity: Path | None,
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
    edge-sdk convert model.keras -o model.tflite --profile imx93 --calibration samples.npz
    edge-sdk convert model.keras -o m.tflite -r qat --train-data digits.npz --loss cross_entropy --epochs 5
    edge-sdk convert model.keras -o model.edge --bundle -r float16 -r int8 --calibration data.npz --profile pixel-8
    edge-sdk convert model.onnx -o out/ -r float16 -r int8 --calibration photos/ --image-mean 0.5 --image-std 0.5

    With --profile the file is checked against the device at the end: exit code 3 if it does not fit (it is kept).
    """
    from edge_sdk.files import check_writable, write_bytes

    asked = _bundle_options(arguments, as_bundle=as_bundle)
    shapes, dtypes = shapes_and_dtypes(inputs)
    arguments |= {"shapes": shapes, "dtypes": dtypes, "images": image_options(arguments), "timing": not no_timing}
    arguments["details"] = bool(html or report or screen.as_json)
    for target in filter(None, (report, html)):
        check_writable(target)
    if sensitivity:
        check_sensitivity(sensitivity, recipes)
    with _refusal_told(html):
        if asked is not None:
            conversions, told = _convert_bundle(screen, source, output, recipes, asked, arguments), OK
        else:
            conversions, told = _convert_files(screen, source, output, recipes, sensitivity, arguments)
    if report:
        write_bytes(report, json.dumps(conversions, indent=2, default=str).encode())
    write_html(conversions, html)
    return told


@contextmanager
def _refusal_told(html: Path | None) -> Iterator[None]:
    """A page of a file that was refused, too: there it is needed most."""
    from edge_sdk.errors import ParityError

    try:
        yield
    except ParityError as error:
        if error.report is not None:
            write_html(error.as_json(), html)
        raise


def _convert_files(
    screen: Screen,
    source: str,
    output: Path,
    recipes: tuple[str, ...],
    sensitivity: Path | None,
    arguments: dict[str, Any],
) -> tuple[dict[str, Any], int]:
    """Shows each file when it is there; all of them as data, and the exit code."""
    from edge_sdk.report.text import conversion_text

    made, fits = [], True
    for result in _convert(source, output, recipes, progress=screen, **arguments):
        fits = fits and result.fits
        made.append(result.as_json())
        if sensitivity:
            draw(result, sensitivity)
        if not screen.as_json:
            screen.done()
            click.echo(conversion_text(result))
    whole = made[0] if len(made) == 1 else {"conversions": made}
    if screen.as_json:
        screen.result(whole, "")
    return whole, OK if fits else UNFIT


def _convert(
    source: str, output: Path, recipes: tuple[str, ...], *, profiles: tuple[str, ...], **options: Any
) -> Iterator[ConversionReport]:
    """One file by the recipe that the profile is served best with, where none was named; else one for each recipe."""
    from edge_sdk.converters import convert, convert_all
    from edge_sdk.converters.device import choose_recipe
    from edge_sdk.profile.reading import find_profile

    if len(profiles) > 1:
        raise click.UsageError("one --profile for a file; --bundle takes several")
    profile = find_profile(profiles[0]) if profiles else None
    if profile and not recipes:
        target = _in_folder(source, output, choose_recipe(profile).recipe.name) if output.is_dir() else output
        yield convert(source, target, profile=profile, **options)
        return
    outputs = _outputs(source, output, recipes or ("float32",))
    options["checkpoint"] = checkpoint_for(options["checkpoint"], outputs)
    yield from convert_all(source, outputs, profile=profile, **options)


def _in_folder(source: str, folder: Path, recipe: str) -> Path:
    stem = Path(source.rpartition(":")[2] if ".py:" in source else source).stem
    return folder / f"{stem}_{recipe}.tflite"


def _bundle_options(arguments: dict[str, Any], *, as_bundle: bool) -> BundleOptions | None:
    """The bundle's options; None where no bundle is asked for, and then none of them may be given."""
    from click.core import ParameterSource

    from edge_sdk.cli.bundle import BUNDLE_OPTIONS, options_from

    context = click.get_current_context()
    if as_bundle:
        return options_from(arguments)
    only = [name for name in BUNDLE_OPTIONS if name != "profiles"]
    given = [name for name in only if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if given:
        flags = ", ".join(f"--{BUNDLE_OPTIONS[name]}" for name in given)
        raise click.UsageError(f"{flags}: only with --bundle")
    for name in only:
        arguments.pop(name)
    return None


def _convert_bundle(
    screen: Screen,
    source: str,
    output: Path,
    recipes: tuple[str, ...],
    asked: BundleOptions,
    arguments: dict[str, Any],
) -> dict[str, Any]:
    from edge_sdk.converters.bundling import convert_bundle
    from edge_sdk.report.bundles import bundle_text
    from edge_sdk.report.text import conversion_text

    made = convert_bundle(source, output, recipes=recipes or None, bundle=asked, progress=screen, **arguments)
    texts = [*(conversion_text(one) for one in made.reports), bundle_text(made.bundle)]
    screen.result(made.as_json(), "\n\n".join(texts))
    return {"conversions": [one.as_json() for one in made.reports]}


def _outputs(source: str, output: Path, recipes: tuple[str, ...]) -> dict[str, Path]:
    """Recipe to the file to write: the output itself, or a name in it where it is a folder."""
    from edge_sdk.recipe import find_recipe

    names = {name: find_recipe(name).name for name in recipes}
    if output.is_dir():
        return {name: _in_folder(source, output, resolved) for name, resolved in names.items()}
    if len(recipes) > 1:
        raise click.UsageError(f"{len(recipes)} recipes need a folder for --output, and {output} is not one")
    return dict.fromkeys(recipes, output)
