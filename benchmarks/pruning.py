"""Pruning, clustering and distillation: accuracy, size and time against the model that came in; the worst run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.models.small import SETS, Images, trained
from edge_sdk.converters import Workers
from edge_sdk.converters.reports.training import TrainReport
from edge_sdk.converters.train import train
from edge_sdk.recipe import Recipe, parse_recipe

_HEAD = 'description = "Benchmark."\nmode = "float"\n'
STRUCTURED = """[train]
epochs = 8
learning_rate = 2e-3
batch_size = 64
[train.prune]
pattern = "structured"
macs_ratio = 0.5
"""
SPARSE = """[train]
epochs = 4
learning_rate = 1e-3
batch_size = 64
[train.prune]
sparsity = 0.8
epochs = 8
[train.cluster]
clusters = 16
"""
DISTILLED = """[train]
epochs = 20
learning_rate = 3e-3
batch_size = 64
[train.distil]
weight = {weight}
temperature = 4.0
"""
_NARROW, _WRONG = 6, 0.2


def rows(frameworks: tuple[str, ...], seeds: int) -> Iterator[dict[str, Any]]:
    """One row for each framework, set and way, the worst of all seeds; it is yielded when its seeds are done."""
    with Workers() as workers:
        for framework in frameworks:
            for name in SETS:
                runs = [_runs(framework, name, seed, workers) for seed in range(seeds)]
                for way in runs[0]:
                    yield {"framework": framework, "set": name, "way": way, **_worst([run[way] for run in runs])}


def distillation_rows(frameworks: tuple[str, ...], seeds: int) -> Iterator[dict[str, Any]]:
    """The student alone and with its teacher: the same widths, seed, data and epochs."""
    for framework in frameworks:
        for name in SETS:
            for wrong in (0.0, _WRONG):
                found = [_distilled(framework, name, wrong, seed) for seed in range(seeds)]
                worst = min(found, key=lambda run: run["gain_points"])
                gains = [run["gain_points"] for run in found]
                words = f"{wrong:.0%} of the training labels wrong"
                yield {"framework": framework, "set": name, "labels": words, **worst, "all_gains": gains}


def _runs(framework: str, name: str, seed: int, workers: Workers) -> dict[str, dict[str, Any]]:
    data = _data(framework, name, seed)
    model = trained(framework, data, seed=seed)
    found = {}
    for way, table in (("structured", STRUCTURED), ("sparse_clustered", SPARSE)):
        made = train(
            model,
            data.train,
            recipe=_recipe(table),
            loss="cross_entropy",
            evaluation=data.test,
            seed=seed,
            options={"workers": workers},
        )
        found[way] = _figures(made.report)
    return found


def _figures(report: TrainReport) -> dict[str, Any]:
    source, last = report.source_file, report.stages[-1]
    if source is None or last.file is None or last.file.time_ratio is None:
        raise ValueError("nothing was measured")
    return {
        "accuracy": round(report.source_metric, 4),
        "drop_points": round(100 * (report.source_metric - last.metric_after), 2),
        "macs_ratio": round(last.file.macs / source.macs, 3),
        "speed_up": round(1 / last.file.time_ratio, 2),
        "smaller": round(source.size_bytes / last.file.gzip_bytes, 2),
        "zeros": round(last.file.zero_share, 3),
    }


def _worst(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Each figure's own worst."""
    worst = {key: min(run[key] for run in runs) for key in ("accuracy", "speed_up", "smaller", "zeros")}
    largest = {key: max(run[key] for run in runs) for key in ("drop_points", "macs_ratio")}
    return {**worst, **largest, "runs": len(runs)}


def _distilled(framework: str, name: str, wrong: float, seed: int) -> dict[str, Any]:
    clean = _data(framework, name, seed)
    data = clean.with_wrong_labels(wrong, seed) if wrong else clean
    teacher = trained(framework, data, seed=seed, epochs=8)
    student = trained(framework, data, seed=seed + 10, narrow=_NARROW, epochs=0)
    ways = {}
    for way, weight in (("alone", 0.0), ("taught", 0.9)):
        made = train(
            student,
            data.train,
            recipe=_recipe(DISTILLED.format(weight=weight)),
            loss="cross_entropy",
            evaluation=data.test,
            teacher=teacher,
            seed=seed,
            measure=False,
        )
        # Of the last epoch: the best would be picked on the test set, and favours whoever varies most.
        ways[way] = made.report.stages[-1].metrics[-1]
    points = {way: round(100 * accuracy, 2) for way, accuracy in ways.items()}
    return {**points, "gain_points": round(points["taught"] - points["alone"], 2)}


def _data(framework: str, name: str, seed: int) -> Images:
    data = SETS[name](seed)
    return data.channels_first() if framework == "torch" else data


def _recipe(table: str) -> Recipe:
    return parse_recipe("benchmark", _HEAD + table, where="benchmark")
