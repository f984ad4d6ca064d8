"""``edge-sdk bundle``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_sdk.cli.options import bundle_options, call_option, image_options, pixel_options
from edge_sdk.cli.screen import Screen, command

if TYPE_CHECKING:
    from edge_sdk.bundle.options import BundleOptions
    from edge_sdk.converters.compilers.for_bundle import CompileFor

BUNDLE_OPTIONS = {
    "name": "name",
    "profiles": "profile",
    "labels": "labels",
    "softmax": "softmax",
    "top_k": "top-k",
    "min_score": "min-score",
    "processing": "processing",
    "golden_samples": "golden-samples",
    "sign": "sign",
    "passphrase_file": "passphrase-file",
    "tflite_metadata": "tflite-metadata",
    "compile_for": "compile",
    "accepted": "accept-license",
    "compiler_env": "compiler-env",
}
"""Argument to flag, of what ``edge_sdk.cli.options.bundle_options`` adds."""
_KEY = click.Path(path_type=Path, dir_okay=False)


@click.group(short_help="Bundles: create, inspect, verify, keygen.")
def bundle() -> None:
    """Bundles: one .edge file with a model's variants and all that a device needs to verify and use them.

    A bundle is a plain ZIP that any tool can list. Nothing in it is encrypted, signed or not.
    """


@command(name="create", short_help="Make a bundle from .tflite files.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="File to write, NAME.edge.")
@click.option("--golden", metavar="DATA", help="Inputs of the self-test; default: seeded ones.")
@click.option("--report", "reports", multiple=True, type=_KEY, help="What `convert --report` wrote; may be repeated.")
@click.option("--source", type=click.Path(path_type=Path), help="What the files were converted from, for its hash.")
@call_option
@bundle_options
@pixel_options
def create_command(
    screen: Screen,
    files: tuple[Path, ...],
    output: Path,
    golden: str | None,
    reports: tuple[Path, ...],
    source: Path | None,
    **arguments: Any,
) -> None:
    """Make a bundle from FILES, .tflite files of one model: a variant each.

    Every variant is described, held against the profiles (predicted), and run here on the CPU for the golden outputs of
    the self-test; with --call also calls of several signatures in a row, whose samples --golden then holds. Equal
    inputs make equal bytes.

    \b
    edge-sdk bundle create model_fp16.tflite model_int8.tflite -o model.edge --profile pixel-8
    edge-sdk bundle create model.tflite -o model.edge --image-mean 0.5 --image-std 0.5 --labels labels.txt --top-k 5
    edge-sdk bundle create model.tflite -o model.edge --golden samples.npz --sign key.pem
    edge-sdk bundle create model_int8.tflite -o model.edge --compile imx93 --compile xiaomi-14 --accept-license qualcomm
    edge-sdk bundle create lm.tflite -o lm.edge --call prefill --call decode --call decode --golden prompts.npz
    """
    from edge_sdk.bundle.creating import create_bundle
    from edge_sdk.bundle.sources import read_reports, source_facts
    from edge_sdk.report.bundles import bundle_text

    asked = compile_from(arguments)
    options = options_from(arguments, golden=golden)
    options["reports"] = read_reports(reports)
    options["source"] = source_facts(source, None) if source else None
    if asked is not None:
        from edge_sdk.converters.compilers.for_bundle import chips_of, compiled_files

        options["compiled"] = tuple(compiled_files(files, chips_of(asked), asked, screen))
    made = create_bundle(files, output, progress=screen, **options)
    screen.result(made.as_json(), bundle_text(made))


@command(name="inspect", short_help="Show what a bundle holds.")
@click.argument("path", metavar="BUNDLE", type=click.Path(path_type=Path))
def inspect_command(screen: Screen, path: Path) -> None:
    """Show what BUNDLE says of itself: variants, devices they were checked for, processing, self-test, provenance.

    Its form and manifest are checked; its members and signature are `bundle verify`'s.
    """
    show_bundle(screen, path)


def show_bundle(screen: Screen, path: Path) -> None:
    """What a bundle says of itself."""
    from edge_sdk.bundle.reading import open_bundle
    from edge_sdk.report.bundles import inspect_text

    with open_bundle(path) as opened:
        data = {"bundle": str(path), "size_bytes": path.stat().st_size, "trust": opened.trust}
        screen.result({**data, "manifest": opened.manifest.as_json()}, inspect_text(opened))


@command(name="verify", short_help="Check every byte of a bundle, and who signed it.")
@click.argument("path", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.option("--key", "keys", multiple=True, type=_KEY, help="Trusted public key (PEM); may be repeated.")
def verify_command(screen: Screen, path: Path, keys: tuple[Path, ...]) -> None:
    """Check every byte of BUNDLE: form, manifest, hashes, models, golden values, labels, processing.

    With --key one of the keys must have signed it. Without, a signature is not checked, and the result says so. Exit
    code 1 if anything is wrong.
    """
    from edge_sdk.bundle.verifying import verify_bundle
    from edge_sdk.report.bundles import verify_text

    checked = verify_bundle(path, trusted_keys=keys, progress=screen)
    screen.result(checked.as_json(), verify_text(checked))


@command(name="keygen", short_help="Make a key pair for signing.")
@click.argument("path", metavar="KEY", type=_KEY)
@click.option("--passphrase-file", type=_KEY, help="Encrypt the private key with the first line of this file.")
def keygen_command(screen: Screen, path: Path, passphrase_file: Path | None) -> None:
    """Make an Ed25519 key pair: the private key in KEY, to be kept secret, the public key in KEY.pub, for devices."""
    from edge_sdk.bundle.signing import make_keys, read_passphrase

    public, name = make_keys(path, passphrase=read_passphrase(passphrase_file))
    locked = "encrypted" if passphrase_file else "NOT encrypted: whoever can read it can sign"
    text = f"key {name}\n  private  {path} (mode 0600, {locked})\n  public   {public} (for devices: --key)"
    screen.result({"key_id": name, "private": str(path), "public": str(public)}, text)


def compile_from(arguments: dict[str, Any]) -> CompileFor | None:
    """For which NPUs, taken out of a command's arguments; None where no device was named."""
    profiles, accepted, python = (arguments.pop(name) for name in ("compile_for", "accepted", "compiler_env"))
    if not profiles:
        if accepted or python:
            raise click.UsageError("--accept-license and --compiler-env are of --compile: name a device by it")
        return None
    from edge_sdk.converters.compilers.for_bundle import CompileFor

    return CompileFor(profiles, accepted, python)


