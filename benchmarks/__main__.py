"""``python -m benchmarks``: measure, write ``results/*.json``, and fill the tables of benchmarks/README.md."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
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
    int8_accuracy,
    int8_cases,
    latency,
    memory,
    onnx_cases,
    onnx_cases_peers,
    picture,
    pruning,
    replicas,
    results,
    runtime,
    search,
    search_cases,
    search_peer,
    startup,
    sweep_faults,
    tables,
    training,
    verdicts,
    weights,
    wrapper,
)

_CACHE = Path(__file__).parent / ".models"


@click.group()
def main() -> None:
    """Measurements of edge-sdk against what a user would do by hand, as ratios in one run."""


@main.command("startup")
@click.option("--rounds", default=40, show_default=True)
def startup_command(rounds: int) -> None:
    """Time the command line's start."""
    rows = startup.rows(rounds)
    _keep("startup", rows, rounds=rounds)
    for row in rows:
        click.echo(f"{row['command']}: {row['median_ms']} ms, {row['more_ms']:+} ms")


@main.command("onnx-cases")
def onnx_cases_command() -> None:
    """ONNX's own backend cases through the direct lowering: equal, no form and why."""
    rows = list(_told(map(onnx_cases.row, onnx_cases.cases()), lambda row: f"{row['case']}: {row['outcome']}"))
    _keep("onnx_cases", onnx_cases.table(rows))


@main.command("onnx-cases-peers")
@click.option("--sample", default=0, help="So many cases, drawn by seed 0; all of them (hours) if 0.")
@click.option("--seconds", default=0.0, help="After which no new case is begun; run again to go on. 0: to the end.")
def onnx_cases_peers_command(sample: int, seconds: float) -> None:
    """The same cases through onnx2tf and through the direct lowering; goes on where it was stopped."""
    chosen = onnx_cases_peers.drawn(sample)
    found = onnx_cases_peers.rows(_CACHE / "onnx_cases_peers", chosen, seconds)
    rows = _told(found, lambda row: f"{row['case']}: {row['peer']['outcome']}, ours {row['own']['outcome']}")
    click.echo(f"{len(rows)} of {len(chosen)} cases")
    _keep("onnx_cases_peers", onnx_cases_peers.table(rows), sample=sample, cases=len(chosen), ran=len(rows))


@main.command("conversion")
@click.option("--rounds", default=3, show_default=True)
@click.argument("frameworks", nargs=-1, type=click.Choice(["keras", "torch"]))
def conversion_command(rounds: int, frameworks: tuple[str, ...]) -> None:
    """Time conversions against the tools by hand; of both without a name. Rows of the other stay."""
    for framework in frameworks or ("keras", "torch"):
        made = conversion.rows(_CACHE, rounds, framework, click.echo)
        kept = [row for row in results.read("conversion")["rows"] if not row["source"].startswith(framework)]
        _keep("conversion", sorted([*kept, *made], key=lambda row: str(row["source"])), rounds=rounds)


@main.command("search")
@click.argument("names", nargs=-1, type=click.Choice(list(search_cases.CASES)))
@click.option("--packages", type=click.Path(exists=True, path_type=Path), help="Folder of int8-accuracy's packages.")
@click.option("--greedy-evaluations", default=24, show_default=True, help="After which it gives up; 0 for none.")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for models, data and searches."
)
def search_command(names: tuple[str, ...], packages: Path | None, greedy_evaluations: int, output: Path) -> None:
    """Search with `optimize` and greedily, on one bench; all cases without a name. Rows of other cases stay."""
    if packages is not None:
        int8_cases.use(packages)
    for name in names or search_cases.CASES:
        made = search.rows(search_cases.make(name, output), output, greedy_evaluations)
        ways = {row["way"] for row in made}
        kept = [row for row in results.read("search")["rows"] if (row["model"], row["way"] in ways) != (name, True)]
        _keep("search", [*kept, *made])
        for row in made:
            click.echo(str(row))


@main.command("search-peer")
@click.argument("names", nargs=-1, required=True, type=click.Choice(list(search_cases.CASES)))
@click.option("--packages", type=click.Path(exists=True, path_type=Path), help="Folder of int8-accuracy's packages.")
@click.option("--python", type=click.Path(exists=True, path_type=Path), help="One that has OpenVINO and NNCF.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder of `search`, done before.")
def search_peer_command(names: tuple[str, ...], packages: Path | None, python: Path | None, output: Path) -> None:
    """NNCF's accuracy control on what `search` searched with."""
    if packages is not None:
        int8_cases.use(packages)
    for name in names:
        row = search_peer.row(search_cases.make(name, output), output, python)
        kept = [one for one in results.read("search")["rows"] if (one["model"], one["way"]) != (name, search.PEER)]
        _keep("search", [*kept, row])
        click.echo(str(row))


