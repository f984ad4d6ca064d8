"""``edge-sdk sweep``."""

from __future__ import annotations

from pathlib import Path

import click

from edge_sdk.cli.options import html_option
from edge_sdk.cli.options.html import check_page_path, write_html
from edge_sdk.cli.screen import FAILED, OK, UNFIT, Screen, command


@command(long=True, short_help="Run a matrix of conversions and searches as jobs, and show one table.")
@click.argument("plan", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "-o", "--output", metavar="DIR", type=click.Path(path_type=Path, file_okay=False), help="Default: PLAN.sweep."
)
@click.option(
    "--executor", type=click.Choice(["local", "dask"]), help="Default: local, with --jobs or --scheduler dask."
)
@click.option("--scheduler", metavar="ADDRESS", help="Of a running Dask scheduler, such as tcp://host:8786.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Worker processes here.")
@click.option("--retry-failed", is_flag=True, help="Do jobs again whose result is an error.")
@click.option(
    "--compare", "old", metavar="OLD", type=click.Path(path_type=Path), help="Folder or table.json of a sweep."
)
@click.option("--regression-time", type=click.FloatRange(0), default=10.0, show_default=True, help="Per cent.")
@click.option("--regression-size", type=click.FloatRange(0), default=1.0, show_default=True, help="Per cent.")
@html_option
@click.option("--regression-metric", type=click.FloatRange(0), default=0.5, show_default=True, help="Of the drop.")
def sweep(
    screen: Screen,
    plan: Path,
    output: Path | None,
    executor: str | None,
    scheduler: str | None,
    jobs: int,
    retry_failed: bool,
    old: Path | None,
    html: Path | None,
    regression_time: float,
    regression_size: float,
    regression_metric: float,
) -> int:
    """Run the jobs of PLAN.toml: sources x recipes (or `optimize`) x profiles and devices x data.

    A job is a pure function of the contents that it reads, and its result one file in DIR: what is there is not done
    again, whoever did it. A job that fails has its error in the table.

    \b
    edge-sdk sweep plan.toml --jobs 4
    edge-sdk sweep plan.toml --scheduler tcp://desk:8786
    edge-sdk sweep plan.toml --compare last-week.sweep

    With --compare exit code 3 where something became worse beyond --regression-*; 1 where a job failed.
    """
    from edge_sdk.converters.search.sweep.sweeping import Asked, run_sweep
    from edge_sdk.converters.search.sweep.table import Tolerances, read_table
    from edge_sdk.report.sweeping import sweep_text

    if executor == "local" and (scheduler or jobs > 1):
        raise click.UsageError("--executor local runs one job at a time; --jobs and --scheduler need dask")
    check_page_path(html)
    before = read_table(old) if old else None
    folder = output or plan.parent / f"{plan.stem}.sweep"
    screen.kept = f"results so far are in {folder}; run the same command to go on"
    asked = Asked(
        dask=executor == "dask" or scheduler is not None or jobs > 1,
        scheduler=scheduler,
        workers=jobs,
        retry_failed=retry_failed,
        tolerances=Tolerances(regression_time / 100, regression_size / 100, regression_metric),
    )
    result = run_sweep(plan, folder, asked, before=before, progress=screen)
    write_html(result.as_json(), html)
    screen.result(result.as_json(), sweep_text(result))
    if result.regressions:
        return UNFIT
    return FAILED if result.failed else OK
