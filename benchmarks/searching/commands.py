"""Commands on searches and sweeps."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from benchmarks import results
from benchmarks.commands import keep, main
from benchmarks.int8 import cases as int8_cases
from benchmarks.searching import cases, peer, search, sweep_faults


@main.command("search")
@click.argument("names", nargs=-1, type=click.Choice(list(cases.CASES)))
@click.option("--packages", type=click.Path(exists=True, path_type=Path), help="Folder of int8-accuracy's packages.")
@click.option("--greedy-evaluations", default=40, show_default=True, help="After which it gives up; 0 for none.")
@click.option("--greedy-minutes", default=20.0, show_default=True, help="Likewise.")
@click.option("--ours/--no-ours", default=True, show_default=True, help="Whether `optimize` searches too.")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for models, data and searches."
)
def search_command(
    names: tuple[str, ...],
    packages: Path | None,
    greedy_evaluations: int,
    greedy_minutes: float,
    ours: bool,  # noqa: FBT001 - click passes it by name
    output: Path,
) -> None:
    """Search with `optimize` and greedily, on one bench; all cases without a name. Rows of other cases stay."""
    if packages is not None:
        int8_cases.use(packages)
    for name in names or cases.CASES:
        patience = search.Patience(greedy_evaluations, greedy_minutes)
        made = search.rows(cases.make(name, output), output, patience, ours=ours)
        ways = {row["way"] for row in made}
        kept = [row for row in results.read("search")["rows"] if (row["model"], row["way"] in ways) != (name, True)]
        keep("search", [*kept, *made])
        for row in made:
            click.echo(str(row))


@main.command("search-peer")
@click.argument("names", nargs=-1, required=True, type=click.Choice(list(cases.CASES)))
@click.option("--packages", type=click.Path(exists=True, path_type=Path), help="Folder of int8-accuracy's packages.")
@click.option("--minutes", default=20.0, show_default=True, help="After which it is stopped; that is a row too.")
@click.option("--python", type=click.Path(exists=True, path_type=Path), help="One that has OpenVINO and NNCF.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder of `search`, done before.")
def search_peer_command(
    names: tuple[str, ...], packages: Path | None, minutes: float, python: Path | None, output: Path
) -> None:
    """NNCF's accuracy control on what `search` searched with."""
    if packages is not None:
        int8_cases.use(packages)
    for name in names:
        row = peer.row(cases.make(name, output), output, minutes, python)
        kept = [one for one in results.read("search")["rows"] if (one["model"], one["way"]) != (name, search.PEER)]
        keep("search", [*kept, row])
        click.echo(str(row))


@main.command("sweep-faults")
@click.option("--jobs", "count", default=100, show_default=True)
@click.option("--kills", default=10, show_default=True, help="With -9, of the scheduler or one of two workers.")
@click.option("--seconds", default=0.5, show_default=True, help="Of each job.")
@click.option("--seed", default=0, show_default=True, help="Of what is killed, and when.")
@click.option(
    "--long-jobs", default=120, show_default=True, help="Of 2 s each, to time what is on top; 0 leaves it out."
)
@click.option("--planned", default=0, show_default=True, help="Jobs that do nothing, to see what a scheduler holds.")
def sweep_faults_command(count: int, kills: int, seconds: float, seed: int, long_jobs: int, planned: int) -> None:
    """Kill a sweep's scheduler and workers at random moments, and time what a sweep takes beyond its jobs."""
    with tempfile.TemporaryDirectory() as name:
        rows = [sweep_faults.kills(Path(name) / "killed", count, kills, seconds, seed)] if count else []
        if long_jobs:
            rows.append(sweep_faults.overhead(Path(name) / "long", long_jobs, 2.0, 2))
        if planned:
            rows.append(sweep_faults.planned(Path(name) / "planned", planned))
    keep("sweep_faults", rows, seed=seed)
    for row in rows:
        click.echo(str(row))
