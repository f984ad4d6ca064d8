"""``edge-sdk convert``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_sdk.cli.colour import echo
from edge_sdk.cli.early import check_data, check_patterns, check_shapes, check_source
from edge_sdk.cli.options import (
    bundle_options,
    calibration_options,
    data_options,
    html_option,
    image_options,
    lowering_options,
    recipe_options,
    result_options,
    shapes_and_dtypes,
    source_options,
    training_options,
)
from edge_sdk.cli.options.completing import files, recipe_ids
from edge_sdk.cli.options.html import write_html
from edge_sdk.cli.outputs import Target, TargetPath, beside, converted_paths, stem_of
from edge_sdk.cli.screen import OK, UNFIT, Screen, command
from edge_sdk.cli.training import check_sensitivity, checkpoint_for, draw

if TYPE_CHECKING:
    from edge_sdk.bundle.options import BundleOptions
    from edge_sdk.converters.compilers.for_bundle import CompileFor
    from edge_sdk.converters.reports.conversion import ConversionReport


@command(
    long=True,
    short_help="Convert a model to .tflite and prove it against the source.",
    common=("output", "recipes", "calibration", "data", "profiles", "html", "as_bundle"),
)
@click.argument("source", shell_complete=files)
@click.option(
    "-o",
    "--output",
    type=Target(),
    help="File to write, or a folder (`out/`), made if absent. Default: SOURCE_RECIPE.tflite beside the source.",
)
@click.option(
    "-r",
    "--recipe",
    "recipes",
    multiple=True,
    shell_complete=recipe_ids,
    help="Name, or a .toml file; may be repeated. Default: what --profile is served best with, else float32. "
    "`edge-sdk recipes` says which one when.",
)
@click.option("--bundle", "as_bundle", is_flag=True, help="Make --output one .edge bundle, a variant for each recipe.")
@html_option
@calibration_options
@data_options
@recipe_options
@source_options
@lowering_options
@training_options
@result_options
@bundle_options
def convert(
    screen: Screen,
    source: str,
    output: TargetPath | None,
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

    SOURCE is a .keras, .h5, .pt2, .onnx, float .tflite or frozen .pb file, a SavedModel folder, or file.py:function
    that returns a model (with example inputs, for PyTorch).

    \b
    edge-sdk convert model.keras
    edge-sdk convert model.pt2 -o model_int8.tflite -r int8 --calibration samples.npz
    edge-sdk convert model.keras -o model.tflite --profile imx93 --calibration samples.npz
    edge-sdk convert model.keras -o m.tflite -r qat --train-data digits.npz --loss cross_entropy --epochs 5
    edge-sdk convert model.keras -o model.edge --bundle -r float16 -r int8 --calibration data.npz --profile pixel-8
    edge-sdk convert model.onnx -o out/ -r float16 -r int8 --calibration photos/ --image-mean 0.5 --image-std 0.5

    With --profile the file is checked against the device at the end: exit code 3 if it does not fit (it is kept).
    """
    from edge_sdk.cli.bundle import compile_from
    from edge_sdk.files import check_writable

    if output is not None and output.path.suffix == ".edge" and not as_bundle:
        raise click.UsageError(f"-o {output.path}: an .edge file is a bundle: add --bundle")
    compiling = compile_from(arguments) if as_bundle else None
    arguments["boxes"], arguments["classes"] = dict(arguments["boxes"]), dict(arguments["classes"])
    asked = _bundle_options(arguments, as_bundle=as_bundle)
    if asked is not None and arguments["repair"]:
        raise click.UsageError("--repair makes one file and its recipe; give that recipe to --bundle with -r")
    if sensitivity:
        check_sensitivity(sensitivity, recipes)
    check_source(source)
    _check_early(arguments)
    shapes, dtypes = shapes_and_dtypes(inputs)
    arguments |= {"shapes": shapes, "dtypes": dtypes, "images": image_options(arguments), "timing": not no_timing}
    check_shapes(source, arguments["calibration"], arguments["data"], asked=arguments)
    arguments["details"] = bool(html or report or screen.as_json)
    for target in filter(None, (report, html)):
        check_writable(target)
    cache = arguments.pop("cache")
    if cache and (asked is not None or sensitivity or arguments["repair"] or arguments["work_dir"]):
        raise click.UsageError("--cache keeps plain files: not with --bundle, --repair, --sensitivity or --work-dir")
    if cache:
        conversions, told = _from_cache(screen, cache, source, output, recipes, arguments)
        _write_both(conversions, report, html)
        return told
    with _refusal_told(html):
        if asked is not None:
            conversions, told = _convert_bundle(screen, source, output, recipes, asked, compiling, arguments), OK
        else:
            conversions, _, told = _convert_files(screen, source, output, recipes, sensitivity, arguments)
    _write_both(conversions, report, html)
    return told


def _write_both(conversions: dict[str, Any], report: Path | None, html: Path | None) -> None:
    from edge_sdk.files import write_bytes

    if report:
        write_bytes(report, json.dumps(conversions, indent=2, default=str).encode())
    write_html(conversions, html)