def options_from(arguments: dict[str, Any], *, golden: str | None = None) -> BundleOptions:
    """The bundle's options, taken out of a command's arguments; the image options stay, for samples that are images."""
    from edge_sdk.bundle.asked import ProcessingOptions
    from edge_sdk.bundle.options import Golden, Signing
    from edge_sdk.bundle.signing import read_passphrase

    images = _images(arguments, golden)
    labels = dict(arguments.pop("labels"))
    return {
        "name": arguments.pop("name"),
        "profiles": arguments.pop("profiles"),
        "processing": ProcessingOptions(
            images=images,
            labels=labels,
            softmax=arguments.pop("softmax"),
            top_k=arguments.pop("top_k"),
            min_score=arguments.pop("min_score"),
            file=arguments.pop("processing"),
        ),
        "golden": Golden(golden, arguments.pop("golden_samples"), calls=arguments.pop("calls", ())),
        "signing": Signing(arguments.pop("sign"), read_passphrase(arguments.pop("passphrase_file"))),
        "tflite_metadata": arguments.pop("tflite_metadata"),
    }


def _images(arguments: dict[str, Any], golden: str | None) -> Any:
    """Image options go into the manifest if any was given, or the samples are images and so were made by them."""
    from click.core import ParameterSource

    context = click.get_current_context()
    names = [name for name in arguments if name.startswith("image_")]
    given = any(context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in names)
    folders = [data for data in (golden, arguments.get("data"), arguments.get("calibration")) if data]
    used = given or any(Path(data).is_dir() for data in folders)
    return image_options(dict(arguments)) if used else None


for _command in (create_command, inspect_command, verify_command, keygen_command):
    bundle.add_command(_command)
