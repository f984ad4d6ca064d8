"""Lowers the exported files and compares: ops, TRANSPOSEs, seconds, memory, error against float64.

usage: python -m benchmarks.corpus.lowering FOLDER RESULT.json [FAMILY[/NAME] ...]
"""

from __future__ import annotations

import collections
import importlib
import json
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.corpus.catalogue import CORPUS
from benchmarks.corpus.forked import ChildError, forked

_SECONDS, _MEMORY = 120, 8 << 30
Row = dict[str, Any]


def main() -> None:
    """A row for each model, written after each."""
    import edge_sdk.converters.lower.direct.lowering  # noqa: F401 - forks inherit what is loaded

    folder, result, *only = sys.argv[1:]
    rows = []
    for family, names in CORPUS.items():
        for name in names:
            if only and not any(part in (family, f"{family}/{name}") for part in only):
                continue
            rows.append(row_of(Path(folder), family, name))
            print(in_words(rows[-1]), flush=True)
            Path(result).write_text(json.dumps(rows))


def preload() -> None:
    """Loads what every child needs: forks inherit it."""
    for module in ("ai_edge_litert.interpreter", "onnx.reference", "edge_sdk.converters.lower.direct.lowering"):
        importlib.import_module(module)


def row_of(folder: Path, family: str, name: str) -> Row:
    """What became of one model."""
    target = folder / family / name
    row: Row = {"family": family, "model": name}
    if not target.with_suffix(".npz").exists():
        facts = target.with_suffix(".json")
        return {**row, "error": "export: " + (json.loads(facts.read_text())["error"] if facts.exists() else "not made")}
    try:
        return {**row, **forked(lambda: lowered(target), seconds=_SECONDS, memory_bytes=_MEMORY)}
    except ChildError as error:
        return {**row, "error": str(error)}


def exported(target: Path) -> tuple[Any, list[Any], Any]:
    """What PyTorch's exporter wrote: the model, its inputs, and the arrays in and out of it by name."""
    import onnx

    from edge_sdk.signature import TensorSpec

    warnings.simplefilter("ignore")
    arrays = np.load(target.with_suffix(".npz"))
    model = onnx.load(target.with_suffix(".onnx"))
    known = {weight.name for weight in model.graph.initializer}
    names = [value.name for value in model.graph.input if value.name not in known]
    specs = [TensorSpec(n, a.shape, a.dtype.name, None) for n, a in zip(names, feeds_of(arrays), strict=True)]
    return model, specs, arrays


def feeds_of(arrays: Any) -> list[Any]:
    """The inputs among the arrays, in order."""
    return [arrays[key] for key in arrays if key.startswith("in_")]


def lowered(target: Path) -> Row:
    """Lowers, writes, runs and compares one model."""
    from edge_sdk.converters.lower.direct.lowering import lower
    from edge_sdk.converters.lower.direct.writing import write

    model, specs, arrays = exported(target)
    feeds = feeds_of(arrays)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Of this process alone: the machine may have other work.
    begin = time.process_time()
    made = lower(model, specs, "nhwc")
    data = write(made.graph)
    seconds = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    target.with_suffix(".tflite").write_bytes(data)
    kinds = collections.Counter(op.kind for op in made.graph.ops)
    outputs = run(data, [_turned(a, o) for a, o in zip(feeds, made.input_orders, strict=True)])
    outputs = [_back(a, o) for a, o in zip(outputs, made.output_orders, strict=True)]
    return {
        "cpu_seconds": round(seconds, 2),
        "grown_bytes": (peak - before) * 1024,
        "file_bytes": len(data),
        "ops": sum(kinds.values()),
        "transposes": kinds["TRANSPOSE"],
        "kinds": dict(kinds.most_common()),
        **errors(outputs, arrays),
    }


def run(data: bytes, feeds: list[Any]) -> list[np.ndarray[Any, Any]]:
    """The file's outputs on the engine with XNNPACK."""
    from ai_edge_litert.interpreter import Interpreter

    engine = Interpreter(model_content=data, num_threads=1)
    engine.allocate_tensors()
    for detail, feed in zip(engine.get_input_details(), feeds, strict=True):
        engine.set_tensor(detail["index"], feed.astype(detail["dtype"]))
    engine.invoke()
    return [engine.get_tensor(detail["index"]) for detail in engine.get_output_details()]


def errors(outputs: list[np.ndarray[Any, Any]], arrays: Any) -> Row:
    """The largest error of any output against float64, relative to the output's largest number.

    ``error`` is ours and ``torch_error`` is that of PyTorch's own float32: what rounding does to this network.
    """
    ours, torchs = [], []
    for i, output in enumerate(outputs):
        exact, wanted = arrays[f"exact_{i}"].astype(np.float64), arrays[f"out_{i}"].astype(np.float64)
        if output.shape != exact.shape:
            raise ValueError(f"output {i} has shape {output.shape}, expected {exact.shape}")
        finite = np.isfinite(exact) & np.isfinite(wanted)
        if not np.array_equal(np.isfinite(output), finite):
            raise ValueError(f"output {i} has infinities or NaN where PyTorch has none")
        size = max(float(np.abs(exact[finite]).max(initial=0)), 1e-30)
        ours.append(float(np.abs(output[finite] - exact[finite]).max(initial=0)) / size)
        torchs.append(float(np.abs(wanted[finite] - exact[finite]).max(initial=0)) / size)
    worst = int(np.argmax(ours))
    return {"error": None, "relative_error": ours[worst], "torch_error": torchs[worst]}


def _turned(array: np.ndarray[Any, Any], order: Any) -> np.ndarray[Any, Any]:
    return array if order is None else np.ascontiguousarray(array.transpose(order))


def _back(array: np.ndarray[Any, Any], order: Any) -> np.ndarray[Any, Any]:
    return array if order is None else array.transpose(np.argsort(order))


def in_words(row: Row) -> str:
    """One line."""
    name = f"{row['family']}/{row['model']}"
    if row.get("error"):
        return f"{name}: FAIL {row['error'][:260]}"
    wrong = "  WRONG" if is_wrong(row) else ""
    return (
        f"{name}: {row['ops']} ops, {row['transposes']} T, {row['cpu_seconds']} s, "
        f"error {row['relative_error']:.1e} (torch {row['torch_error']:.1e}){wrong}"
    )


def is_wrong(row: Row) -> bool:
    """Beyond what rounding explains: 50 times PyTorch's own error, and a thousandth of the largest number."""
    return bool(row["relative_error"] > max(50 * row["torch_error"], 1e-3))


if __name__ == "__main__":
    main()