@main.command("sweep-faults")
@click.option("--jobs", "count", default=100, show_default=True)
@click.option("--kills", default=10, show_default=True, help="With -9, of the scheduler or one of two workers.")
@click.option("--seconds", default=0.5, show_default=True, help="Of each job.")
@click.option("--seed", default=0, show_default=True, help="Of what is killed, and when.")
@click.option(
    "--long-jobs", default=120, show_default=True, help="Of 2 s each, to time what is on top; 0 leaves it out."
)
def sweep_faults_command(count: int, kills: int, seconds: float, seed: int, long_jobs: int) -> None:
    """Kill a sweep's scheduler and workers at random moments, and time what a sweep takes beyond its jobs."""
    with tempfile.TemporaryDirectory() as name:
        rows = [sweep_faults.kills(Path(name) / "killed", count, kills, seconds, seed)]
        if long_jobs:
            rows.append(sweep_faults.overhead(Path(name) / "long", long_jobs, 2.0, 2))
    _keep("sweep_faults", rows, seed=seed)
    for row in rows:
        click.echo(str(row))


@main.command("latency")
@click.option("--seconds", default=20.0, show_default=True, help="For each model.")
@click.argument("names", nargs=-1, type=click.Choice((*latency.FAMILIES, *latency.TORCH)))
def latency_command(seconds: float, names: tuple[str, ...]) -> None:
    """Time int8 files against TFLiteConverter's own and float; without a name all of Keras. Rows of others stay."""
    for name in names or latency.FAMILIES:
        row = latency.row(name, _CACHE, seconds=seconds)
        kept = [one for one in results.read("latency")["rows"] if one["model"] != row["model"] and "float_us" in one]
        _keep("latency", [*kept, row])
        click.echo(f"{row['model']}: ratio {row['ratio']} {row['ratio_95']}, float {row['float_us']} us")


@main.command("runtime")
@click.option("--seconds", default=20.0, show_default=True, help="For each comparison.")
def runtime_command(seconds: float) -> None:
    """Time sessions against the bare engine."""
    _keep("runtime", runtime.rows(_CACHE, seconds, click.echo))


@main.command("bundle")
@click.option("--rounds", default=200, show_default=True)
def bundle_command(rounds: int) -> None:
    """Time opening a bundle against opening the bare file."""
    rows = bundle.rows(_CACHE, rounds)
    _keep("bundle", rows, rounds=rounds)
    for row in rows:
        click.echo(f"{row['variant']}: {row['ratio']}, heap {row['heap_bundle_kib']} KiB")


@main.command("wrapper")
def wrapper_command() -> None:
    """Time the Java wrapper on the JVM, on an engine that computes nothing."""
    rows = wrapper.rows()
    _keep("wrapper", rows, java=wrapper.java_version())
    for row in rows:
        click.echo(f"{row['model']}: {row['overhead_us']:.2f} us a run")


@main.command("coverage")
@click.argument("kind", type=click.Choice(["keras", "pytorch"]))
@click.option("--only", help="One model; the results file is left alone.")
def coverage_command(kind: str, only: str | None) -> None:
    """Convert every architecture to three precisions."""
    rows = _told(coverage.keras_rows(_CACHE, only) if kind == "keras" else coverage.pytorch_rows(only), _in_words)
    if only is None:
        _keep(f"coverage_{kind}", rows)


@main.command("keras-sequences")
@click.option("--only", help="One model; the results file is left alone.")
def keras_sequences_command(only: str | None) -> None:
    """Recurrent and attention models in Keras, as float32."""
    rows = _told(coverage.keras_sequence_rows(only), str)
    if only is None:
        _keep("keras_sequences", rows)


@main.command("checking")
@click.option("--rounds", default=5, show_default=True)
def checking_command(rounds: int) -> None:
    """Time `check`."""
    rows = checking.rows(_CACHE, rounds)
    _keep("checking", rows, rounds=rounds)
    for row in rows:
        click.echo(f"{row['model']} on {row['profile']}: {row['median_s']} s")


@main.command("memory")
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path))
def memory_command(files: tuple[Path, ...]) -> None:
    """Hold the predicted heap against the measured one: of FILES, or of every model in every recipe."""
    rows = memory.rows_of(files) if files else memory.rows(_CACHE)
    _keep("memory", _told(rows, lambda row: f"{row['model']}: {row['error']:+.1%} of {row['measured_bytes']}"))


@main.command("figures")
@click.option("--runs", default=20, show_default=True, help="Benchmarks of each kind.")
@click.option("--model", type=click.Path(exists=True, path_type=Path), help="Default: MobileNetV2 int8 by hand.")
def figures_command(runs: int, model: Path | None) -> None:
    """Benchmark equal files and a planted slowdown, to see how far `edge-sdk benchmark` can be believed here."""
    from benchmarks import figures

    path = model or latency.files("mobilenet_v2", _CACHE)[0]
    _keep("figures", list(figures.rows(path, runs, click.echo)))


