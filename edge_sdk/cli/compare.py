"""``edge-sdk compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_sdk.cli.early import check_data, check_shapes, check_source
from edge_sdk.cli.options import (
    call_option,
    data_options,
    html_option,
    image_options,
    shapes_and_dtypes,
    source_options,
    time_limit_option,
)
from edge_sdk.cli.options.completing import files
from edge_sdk.cli.options.html import check_page_path, write_html
from edge_sdk.cli.screen import OK, UNFIT, Screen, command


@command(short_help="Run two models on the same data and compare their outputs.")
@click.argument("reference", shell_complete=files)
@click.argument("candidate", shell_complete=files)
@data_options
@source_options
@click.option("--min-sqnr-db", type=float, help="What every output must reach.")
@click.option("--max-abs-error", type=float, help="What no value may exceed.")
@click.option("--tensors", is_flag=True, help="Compare intermediate results with a .tflite CANDIDATE's too.")
@time_limit_option
@call_option
@html_option
def compare(
    screen: Screen, reference: str, candidate: str, inputs: tuple[Any, ...], html: Path | None, **arguments: Any
) -> int:
    """Run REFERENCE and CANDIDATE on the same samples and compare their outputs by name.

    Both may be anything that `convert` takes. Exit code 3 if an output is beyond its bound: --min-sqnr-db,
    --max-abs-error, or by default float32 rounding for a float .tflite.
    """
    from edge_sdk.converters.comparing import compare as run_comparison
    from edge_sdk.report.comparing import comparison_text

    check_page_path(html)
    check_source(reference)
    check_source(candidate)
    check_data("--data", arguments["data"])
    shapes, dtypes = shapes_and_dtypes(inputs)
    images = image_options(arguments)
    arguments["boxes"], arguments["classes"] = dict(arguments["boxes"]), dict(arguments["classes"])
    if not arguments["calls"]:  # arrays are named LABEL/NAME then
        check_shapes(reference, arguments["data"], asked={**arguments, "shapes": shapes, "images": images})
    result = run_comparison(
        reference, candidate, progress=screen, shapes=shapes, dtypes=dtypes, images=images, **arguments
    )
    write_html(result.as_json(), html)
    screen.result(result.as_json(), comparison_text(result))
    return OK if result.ok else UNFIT
