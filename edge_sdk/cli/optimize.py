"""``edge-sdk optimize``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_sdk.cli.early import check_data, check_shapes, check_source
from edge_sdk.cli.options import (
    html_option,
    image_options,
    lowering_options,
    moves_options,
    pixel_options,
    shapes_and_dtypes,
    source_options,
)
from edge_sdk.cli.options.completing import device_ids, files
from edge_sdk.cli.options.html import check_page_path, write_html
from edge_sdk.cli.options.kinds import Duration
from edge_sdk.cli.screen import OK, UNFIT, Screen, command

_POSITIVE = click.FloatRange(0, min_open=True)


@command(long=True, short_help="Find the best file for a device under budgets, with few evaluations.")
@click.argument("source", shell_complete=files)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for best.tflite, best.edge, recipe.toml, front.json, report.html and what --resume needs.",
)
@click.option(
    "--eval",
    "evaluation",
    shell_complete=files,
    required=True,
    metavar="DATA",
    help="What to measure on: a folder with a subfolder for each class, a .npz with labels, or data without labels.",
)
@click.option(
    "--metric",
    help="accuracy, top5, agreement (with the source), mse, mae, or file.py:function of (outputs, targets); default: "
    "accuracy, without labels agreement.",
)
@click.option("--metric-goal", type=click.Choice(["max", "min"]), help="For a metric of your own; default max.")
@click.option("--profile", metavar="ID", shell_complete=device_ids, help="Device to make it for; see `profiles list`.")
@click.option("--on", metavar="ADDRESS", help="Device whose time counts; default: this machine's CPU.")
@click.option(
    "--calibration-table",
    type=click.Path(path_type=Path),
    help="Predict times from it: what `devices calibrate` wrote. Default: calibration/ID.json beside the profile.",
)
@click.option(
    "--max-drop",
    type=click.FloatRange(0),
    help="Of the metric: points of a share, else its own unit. With no budget at all 0.5.",
)
@click.option("--max-latency-ms", type=_POSITIVE, help="Of one run.")
@click.option("--max-size-mib", type=_POSITIVE, help="Of the file.")
@click.option("--max-memory-mib", type=_POSITIVE, help="Of the process, predicted; needs --profile.")
@click.option("--max-compressed-mib", type=_POSITIVE, help="Of the file compressed (deflate), as an update sends it.")
@click.option(
    "--max-evals", type=click.IntRange(2), help="Files run over the data at most; default: what a proof needs."
)
@click.option("--budget", type=Duration(), metavar="TIME", help="Such as 90s, 30m or 2h: goes on improving as long.")
@click.option(
    "--move",
    "moves",
    multiple=True,
    metavar="NAME",
    help="Only these, after plain int8: int16, int16_groups, spare (ops in float), whole (other precisions), four_bit, "
    "ranges, tune, repair, qat, prune, cluster. Default: those that need nothing more; ranges, tune and repair with "
    "more time (--budget, --max-evals); qat and prune with --train-data, cluster with --max-compressed-mib besides.",
)
@click.option(
    "--require-confirmed",
    is_flag=True,
    help="Take no file of which data that the search did not see leaves open whether it is within --max-drop.",
)
@click.option("--resume", is_flag=True, help="Go on with the search that DIR holds.")
@click.option("--calibration", help="Data to observe ranges on; default: a fifth of --eval that nothing else sees.")
@click.option("--calibration-samples", type=click.IntRange(1), help="Use at most so many, chosen by --seed.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of all random choices.")
@pixel_options
@source_options
@lowering_options
@moves_options
@click.option("--work-dir", type=click.Path(path_type=Path), help="Keep all intermediate files there.")
@html_option
def optimize(
    screen: Screen,
    source: str,
    output: Path,
    inputs: tuple[Any, ...],
    budget: float | None,
    moves: tuple[str, ...],
    html: Path | None,
    **arguments: Any,
) -> int:
    """Find the best file of SOURCE for a device: as fast as can be at --max-drop, or as good as the budgets allow.

    The source as a float32 file is what all are compared with, sample by sample. Plain int8 is tried first; where it
    loses too much, a bisection finds which ops are to stay in float. DIR/best.tflite is the best that fits at all
    times: Ctrl-C loses one evaluation at most. With --train-data models are trained as well, the dearest at last.

    \b
    edge-sdk optimize model.keras --eval photos/ --max-drop 0.5 -o out/
    edge-sdk optimize model.onnx --eval val.npz --metric top5 --max-size-mib 3 --profile pixel-8 -o out/
    edge-sdk optimize model.keras --eval val.npz --train-data train.npz --loss cross_entropy -o out/
    edge-sdk optimize model.pt2 --eval val.npz --metric map.py:map50 --max-drop 0.01 --budget 30m -o out/

    The answer is tried once on samples that the search never saw: confirmed, contradicted (then it is no answer), or
    undecided, with how sure that is and how many samples would decide.

    Exit code 0 if a file fits, be it confirmed or undecided; 3 if nothing does, which with --require-confirmed is so of
    what stays undecided: the answer says what was nearest.
    """
    from edge_sdk.converters.search.optimizing import optimize as run_search
    from edge_sdk.converters.search.records import Budgets, Limits
    from edge_sdk.report.optimizing import optimizing_text

    check_page_path(html)
    check_source(source)
    check_data("--eval", arguments["evaluation"])
    check_data("--calibration", arguments["calibration"])
    check_data("--train-data", arguments["train_data"])
    shapes, dtypes = shapes_and_dtypes(inputs)
    names = ("max_drop", "max_latency_ms", "max_size_mib", "max_memory_mib", "max_compressed_mib")
    budgets = Budgets(**{name: arguments.pop(name) for name in names})
    limits = Limits(arguments.pop("max_evals"), budget)
    images = image_options(arguments)
    asked = {**arguments, "shapes": shapes, "images": images}
    check_shapes(source, arguments["evaluation"], asked=asked, with_targets=True)
    check_shapes(source, arguments["calibration"], asked=asked)
    screen.kept = f"what was found is in {output}; go on with --resume"
    result = run_search(
        source,
        output,
        progress=screen,
        budgets=budgets,
        limits=limits,
        moves=moves or None,
        shapes=shapes,
        dtypes=dtypes,
        images=images,
        **arguments,
    )
    write_html(result.as_json(), html or output / "report.html")
    screen.result(result.as_json(), optimizing_text(result))
    return OK if result.best else UNFIT
