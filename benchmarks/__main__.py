"""``python -m benchmarks``: measure, write ``results/*.json``, and fill the tables of benchmarks/README.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from benchmarks import (
    bundle,
    channels,
    checking,
    conversion,
    coverage,
    edge_compat,
    latency,
    memory,
    picture,
    pruning,
    replicas,
    results,
    runtime,
    startup,
    tables,
    training,
    weights,
    wrapper,
)
from benchmarks.backend_cases import commands as _backend_cases  # noqa: F401 - adds its commands
from benchmarks.commands import CACHE, keep, main, told
from benchmarks.corpus import commands as _corpus  # noqa: F401
from benchmarks.int8 import commands as _int8  # noqa: F401
from benchmarks.searching import commands as _searching  # noqa: F401


@main.command("startup")
@click.option("--rounds", default=40, show_default=True)
def startup_command(rounds: int) -> None:
    """Time the command line's start."""
    rows = startup.rows(rounds)
    keep("startup", rows, rounds=rounds)
    for row in rows:
        click.echo(f"{row['command']}: {row['median_ms']} ms, {row['more_ms']:+} ms")


@main.command("conversion")
@click.option("--rounds", default=3, show_default=True)
@click.argument("frameworks", nargs=-1, type=click.Choice(["keras", "torch"]))
def conversion_command(rounds: int, frameworks: tuple[str, ...]) -> None:
    """Time conversions against the tools by hand; of both without a name. Rows of the other stay."""
    for framework in frameworks or ("keras", "torch"):
        made = conversion.rows(CACHE, rounds, framework, click.echo)
        kept = [row for row in results.read("conversion")["rows"] if not row["source"].startswith(framework)]
        keep("conversion", sorted([*kept, *made], key=lambda row: str(row["source"])), rounds=rounds)


@main.command("latency")
@click.option("--seconds", default=20.0, show_default=True, help="For each model.")
@click.argument("names", nargs=-1, type=click.Choice((*latency.FAMILIES, *latency.TORCH)))
def latency_command(seconds: float, names: tuple[str, ...]) -> None:
    """Time int8 files against TFLiteConverter's own and float; without a name all of Keras. Rows of others stay."""
    for name in names or latency.FAMILIES:
        row = latency.row(name, CACHE, seconds=seconds)
        kept = [one for one in results.read("latency")["rows"] if one["model"] != row["model"] and "float_us" in one]
        keep("latency", [*kept, row])
        click.echo(f"{row['model']}: ratio {row['ratio']} {row['ratio_95']}, float {row['float_us']} us")


@main.command("runtime")
@click.option("--seconds", default=20.0, show_default=True, help="For each comparison.")
def runtime_command(seconds: float) -> None:
    """Time sessions against the bare engine."""
    keep("runtime", runtime.rows(CACHE, seconds, click.echo))


@main.command("bundle")
@click.option("--rounds", default=200, show_default=True)
def bundle_command(rounds: int) -> None:
    """Time opening a bundle against opening the bare file."""
    rows = bundle.rows(CACHE, rounds)
    keep("bundle", rows, rounds=rounds)
    for row in rows:
        click.echo(f"{row['variant']}: {row['ratio']}, heap {row['heap_bundle_kib']} KiB")


@main.command("wrapper")
def wrapper_command() -> None:
    """Time the Java wrapper on the JVM, on an engine that computes nothing."""
    rows = wrapper.rows()
    keep("wrapper", rows, java=wrapper.java_version())
    for row in rows:
        click.echo(f"{row['model']}: {row['overhead_us']:.2f} us a run")


@main.command("coverage")
@click.argument("kind", type=click.Choice(["keras", "pytorch"]))
@click.option("--only", help="One model; the results file is left alone.")
def coverage_command(kind: str, only: str | None) -> None:
    """Convert every architecture to three precisions."""
    rows = told(coverage.keras_rows(CACHE, only) if kind == "keras" else coverage.pytorch_rows(only), _in_words)
    if only is None:
        keep(f"coverage_{kind}", rows)


