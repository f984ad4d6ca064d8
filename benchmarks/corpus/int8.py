"""Static int8 of the corpus: accuracy, partitions of XNNPACK, and time against the float file."""

from __future__ import annotations

import collections
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.corpus.catalogue import CORPUS
from benchmarks.corpus.forked import ChildError, forked
from benchmarks.corpus.lowering import Row

_SECONDS, _MEMORY = 400, 8 << 30
_CALIBRATION, _COMPARED, _TIMED_SECONDS = 16, 8, 1.0
_ENGINE = "2.1.0"
_SLOWER = 1.05
_FEW = 2
_FAMILIES = ("transformers", "timm", "torchvision", "ultralytics")


def rows(folder: Path, only: Collection[str], done: Collection[tuple[str, str]]) -> Iterator[Row]:
    """A row for each model whose ONNX file :mod:`benchmarks.corpus.exporting` left in a folder.

    Args:
        folder: of the exports; files go beside them.
        only: families, or ``family/name``; all if empty.
        done: family and name of models that are left out.
    """
    import edge_sdk.converters.lower.direct.lowering  # noqa: F401 - forks inherit what is loaded

    for family in _FAMILIES:
        for name in CORPUS[family]:
            target = folder / family / name
            chosen = not only or {family, f"{family}/{name}"} & set(only)
            if chosen and (family, name) not in done and target.with_suffix(".npz").exists():
                yield {"family": family, "model": name, **_of(target)}


def _of(target: Path) -> Row:
    try:
        row: Row = forked(lambda: quantized(target), seconds=_SECONDS, memory_bytes=_MEMORY)
    except ChildError as error:
        row = {"error": str(error)}
    return row


def quantized(target: Path) -> Row:
    """Lowers one model, makes its int8 file by all steps of ``convert``, and measures both."""
    from benchmarks.int8.quantizing import int8_of
    from edge_sdk.artifact.model import read_artifact
    from edge_sdk.checks.placement.partition import partition
    from edge_sdk.checks.placement.rule_sets import place_by
    from edge_sdk.engines.runner import Runner
    from edge_sdk.measure.side_by_side import time_side_by_side

    warnings.simplefilter("ignore")
    source, int8 = target.with_suffix(".tflite"), target.with_suffix(".int8.tflite")
    samples = _samples(target, _lowered(target, source))
    int8_of(source, int8, samples[:_CALIBRATION])
    left, right = Runner(source), Runner(int8)
    runs = [(left.run_real(one), right.run_real(one)) for one in samples[_CALIBRATION:]]
    graph = read_artifact(int8).main
    placement = place_by("xnnpack", graph, engine=_ENGINE)
    parts = [one for one in partition(graph, frozenset(placement.claimed)) if one.delegated]
    outside = collections.Counter(graph.ops[index].name for index in placement.refused)
    # The float file as `convert` writes it, its wide windows in parts.
    base, timed = time_side_by_side([str(int8.with_suffix(".ready.tflite")), str(int8)], seconds=_TIMED_SECONDS)
    return {
        "sqnr_db": {name: _sqnr_db(runs, name) for name in runs[0][0]},
        "partitions": len(parts),
        "outside": dict(outside.most_common()),
        "ops": len(graph.ops),
        "float_us": round(base.median_us, 1),
        "ratio": round(timed.ratio, 3),
        "ratio_95": [round(timed.ratio_low, 3), round(timed.ratio_high, 3)],
    }


def _lowered(target: Path, path: Path) -> list[Any]:
    """Writes the float file; how each input is transposed for it."""
    import onnx

    from edge_sdk.converters.lower.direct.lowering import lower
    from edge_sdk.converters.lower.direct.writing import write
    from edge_sdk.signature import TensorSpec

    feeds = _feeds(target)
    model = onnx.load(target.with_suffix(".onnx"))
    known = {weight.name for weight in model.graph.initializer}
    names = [value.name for value in model.graph.input if value.name not in known]
    specs = [TensorSpec(n, a.shape, a.dtype.name, None) for n, a in zip(names, feeds, strict=True)]
    made = lower(model, specs, "nhwc")
    path.write_bytes(write(made.graph))
    return list(made.input_orders)


