"""Commands on trained networks in int8."""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks import results
from benchmarks.commands import CACHE, keep, main
from benchmarks.int8 import accuracy, cases, verdicts


@main.command("int8-accuracy")
@click.argument("names", nargs=-1, type=click.Choice([case.name for case in cases.CASES]))
@click.option("--packages", type=click.Path(path_type=Path, exists=True), required=True, help="Folder they are in.")
@click.option(
    "--nncf", type=click.Path(path_type=Path, exists=True), help="Python with nncf and onnx; else one is made."
)
@click.option("--calibration", default=100, show_default=True, help="Samples to calibrate on.")
@click.option("--compared", default=300, show_default=True, help="Samples to compare on.")
def int8_accuracy_command(
    names: tuple[str, ...], packages: Path, nncf: Path | None, calibration: int, compared: int
) -> None:
    """Trained networks in int8, made in several ways; all of them without a name. Rows of others stay."""
    from benchmarks.peers import environments

    cases.use(packages)
    python = nncf or environments.python_of("openvino")
    facts = {"calibration": calibration, "compared": compared, "nncf": environments.version_in(python, "nncf")}
    for row in accuracy.rows(CACHE / "int8_accuracy", python, names, calibration, compared, click.echo):
        key = (row["model"], row["way"])
        kept = [one for one in results.read("int8_accuracy")["rows"] if (one.get("model"), one["way"]) != key]
        keep("int8_accuracy", [*(one for one in kept if "model" in one), row], **facts)


@main.command("verdicts")
@click.argument("names", nargs=-1, type=click.Choice([network.name for network in verdicts.NETWORKS]))
@click.option("--packages", type=click.Path(path_type=Path, exists=True), required=True, help="Folder they are in.")
@click.option("--samples", default=verdicts.SAMPLES, show_default=True, help="Other numbers: told, not kept.")
def verdicts_command(names: tuple[str, ...], packages: Path, samples: int) -> None:
    """Right files that are refused, and planted faults that are not; all networks without a name. Others' rows stay."""
    cases.use(packages)
    for network in names or [one.name for one in verdicts.NETWORKS]:
        made = list(verdicts.rows(CACHE / "verdicts", [network], click.echo, samples))
        if samples == verdicts.SAMPLES:
            keep("verdicts", [*(row for row in results.read("verdicts")["rows"] if row["model"] != network), *made])
