"""Times of single ops, as the engine's own profiler has them, in a child process."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from edge_sdk.engines.installed import Engine, find_engine
from edge_sdk.engines.probe import try_in_child
from edge_sdk.errors import TargetError
from edge_sdk.measure.records import Benchmark, Result
from edge_sdk.measure.timed import OpProfile, OpTime
from edge_sdk.progress import Progress

RUNS = 50
# The functions are exported and public, their layout is not promised: these versions were tried.
_TRIED = ("2.3.",)
_CHILD = "edge_sdk.measure.ops_child:profile"
_DELEGATES = {"xnnpack": 0, "cpu": 2}
"""Delegate to LiteRT's ``kernel_mode``."""
# [node type] [start] [first] [avg ms] [%] [cdf%] [mem KB] [times called] [Name]
_ROW = re.compile(
    r"\s*(?P<type>\S.*?)\s+[\d.]+\s+[\d.]+\s+(?P<mean>[\d.]+)\s+[\d.]+%\s+[\d.]+%\s+[\d.]+\s+\d+\s+\S.*:(?P<number>\d+)\s*"
)


def with_ops(benchmark: Benchmark, progress: Progress) -> Benchmark:
    """The benchmark with a profile of every result whose engine gives one.

    Raises:
        TargetError: the engine gives none, or not for this delegate.
    """
    progress.stage("profile ops")
    return replace(benchmark, results=tuple(_profiled(result) for result in benchmark.results))


def check_ops(delegates: Iterable[str], engine: str | None) -> Engine:
    """Whether ops can be profiled; asked before anything is measured. Errors as :func:`with_ops`."""
    found = find_engine(engine)
    if found.name != "ai-edge-litert" or not found.version.startswith(_TRIED):
        raise TargetError(
            f"{found} gives no times of single ops: LiteRT does, in the versions that were tried: "
            f"{', '.join(version + 'x' for version in _TRIED)}",
            hint="leave --ops out, or pip install 'ai-edge-litert>=2.3,<2.4'",
        )
    for name in delegates:
        if name not in _DELEGATES and name != "auto":
            raise TargetError(
                f"{found} gives no times of single ops for {name}", hint=f"it does for {', '.join(_DELEGATES)}"
            )
    return found


def _profiled(result: Result) -> Result:
    info, settings = result.backend_info, result.backend_settings
    engine = check_ops([info.delegate_name], None)
    content = _content(settings.model_path, settings.variant)
    arguments = {
        "kernel_mode": _DELEGATES[info.delegate_name],
        "threads": settings.threads,
        "runs": RUNS,
    }
    trial = try_in_child(_CHILD, content, arguments, timeout_s=600.0)
    if trial.result is None:
        what = trial.death or ": ".join(trial.error or ("", "no answer"))
        raise TargetError(f"{result.benchmark_id}: {engine}'s profiler {what}, while {trial.step}")
    return replace(result, op_profile=op_profile(trial.result["summary"], str(engine), RUNS))


def _content(path: str, variant: str | None) -> bytes:
    if variant is None:
        return Path(path).read_bytes()
    from edge_sdk.bundle import open_bundle

    with open_bundle(path) as bundle:
        return bytes(bundle.model(variant))


def op_profile(summary: str, engine: str, runs: int) -> OpProfile:
    """The engine's own table, read.

    Args:
        summary: the text of TFLite's profile summarizer. Its section ``Run Order`` has a row for each op, or for each
            kernel of XNNPACK, which counts its own; times are to 1 us.
        engine: for the record.
        runs: that were profiled.

    Raises:
        TargetError: there is no such table in it.
    """
    section = re.search(r"Run Order =+\n(.*?)(?:\n=|\Z)", summary, re.DOTALL)
    rows = [row for line in (section[1] if section else "").splitlines() if (row := _ROW.fullmatch(line))]
    means = [float(row["mean"]) for row in rows]
    if not rows:
        raise TargetError(f"{engine}'s profile holds no times of ops", hint="leave --ops out")
    # Of a file whose ops all take less than 1 us no op has a share.
    ops = tuple(OpTime(_name(row), mean, mean / (sum(means) or 1.0)) for row, mean in zip(rows, means, strict=True))
    return OpProfile(f"{engine}'s own profiler", runs, ops)


def _name(row: re.Match[str]) -> str:
    """``CONV_2D #2``, or a kernel of a delegate in the delegate's own order."""
    return f"{row['type']} #{row['number']}"