@main.command("keras-sequences")
@click.option("--only", help="One model; the results file is left alone.")
def keras_sequences_command(only: str | None) -> None:
    """Recurrent and attention models in Keras, as float32."""
    rows = told(coverage.keras_sequence_rows(only), str)
    if only is None:
        keep("keras_sequences", rows)


@main.command("checking")
@click.option("--rounds", default=5, show_default=True)
def checking_command(rounds: int) -> None:
    """Time `check`."""
    rows = checking.rows(CACHE, rounds)
    keep("checking", rows, rounds=rounds)
    for row in rows:
        click.echo(f"{row['model']} on {row['profile']}: {row['median_s']} s")


@main.command("memory")
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path))
def memory_command(files: tuple[Path, ...]) -> None:
    """Hold the predicted heap against the measured one: of FILES, or of every model in every recipe."""
    rows = memory.rows_of(files) if files else memory.rows(CACHE)
    keep("memory", told(rows, lambda row: f"{row['model']}: {row['error']:+.1%} of {row['measured_bytes']}"))


@main.command("figures")
@click.option("--runs", default=20, show_default=True, help="Benchmarks of each kind.")
@click.option("--model", type=click.Path(exists=True, path_type=Path), help="Default: MobileNetV2 int8 by hand.")
def figures_command(runs: int, model: Path | None) -> None:
    """Benchmark equal files and a planted slowdown, to see how far `edge-sdk benchmark` can be believed here."""
    from benchmarks import figures

    path = model or latency.files("mobilenet_v2", CACHE)[0]
    keep("figures", list(figures.rows(path, runs, click.echo)))


@main.command("peers")
@click.option("--threads", multiple=True, type=int, default=(1, 2), show_default=True)
@click.option("--sittings", default=6, show_default=True)
@click.option("--rounds", default=15, show_default=True, help="Turns of 20 ms for each way in a sitting.")
@click.option("--only", multiple=True, help="Names of models.")
def peers_command(threads: tuple[int, ...], sittings: int, rounds: int, only: tuple[str, ...]) -> None:
    """Time int8 files against what a user would pick instead; makes an environment for each peer."""
    from benchmarks.peers import environments, measuring

    rows = told(measuring.rows(threads, sittings, rounds, click.echo, only), _peer_in_words)
    keep("peers", rows, sittings=sittings, rounds=rounds, peers=environments.versions())


@main.command("channels")
@click.option("--seconds", default=20.0, show_default=True)
def channels_command(seconds: float) -> None:
    """Time int8 convolutions by their number of input channels."""
    keep("channels", channels.rows(seconds))


@main.command("training")
@click.option("--seeds", default=3, show_default=True)
@click.option("--only", help="One data set and framework, as digits-torch; the results file is left alone.")
def training_command(seeds: int, only: str | None) -> None:
    """Train models on which plain int8 fails."""
    rows = told(training.rows(seeds, only), _training_in_words)
    if only is None:
        keep("training", rows, seeds=seeds)


@main.command("pruning")
@click.option("--seeds", default=3, show_default=True, help="Runs; the worst is reported.")
@click.option("--framework", "frameworks", multiple=True, default=("keras", "torch"), show_default=True)
def pruning_command(seeds: int, frameworks: tuple[str, ...]) -> None:
    """Prune, cluster and distil small networks; an hour or more on two cores."""
    for name, rows_of in (("pruning", pruning.rows), ("distillation", pruning.distillation_rows)):
        rows = []
        for row in rows_of(frameworks, seeds):
            rows.append(row)
            click.echo(str(row))
            keep(name, rows, seeds=seeds)


@main.command("weights")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--rounds", default=15, show_default=True)
def weights_command(files: tuple[Path, ...], rounds: int) -> None:
    """Measure XNNPACK with and without a file of packed weights, on FILES; needs LiteRT from 2.2 on."""
    rows = weights.rows(files, rounds)
    keep("weights", rows, rounds=rounds)
    for row in rows:
        click.echo(f"{row['model']}, {row['way']}: load {row['load_ms']} ms, heap {row['heap_kib']} KiB")


@main.command("replicas")
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@click.option("--seconds", type=float, default=20.0, show_default=True, help="For each way.")
def replicas_command(model: Path, seconds: float) -> None:
    """Runs per second of MODEL: one interpreter, two replicas, two threads."""
    for row in replicas.rows(model, seconds):
        click.echo(row)


