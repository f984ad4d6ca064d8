"""``edge-sdk convert``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edge_sdk.cli.options import data_options, image_options, shapes_and_dtypes, source_options, training_options
from edge_sdk.cli.screen import Screen, command


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
@training_options
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
@click.option(
    "--sensitivity",
    type=click.Path(path_type=Path),
    help="Draw there what each layer can lose (.png, .svg, .pdf), for recipes that prune by it.",
)
@click.option("--work-dir", type=click.Path(path_type=Path), help="Keep all intermediate files there.")
def convert(
    screen: Screen,
    source: str,
    output: Path,
    recipes: tuple[str, ...],
    report: Path | None,
    sensitivity: Path | None,
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
    edge-sdk convert model.keras -o m.tflite -r qat --train-data digits.npz --loss cross_entropy --epochs 5
    edge-sdk convert model.onnx -o out/ -r float16 -r int8 --calibration photos/ --image-mean 0.5 --image-std 0.5
    """
    from edge_sdk.converters import convert_all
    from edge_sdk.files import check_writable, write_bytes
    from edge_sdk.report.text import conversion_text

    outputs = _outputs(source, output, recipes)
    shapes, dtypes = shapes_and_dtypes(inputs)
    images = image_options(arguments)
    if report:
        check_writable(report)
    if sensitivity:
        _check_sensitivity(sensitivity, recipes)
    made = []
    arguments = {**arguments, "checkpoint": _checkpoint(arguments["checkpoint"], outputs)}
    reports = convert_all(
        source,
        outputs,
        progress=screen,
        shapes=shapes,
        dtypes=dtypes,
        images=images,
        timing=not no_timing,
        **arguments,
    )
    for result in reports:
        made.append(result.as_json())
        if sensitivity:
            _draw(result, sensitivity)
        if not screen.as_json:
            screen.done()
            click.echo(conversion_text(result))
    whole = made[0] if len(made) == 1 else {"conversions": made}
    if report:
        write_bytes(report, json.dumps(whole, indent=2, default=str).encode())
    if screen.as_json:
        screen.result(whole, "")
    return None


def _check_sensitivity(picture: Path, recipes: tuple[str, ...]) -> None:
    """Said before training, not after it."""
    from edge_sdk.errors import RecipeError
    from edge_sdk.recipe import find_recipe
    from edge_sdk.report.sensitivity import check_drawable

    trains = [find_recipe(name).train for name in recipes]
    if len(recipes) != 1 or not (trains[0] and trains[0].prune and trains[0].prune.by_sensitivity):
        raise RecipeError(
            f"--sensitivity: {', '.join(recipes)} does not prune by sensitivity",
            hint="one recipe whose [train.prune] has a macs_ratio, size_ratio or time_ratio, or allocation = "
            '"sensitivity"',
        )
    check_drawable(picture)


def _draw(result: Any, picture: Path) -> None:
    from edge_sdk.report.sensitivity import draw_sensitivity

    for stage in result.training.stages:
        if "sensitivity" in stage.facts:
            draw_sensitivity(stage.facts["sensitivity"], picture, metric=result.training.metric)


def _checkpoint(given: str | None, outputs: dict[str, Path]) -> str | None:
    """Where training keeps its checkpoints, beside the output unless the user says otherwise."""
    from edge_sdk.recipe import find_recipe

    training = [path for name, path in outputs.items() if find_recipe(name).train is not None]
    if given or not training:
        return given
    return f"{training[0]}.checkpoint"


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
