"""``edge-sdk run``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_sdk.cli.options import image_options, pixel_options
from edge_sdk.cli.screen import Screen, command

_TOP = 5


@command(short_help="Run a .tflite file on data.")
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option(
    "--input",
    "data",
    required=True,
    metavar="DATA",
    help=".npz (arrays named after inputs), .npy, images, or file.py:function.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write all outputs there, as .npz.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="CPU threads.")
@click.option("--engine", help="ai-edge-litert or tflite-runtime; default: the first installed.")
@click.option("--raw", is_flag=True, help="Take and give a quantized file's own integers, not real values.")
@pixel_options
def run(
    screen: Screen,
    artifact: Path,
    data: str,
    output: Path | None,
    threads: int,
    engine: str | None,
    raw: bool,
    **images: Any,
) -> None:
    """Run ARTIFACT on every sample of DATA, on this machine's CPU, and write or summarise the outputs.

    Inputs and outputs are real values: for a quantized file they are rounded to and from its own scales, unless --raw.
    """
    from edge_sdk.files import check_writable
    from edge_sdk.runtime.batch import run_data, write_npz
    from edge_sdk.runtime.runner import Runner

    if output:
        check_writable(output)
    runner = Runner(artifact, threads=threads, engine=engine)
    result = run_data(runner, data, images=image_options(images), raw=raw, progress=screen)
    if output:
        write_npz(output, result.outputs)
    screen.result(result.as_json() | {"output": str(output) if output else None}, result.text(_TOP))
