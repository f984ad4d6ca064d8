"""Commands on published architectures."""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks import results
from benchmarks.commands import CACHE, keep, main, told


@main.command("corpus")
@click.option("--only", multiple=True, help="Families, or family/name; the results file is left alone.")
def corpus_command(only: tuple[str, ...]) -> None:
    """Lower published architectures with our own lowering; makes an environment, two hours the first time."""
    from benchmarks.corpus import lowering
    from benchmarks.corpus.rows import rows as corpus_rows

    found = told(corpus_rows(CACHE, only, click.echo), lowering.in_words)
    if not only:
        keep("corpus", found)


@main.command("corpus-int8")
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option("--only", multiple=True, help="Families, or family/name.")
def corpus_int8_command(folder: Path, only: tuple[str, ...]) -> None:
    """Static int8 of what `python -m benchmarks.corpus.exporting` left in FOLDER; what was measured is kept."""
    from benchmarks.corpus import int8

    every = list(results.read("corpus_int8")["rows"])
    for row in int8.rows(folder, only, [(one["family"], one["model"]) for one in every]):
        every.append(row)
        click.echo(str(row))
        keep("corpus_int8", every)


@main.command("corpus-peers")
@click.option("--only", multiple=True, help="Families, or family/name; the results file is left alone.")
@click.option("--seconds", default=0.0, help="After which no new model is begun; run again to go on. 0: to the end.")
def corpus_peers_command(only: tuple[str, ...], seconds: float) -> None:
    """Ops and latency of the corpus' float files beside onnx2tf's and litert-torch's; small networks first."""
    from benchmarks.corpus import against

    found = told(against.rows(CACHE, only, seconds, click.echo), against.in_words)
    click.echo(str(against.summary(found)))
    if not only:
        keep("corpus_peers", found)


@main.command("quantized-ops")
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.argument("names", nargs=-1, required=True)
def quantized_ops_command(folder: Path, names: tuple[str, ...]) -> None:
    """Each op of quantized networks (family/name in FOLDER) beside ONNX Runtime. Others' rows stay."""
    from benchmarks.corpus import quantized_ops

    for row in quantized_ops.rows(folder, names):
        key = (row["model"], row["form"])
        others = [one for one in results.read("quantized_ops")["rows"] if (one["model"], one["form"]) != key]
        keep("quantized_ops", [*others, row])
        click.echo(str(row))