def _from_cache(
    screen: Screen,
    folder: Path,
    source: str,
    output: TargetPath | None,
    recipes: tuple[str, ...],
    arguments: dict[str, Any],
) -> tuple[dict[str, Any], int]:
    """The files as they were made before from the same; else made now, and kept."""
    from edge_sdk.cli.cache import ConversionCache
    from edge_sdk.converters.device import choose_recipe
    from edge_sdk.files import write_bytes
    from edge_sdk.profile.reading import find_profile
    from edge_sdk.recipe import find_recipe

    # A page or JSON may be asked for next time: details are kept in any case.
    arguments = {**arguments, "details": True}
    profile = find_profile(arguments["profiles"][0]) if arguments["profiles"] else None
    chosen = [choose_recipe(profile).recipe] if profile and not recipes else map(find_recipe, recipes or ("float32",))
    made_by = list(chosen)
    outputs = converted_paths(source, output, [one.name for one in made_by])
    asked = {**arguments, "profile": profile}
    cache = ConversionCache(folder, source, outputs, [one.as_json() for one in made_by], asked)
    kept = cache.load()
    if kept is not None:
        for path, data in kept.files.items():
            write_bytes(Path(path), data)
        screen.say(f"from {cache.folder}, {cache.key[:16]}: the same was converted before, and nothing was run")
        screen.result({**kept.data, "cached": cache.key}, "\n".join(kept.texts))
        return kept.data, kept.code
    conversions, texts, told = _convert_files(screen, source, output, recipes, None, arguments)
    every = conversions.get("conversions", [conversions])
    if any(one["compiled"] for one in every):
        screen.say("not kept: a compiler's file lies beside it")
    else:
        cache.store(outputs, conversions, texts, told)
    return conversions, told


def _check_early(arguments: dict[str, Any]) -> None:
    """Before anything that takes time is imported."""
    for option, name in (("--calibration", "calibration"), ("--data", "data"), ("--train-data", "train_data")):
        check_data(option, arguments[name])
    for option, name in (
        ("--keep-float-op", "keep_float_ops"),
        ("--keep-float-tensor", "keep_float_tensors"),
        ("--int16-op", "int16_ops"),
        ("--int16-tensor", "int16_tensors"),
    ):
        check_patterns(option, arguments[name])


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
    output: TargetPath | None,
    recipes: tuple[str, ...],
    sensitivity: Path | None,
    arguments: dict[str, Any],
) -> tuple[dict[str, Any], list[str], int]:
    """Shows each file when it is there; all of them as data and in words, and the exit code."""
    from edge_sdk.report.text import conversion_text

    made, texts, fits = [], [], True
    for result in _convert(source, output, recipes, progress=screen, **arguments):
        fits = fits and result.fits
        made.append(result.as_json())
        if sensitivity:
            draw(result, sensitivity)
        texts.append(conversion_text(result))
        if not screen.as_json:
            screen.done()
            echo(texts[-1])
    whole = made[0] if len(made) == 1 else {"conversions": made}
    if screen.as_json:
        screen.result(whole, "")
    return whole, texts, OK if fits else UNFIT


def _convert(
    source: str, output: TargetPath | None, recipes: tuple[str, ...], *, profiles: tuple[str, ...], **options: Any
) -> Iterator[ConversionReport]:
    """One file by the recipe that the profile is served best with, where none was named; else one for each recipe."""
    from edge_sdk.converters import convert, convert_all
    from edge_sdk.converters.device import choose_recipe
    from edge_sdk.profile.reading import find_profile
    from edge_sdk.recipe import find_recipe

    profile = find_profile(profiles[0]) if profiles else None
    if profile and not recipes:
        (target,) = converted_paths(source, output, [choose_recipe(profile).recipe.name])
        yield convert(source, target, profile=profile, **options)
        return
    names = recipes or ("float32",)
    resolved = [find_recipe(name).name for name in names]
    outputs = dict(zip(names, converted_paths(source, output, resolved), strict=True))
    options["checkpoint"] = checkpoint_for(options["checkpoint"], outputs, tune=bool(options["tune"]))
    yield from convert_all(source, outputs, profile=profile, **options)


def _bundle_options(arguments: dict[str, Any], *, as_bundle: bool) -> BundleOptions | None:
    """The bundle's options; None where no bundle is asked for, and then none of them may be given."""
    from click.core import ParameterSource

    from edge_sdk.cli.bundle import BUNDLE_OPTIONS, options_from

    context = click.get_current_context()
    if as_bundle:
        return options_from(arguments)
    # These two are a file's as well.
    only = [name for name in BUNDLE_OPTIONS if name not in ("profiles", "labels")]
    given = [name for name in only if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if given:
        flags = ", ".join(f"--{BUNDLE_OPTIONS[name]}" for name in given)
        raise click.UsageError(f"{flags}: only with --bundle")
    if len(arguments["profiles"]) > 1:
        raise click.UsageError("one --profile for a file; --bundle takes several")
    for name in only:
        arguments.pop(name)
    arguments["labels"] = dict(arguments["labels"])
    return None


def _convert_bundle(
    screen: Screen,
    source: str,
    output: TargetPath | None,
    recipes: tuple[str, ...],
    asked: BundleOptions,
    compiling: CompileFor | None,
    arguments: dict[str, Any],
) -> dict[str, Any]:
    from edge_sdk.converters.bundling import convert_bundle
    from edge_sdk.report.bundles import bundle_text
    from edge_sdk.report.text import conversion_text

    path = output.path if output else beside(source) / f"{stem_of(source)}.edge"
    made = convert_bundle(
        source, path, recipes=recipes or None, bundle=asked, compile_for=compiling, progress=screen, **arguments
    )
    texts = [*(conversion_text(one) for one in made.reports), bundle_text(made.bundle)]
    screen.result(made.as_json(), "\n\n".join(texts))
    return {"conversions": [one.as_json() for one in made.reports]}