@main.command("peers")
@click.option("--threads", multiple=True, type=int, default=(1, 2), show_default=True)
@click.option("--sittings", default=6, show_default=True)
@click.option("--rounds", default=15, show_default=True, help="Turns of 20 ms for each way in a sitting.")
@click.option("--only", multiple=True, help="Names of models.")
def peers_command(threads: tuple[int, ...], sittings: int, rounds: int, only: tuple[str, ...]) -> None:
    """Time int8 files against what a user would pick instead; makes an environment for each peer."""
    from benchmarks.peers import environments, measuring

    rows = _told(measuring.rows(threads, sittings, rounds, click.echo, only), _peer_in_words)
    _keep("peers", rows, sittings=sittings, rounds=rounds, peers=environments.versions())


@main.command("int8-accuracy")
@click.argument("names", nargs=-1, type=click.Choice([case.name for case in int8_cases.CASES]))
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

    int8_cases.use(packages)
    python = nncf or environments.python_of("openvino")
    facts = {"calibration": calibration, "compared": compared, "nncf": environments.version_in(python, "nncf")}
    for row in int8_accuracy.rows(_CACHE / "int8_accuracy", python, names, calibration, compared, click.echo):
        key = (row["model"], row["way"])
        kept = [one for one in results.read("int8_accuracy")["rows"] if (one.get("model"), one["way"]) != key]
        _keep("int8_accuracy", [*(one for one in kept if "model" in one), row], **facts)


@main.command("verdicts")
@click.argument("names", nargs=-1, type=click.Choice([network.name for network in verdicts.NETWORKS]))
@click.option("--packages", type=click.Path(path_type=Path, exists=True), required=True, help="Folder they are in.")
def verdicts_command(names: tuple[str, ...], packages: Path) -> None:
    """Right files that are refused, and planted faults that are not; all networks without a name. Others' rows stay."""
    int8_cases.use(packages)
    for network in names or [one.name for one in verdicts.NETWORKS]:
        made = list(verdicts.rows(_CACHE / "verdicts", [network], click.echo))
        _keep("verdicts", [*(row for row in results.read("verdicts")["rows"] if row["model"] != network), *made])


@main.command("corpus")
@click.option("--only", multiple=True, help="Families, or family/name; the results file is left alone.")
def corpus_command(only: tuple[str, ...]) -> None:
    """Lower published architectures with our own lowering; makes an environment, two hours the first time."""
    from benchmarks.corpus import lowering
    from benchmarks.corpus.rows import rows as corpus_rows

    found = _told(corpus_rows(_CACHE, only, click.echo), lowering.in_words)
    if not only:
        _keep("corpus", found)


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
        _keep("corpus_int8", every)


@main.command("corpus-peers")
@click.option("--only", multiple=True, help="Families, or family/name; the results file is left alone.")
@click.option("--seconds", default=0.0, help="After which no new model is begun; run again to go on. 0: to the end.")
def corpus_peers_command(only: tuple[str, ...], seconds: float) -> None:
    """Ops and latency of the corpus' float files beside onnx2tf's and litert-torch's; small networks first."""
    from benchmarks.corpus import against

    found = _told(against.rows(_CACHE, only, seconds, click.echo), against.in_words)
    click.echo(str(against.summary(found)))
    if not only:
        _keep("corpus_peers", found)


@main.command("channels")
@click.option("--seconds", default=20.0, show_default=True)
def channels_command(seconds: float) -> None:
    """Time int8 convolutions by their number of input channels."""
    _keep("channels", channels.rows(seconds))


@main.command("training")
@click.option("--seeds", default=3, show_default=True)
@click.option("--only", help="One data set and framework, as digits-torch; the results file is left alone.")
def training_command(seeds: int, only: str | None) -> None:
    """Train models on which plain int8 fails."""
    rows = _told(training.rows(seeds, only), _training_in_words)
    if only is None:
        _keep("training", rows, seeds=seeds)


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
            _keep(name, rows, seeds=seeds)


@main.command("weights")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--rounds", default=15, show_default=True)
def weights_command(files: tuple[Path, ...], rounds: int) -> None:
    """Measure XNNPACK with and without a file of packed weights, on FILES; needs LiteRT from 2.2 on."""
    rows = weights.rows(files, rounds)
    _keep("weights", rows, rounds=rounds)
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

    folder = _CACHE / "time_prediction"
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
    _keep("time_prediction" if most is None else f"time_prediction_{most}", figures, networks=rows, help=helps, **facts)


@main.command("edge-compat")
@click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def edge_compat_command(archive: Path) -> None:
    """Hold our GPU, NPU and CPU rules against edge-compat's entries; ARCHIVE: pip download --no-binary edge-compat."""
    found = list(_told(edge_compat.rows(archive), lambda row: f"{row['backend']} {row['version']}: {row['agree']}"))
    _keep("edge_compat", found, archive=archive.name)


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


def _told(rows: Iterable[dict[str, Any]], words: Callable[[dict[str, Any]], str]) -> list[dict[str, Any]]:
    """All rows, each told as soon as it is there."""
    found = []
    for row in rows:
        found.append(row)
        click.echo(words(row))
    return found


def _keep(name: str, rows: list[dict[str, Any]], **facts: Any) -> None:
    results.write(name, rows, **facts)
    tables.PAGE.write_text(tables.fill(tables.PAGE.read_text()))


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
