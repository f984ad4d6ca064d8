"""Results in forms that other viewers open: Model Explorer's node data, and a trace for Perfetto.

Model Explorer: ``GraphNodeData`` of its ``node_data_builder.py`` (v0.1.34): ``name``, ``results`` by the name of an
output tensor, and a ``gradient``. Perfetto: the JSON trace event format (complete, counter and metadata events; times
in microseconds).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edge_sdk.errors import EdgeSdkError
from edge_sdk.files import write_bytes
from edge_sdk.report.html.strip import placements, sqnr_by_op

Data = Mapping[str, Any]
_PALE, _STRONG = "#f3f6fb", "#d55e00"


def write_model_explorer(data: Data, folder: Path) -> list[Path]:
    """Writes a file for each measure of a result's ops, to be opened beside the .tflite file.

    Args:
        data: a result whose ops are known: of convert, check or compare --tensors.
        folder: made if absent.

    Returns:
        The files.

    Raises:
        EdgeSdkError: the result holds no ops.
        OutputError: a file cannot be written.
    """
    written = []
    for name, values in _node_measures(data):
        path = folder / f"{name}.json"
        write_bytes(path, json.dumps(node_data(name, values), indent=1).encode())
        written.append(path)
    return written


def node_data(name: str, values: Mapping[str, float]) -> dict[str, Any]:
    """One measure as Model Explorer reads it: tensor name to value, pale for the least, strong for the largest."""
    return {
        "name": name,
        "results": {tensor: {"value": value} for tensor, value in values.items()},
        "gradient": [{"stop": 0, "bgColor": _PALE}, {"stop": 1, "bgColor": _STRONG}],
    }


def _node_measures(data: Data) -> Iterator[tuple[str, dict[str, float]]]:
    details = data.get("details") or {}
    ops = _ops(data)
    yield "macs", _named(ops, {i: float(op["macs"]) for i, op in enumerate(ops)})
    yield "live_bytes", _named(ops, {i: float(op["live_bytes"]) for i, op in enumerate(ops)})
    if details.get("tensors"):
        yield "sqnr_db", _named(ops, sqnr_by_op(details["tensors"]))
    times = {op["op"]: op["us"] for op in (data.get("time") or {"ops": ()})["ops"] if op["us"] is not None}
    if times:
        yield "predicted_us", _named(ops, times)
    delegates, _ = placements(data.get("check") or data, len(ops))
    for rules, marks in delegates.items():
        yield f"outside_{rules}", _named(ops, {i: float(mark is None) for i, mark in enumerate(marks)})


def _ops(data: Data) -> list[Data]:
    timeline = (data.get("details") or {}).get("timeline") or data.get("timeline")
    if not timeline:
        raise EdgeSdkError(
            "the result holds no ops", hint="that of check, convert --html or --report, or compare --tensors does"
        )
    ops: list[Data] = timeline["ops"]
    return ops


def _named(ops: list[Data], values: Mapping[int, float]) -> dict[str, float]:
    """By the name of the op's first result; the largest where several ops share one."""
    named: dict[str, float] = {}
    for place, value in values.items():
        name = ops[place]["result"]
        named[name] = max(value, named.get(name, value))
    return named


def write_trace(data: Data, path: Path) -> None:
    """Writes a trace of the ops of a result.

    Args:
        data: of benchmark --ops (measured), or of check with a calibration table (predicted).
        path: the file, for https://ui.perfetto.dev or chrome://tracing.

    Raises:
        EdgeSdkError: the result holds no times of ops.
        OutputError: it cannot be written.
    """
    write_bytes(path, json.dumps(trace(data), indent=1).encode())


def trace(data: Data) -> dict[str, Any]:
    """The trace as plain data; a process for each thing that was timed."""
    events = list(_measured(data)) if "results" in data else list(_predicted(data))
    if not events:
        raise EdgeSdkError(
            "the result holds no times of ops",
            hint="`edge-sdk benchmark --ops --json` measures them, `check --calibration-table --json` predicts them",
        )
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def _measured(data: Data) -> Iterator[dict[str, Any]]:
    for process, result in enumerate(data["results"], 1):
        profile = result.get("op_profile")
        if profile is None:
            continue
        yield _named_process(process, f"{result['benchmark_name']}, measured by {profile['source']}")
        at = 0.0
        for op in profile["ops"]:
            span = op["mean_ms"] * 1000
            yield _complete(process, op["name"], at, span, {"share": op["share"], "truth": "measured"})
            at += span


def _predicted(data: Data) -> Iterator[dict[str, Any]]:
    time = data.get("time")
    if not time:
        return
    yield _named_process(1, f"{data.get('artifact', 'model')}, predicted for {time['subject']}")
    live = {op["op"]: op["live_bytes"] for op in (data.get("timeline") or {"ops": ()})["ops"]}
    at = 0.0
    for op in time["ops"]:
        span = op["us"] or 0.0
        told = {"result": op["result"], "place": op["place"], "bound": op["bound"], "truth": "predicted"}
        if op["us"] is not None:
            yield _complete(1, f"{op['op']} {op['op_name']}", at, span, told)
        if op["op"] in live:
            yield {"name": "arena", "ph": "C", "ts": at, "pid": 1, "args": {"bytes": live[op["op"]]}}
        at += span


def _named_process(process: int, name: str) -> dict[str, Any]:
    return {"name": "process_name", "ph": "M", "pid": process, "tid": 1, "args": {"name": name}}


def _complete(process: int, name: str, at: float, span: float, told: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "cat": "op", "ph": "X", "ts": at, "dur": span, "pid": process, "tid": 1, "args": told}