def _feeds(target: Path) -> list[Any]:
    arrays = np.load(target.with_suffix(".npz"))
    return [arrays[key] for key in arrays if key.startswith("in_")]


def _samples(target: Path, orders: list[Any]) -> list[dict[str, Any]]:
    """By seed, of the kind of the model's example: pictures and waves of brightness of their own, or tokens."""
    from edge_sdk.artifact.model import read_artifact
    from edge_sdk.engines.values import specs_of

    rng = np.random.default_rng(0)
    specs = specs_of(read_artifact(target.with_suffix(".tflite")).signature.inputs)
    made = []
    for _ in range(_CALIBRATION + _COMPARED):
        one = {}
        for spec, feed, order in zip(specs, _feeds(target), orders, strict=True):
            values = _like(feed, rng)
            one[spec.name] = np.ascontiguousarray(values if order is None else values.transpose(order))
        made.append(one)
    return made


def _like(feed: Any, rng: np.random.Generator) -> Any:
    if feed.dtype.kind != "f":
        return rng.integers(feed.min(), feed.max() + 1, feed.shape).astype(feed.dtype)
    return (rng.standard_normal(feed.shape) * rng.uniform(0.5, 1.5) + rng.normal() / 2).astype(np.float32)


def _sqnr_db(runs: list[Any], name: str) -> float | None:
    wanted, got = (np.stack([run[side][name] for run in runs]).astype(np.float64) for side in (0, 1))
    noise, signal = float(np.sum((wanted - got) ** 2)), float(np.sum(wanted**2))
    return round(10 * np.log10(signal / noise), 2) if noise > 0 and signal > 0 else None


def table(result: Mapping[str, Any]) -> str:
    """By family, then every model."""
    every = result["rows"]
    if not every:
        return ""
    head = ["family", "made", "SQNR of the worst output, median", f"in at most {_FEW} partitions", "slower than float"]
    lines = [_row(head), _row(["---"] * len(head)), *map(_row, _families(every))]
    head = ["model", "SQNR of the worst output, dB", "partitions", "outside XNNPACK", "time of float", "95 %"]
    lines += ["", "<details><summary>Every model</summary>", "", _row(head), _row(["---"] * len(head))]
    cpu = f"{result['machine']['cpu']}, {result['machine']['cores']} cores"
    return "\n".join([*lines, *map(_row, map(_model, every)), "", "</details>", "", f"Measured on {cpu}."])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _families(every: Sequence[Row]) -> Iterator[list[str]]:
    for family in dict.fromkeys(row["family"] for row in every):
        own = [row for row in every if row["family"] == family]
        made = [row for row in own if "error" not in row]
        known = [db for row in made if (db := _worst_db(row)) is not None]
        few = sum(row["partitions"] <= _FEW for row in made)
        slow = [row["model"] for row in made if row["ratio_95"][0] > _SLOWER]
        middle = f"{median(known):.1f} dB" if known else ""
        yield [family, f"{len(made)} of {len(own)}", middle, f"{few} of {len(made)}", ", ".join(slow) or "none"]


def _worst_db(row: Row) -> float | None:
    return min((db for db in row["sqnr_db"].values() if db is not None), default=None)


def _model(row: Row) -> list[str]:
    name = f"{row['family']}/{row['model']}"
    if "error" in row:
        return [name, f"no file: {row['error'][:160]}", "", "", "", ""]
    worst, (low, high) = _worst_db(row), row["ratio_95"]
    outside = ", ".join(f"{count} {kind}" for kind, count in row["outside"].items())
    decibels = "" if worst is None else f"{worst:.1f}"
    return [name, decibels, str(row["partitions"]), outside, f"{row['ratio']:.2f}", f"{low:.2f} to {high:.2f}"]
