"""What becomes of a conversion besides the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from edge_sdk.cli.options.kinds import apply


def result_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Reports, pictures, and what is kept."""
    path = click.Path(path_type=Path)
    return apply(
        function,
        click.option("--report", type=path, help="Write the full report there, as JSON."),
        click.option(
            "--sensitivity",
            type=path,
            help="Draw there what each layer can lose (.png, .svg, .pdf), for recipes that prune by it.",
        ),
        click.option("--allow-slow", is_flag=True, help="Write int16 files even where slower than float."),
        click.option("--keep-unverified", is_flag=True, help="Write the file even if it is beyond its bound."),
        click.option("--no-timing", is_flag=True, help="Do not measure it against the float file."),
        click.option(
            "--cache",
            type=path,
            metavar="DIR",
            help="Keep the result there by the content of all that it reads; the same again then takes no time.",
        ),
        click.option("--work-dir", type=path, help="Keep all intermediate files there."),
        group="Files",
    )
