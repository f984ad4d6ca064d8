"""What goes into a bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from edge_sdk.cli.options.completing import device_ids
from edge_sdk.cli.options.kinds import NamedFile, apply


def bundle_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What goes into a bundle beside the models."""
    path = click.Path(path_type=Path)
    return apply(
        function,
        click.option("--name", help="Of the bundle; default: the output's name without its suffix."),
        click.option(
            "--profile",
            "profiles",
            multiple=True,
            metavar="ID",
            shell_complete=device_ids,
            help="Device to make it for and to check it against; see `profiles list`. A bundle takes several.",
        ),
        click.option(
            "--labels", type=NamedFile(), multiple=True, help="A name for each index, a line each; into the file."
        ),
        click.option("--softmax", is_flag=True, help="Outputs with labels or a ranking hold logits."),
        click.option("--top-k", type=click.IntRange(1), help="Rank the K largest values of an output."),
        click.option("--min-score", type=float, default=0.0, show_default=True, help="Rank none below it."),
        click.option("--processing", type=path, help="JSON with all steps of inputs and outputs, instead."),
        click.option(
            "--golden-samples", type=click.IntRange(0), default=4, show_default=True, help="Runs of the self-test."
        ),
        click.option(
            "--compile",
            "compile_for",
            multiple=True,
            metavar="PROFILE",
            help="Also a variant that is compiled for this device's NPU, see `edge-sdk compile`; may be repeated.",
        ),
        click.option(
            "--accept-license",
            "accepted",
            multiple=True,
            metavar="COMPILER",
            help="You accept its licence, for --compile; may be repeated.",
        ),
        click.option("--compiler-env", type=path, help="Python environment that holds the compilers, for --compile."),
        click.option("--sign", type=path, multiple=True, metavar="KEY", help="Private key (PEM); may be repeated."),
        click.option("--passphrase-file", type=path, help="First line decrypts the keys."),
        click.option(
            "--tflite-metadata/--no-tflite-metadata",
            default=True,
            show_default=True,
            help="Write TFLite Metadata into the models too.",
        ),
        group="Bundle",
    )
