"""Commands on ONNX's backend cases."""

from __future__ import annotations

import click

from benchmarks.backend_cases import cases, peers
from benchmarks.commands import CACHE, keep, main, told


@main.command("onnx-cases")
def onnx_cases_command() -> None:
    """ONNX's own backend cases through the direct lowering: equal, no form and why."""
    rows = list(told(map(cases.row, cases.cases()), lambda row: f"{row['case']}: {row['outcome']}"))
    keep("onnx_cases", cases.table(rows))


@main.command("onnx-cases-peers")
@click.option("--sample", default=0, help="So many cases, drawn by seed 0; all of them (hours) if 0.")
@click.option("--seconds", default=0.0, help="After which no new case is begun; run again to go on. 0: to the end.")
def onnx_cases_peers_command(sample: int, seconds: float) -> None:
    """The same cases through onnx2tf and through the direct lowering; goes on where it was stopped."""
    chosen = peers.drawn(sample)
    found = peers.rows(CACHE / "onnx_cases_peers", chosen, seconds)
    rows = told(found, lambda row: f"{row['case']}: {row['peer']['outcome']}, ours {row['own']['outcome']}")
    click.echo(f"{len(rows)} of {len(chosen)} cases")
    keep("onnx_cases_peers", peers.table(rows), sample=sample, cases=len(chosen), ran=len(rows))