@main.command("time-prediction")
@click.option("--table", type=click.Path(exists=True, path_type=Path), help="A calibration table; default: make one.")
@click.option("--times", type=click.Path(path_type=Path), help="Where measured times are kept; rounds are added to it.")
@click.option("--seconds", default=400.0, show_default=True, help="To measure networks for; 0: only what is kept.")
@click.option("--threads", default=1, show_default=True)
@click.option("--most", type=click.IntRange(1), help="So many networks of each family, kept in a result of its own.")
def time_prediction_command(
    table: Path | None, times: Path | None, seconds: float, threads: int, most: int | None
) -> None:
    """Hold predicted times against measured ones, on 67 networks of 17 families in four variants."""
    from benchmarks.time_prediction import measuring, networks, predicting
    from edge_sdk.checks.timing.table import parse_written
    from edge_sdk.measure.calibration.running import calibrate

    folder = CACHE / "time_prediction"
    networks.make(folder, 0, 1, most)
    kept = times or folder / f"times_{threads}.jsonl"
    # On a machine that is shared the table may be INVALID: the figures then say so.
    made = parse_written(json.loads(table.read_bytes()), where=str(table)) if table else calibrate(threads=threads)
    if seconds:
        measuring.measure(folder, kept, seconds, threads, most)
    measured = measuring.times_us(kept)
    rows = list(predicting.rows(folder, made, measured))
    helps = list(predicting.help_rows(folder, made, measured))
    figures = predicting.summary(rows, helps)
    for row in figures:
        click.echo(str(row))
    facts = {"subject": str(made.subject), "table_valid": made.valid, "table_reasons": list(made.reasons)}
    facts["drift"] = measuring.drift(kept, made)
    # A smaller set is no figure of the whole.
    keep("time_prediction" if most is None else f"time_prediction_{most}", figures, networks=rows, help=helps, **facts)


@main.command("edge-compat")
@click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def edge_compat_command(archive: Path) -> None:
    """Hold our GPU, NPU and CPU rules against edge-compat's entries; ARCHIVE: pip download --no-binary edge-compat."""
    found = list(told(edge_compat.rows(archive), lambda row: f"{row['backend']} {row['version']}: {row['agree']}"))
    keep("edge_compat", found, archive=archive.name)


@main.command("tables")
def tables_command() -> None:
    """Fill the tables of README.md from the results, and draw them."""
    tables.PAGE.write_text(tables.fill(tables.PAGE.read_text()))
    picture.draw()
    picture.draw_peers()


@main.command("all")
@click.pass_context
def all_command(context: click.Context) -> None:
    """Everything, one after the other; about 40 minutes on two cores."""
    context.invoke(startup_command)
    context.invoke(conversion_command)
    context.invoke(latency_command)
    context.invoke(runtime_command)
    context.invoke(bundle_command)
    context.invoke(wrapper_command)
    context.invoke(checking_command)
    context.invoke(memory_command, files=())
    context.invoke(figures_command, runs=20, model=None)
    context.invoke(peers_command, threads=(1, 2), sittings=6, rounds=15, only=())
    context.invoke(channels_command)
    context.invoke(coverage_command, kind="keras")
    context.invoke(coverage_command, kind="pytorch")
    context.invoke(training_command)
    context.invoke(pruning_command)
    context.invoke(tables_command)


def _peer_in_words(row: dict[str, Any]) -> str:
    valid = "" if row["valid"] else f" INVALID: {', '.join(row['reasons'])}"
    return f"{row['model']}, {row['threads']}: {row['way']} {row['ratio']} {row['ratio_95']}{valid}"


def _training_in_words(row: dict[str, Any]) -> str:
    return f"{row['data']} {row['framework']}: {row['worst']} {[(r['float'], r['int8']) for r in row['runs']]}"


def _in_words(row: dict[str, Any]) -> str:
    cells = [f"{k} {v['sqnr_db']} dB{'' if v['verified'] else ' REJECTED'}" for k, v in row["results"].items()]
    return f"{row['model']}: {', '.join(cells)} ({row['seconds']} s)"


if __name__ == "__main__":
    main()
