"""``edge-sdk benchmark``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_sdk.cli.options import (
    call_option,
    delegate_option,
    html_option,
    on_option,
    parallel_options,
    session_options,
    signature_option,
    time_limit_option,
)
from edge_sdk.cli.options.html import write_html
from edge_sdk.cli.screen import UNFIT, Screen, command

if TYPE_CHECKING:
    from edge_sdk.measure.records import Benchmark


@command(short_help="Measure latency with the conditions it was taken under, or say INVALID.")
@click.argument("artifacts", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="ARTIFACT...")
@delegate_option("repeat to compare. No fallback, but for `auto`.")
@parallel_options(several=True)
@click.option("--quick", is_flag=True, help="64 queries and 2 s instead of MLPerf's 1,024 and 60 s: not to be quoted.")
@click.option("--runs", type=click.IntRange(1), metavar="N", help="At least N queries, instead.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), metavar="S", help="At least S seconds, instead.")
@click.option(
    "--max-seconds",
    type=click.FloatRange(0, min_open=True),
    metavar="S",
    help="For each; then it ends, however few there are. Default: 600, but at least 10 queries.",
)
@click.option(
    "--sustained",
    type=click.FloatRange(2),
    metavar="MINUTES",
    help="Without a break; the last minute against the first.",
)
@click.option(
    "--margin",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.02,
    show_default=True,
    help="A difference of less does not matter.",
)
@click.option("--input", "data", metavar="DATA", help="Run on its first sample; default: golden or seeded inputs.")
@click.option("--ops", is_flag=True, help="Times of single ops too, in runs of their own, where the engine gives them.")
@session_options
@signature_option
@call_option
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the result there, as JSON.")
@html_option
@click.option("--pictures", type=click.Path(path_type=Path), help="Write SVGs into this folder (extra `report`).")
@time_limit_option
@on_option
def benchmark(
    screen: Screen,
    artifacts: tuple[Path, ...],
    delegates: tuple[str, ...],
    threads: tuple[Any, ...],
    replicas: tuple[int, ...],
    output: Path | None,
    html: Path | None,
    pictures: Path | None,
    on: tuple[str, ...],
    **arguments: Any,
) -> int | None:
    """Measure the latency of ARTIFACTs, .tflite files or bundles, on this machine or, with --on, on others.

    All combinations of files, delegates, threads and replicas are taken in turn and compared with the first, by the
    time per run: one query is a run of every replica, side by side. Warm-up ends when
    latency has settled. The clock, temperatures, other programs and this process's own waiting are watched; where they
    or the samples say that the numbers cannot be believed, the result is INVALID, with the reason (exit code 3). On
    Android the demo app measures; what it does not do is an error.

    \b
    edge-sdk benchmark model.tflite
    edge-sdk benchmark float32.tflite int8.tflite --quick --html report.html
    edge-sdk benchmark model.tflite --delegate xnnpack --delegate gpu --threads 1 --threads 4
    edge-sdk benchmark model.edge --sustained 30 -o result.json
    edge-sdk benchmark model.edge --on ssh://pi@raspberrypi.local --on ssh://board2
    """
    from edge_sdk.files import check_writable, write_bytes
    from edge_sdk.measure.benchmarking import benchmark as measured
    from edge_sdk.measure.plan import make_plan
    from edge_sdk.report.benchmark import as_text

    for target in filter(None, (output, html)):
        check_writable(target)
    if pictures:
        from edge_sdk.report.benchmark_pictures import check_drawable

        check_drawable(pictures)
    if on and on != ("local",):
        if len(on) > 1 and (html or pictures):
            raise click.UsageError("--html and --pictures show one device: give one --on")
        from edge_sdk.cli.benchmark_there import benchmark_there

        there, code = benchmark_there(screen, on, artifacts, output)
        if there is not None:
            _draw(there, html, pictures)
        return code
    wishes = {name: arguments.pop(name) for name in ("quick", "runs", "seconds", "max_seconds", "sustained", "margin")}
    found = measured(
        artifacts,
        delegates=delegates,
        threads=threads,
        replicas=replicas,
        plan=make_plan(**wishes),
        progress=screen,
        **arguments,
    )
    if output:
        write_bytes(output, json.dumps(found.as_json(), indent=1).encode())
    _draw(found, html, pictures)
    screen.result(found.as_json(), as_text(found))
    return None if found.valid else UNFIT


def _draw(found: Benchmark, html: Path | None, pictures: Path | None) -> None:
    if pictures:
        from edge_sdk.report.benchmark_pictures import draw, write_pictures

        write_pictures(draw(found), pictures)
    write_html(found.as_json(), html)
