"""What training did, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edge_sdk.converters.reports.training import FileFacts, StageReport, TrainReport
from edge_sdk.report.lines import field as line
from edge_sdk.report.lines import size_text, table
from edge_sdk.report.sensitivity import sensitivity_lines


def training_lines(report: TrainReport) -> list[str]:
    """For a terminal, below a conversion's report."""
    lines = [line("trained", f"{report.framework}, on {report.data}; seed {report.seed}")]
    lines.append(line("metric", f"{report.metric} on {report.evaluation}"))
    headers = ("stage", "epochs", f"{report.metric}", "file", "gzip", "MACs", "time", "zeros", "values")
    source = ("source", "-", _number(report.metric, report.source_metric), *_file_cells(report.source_file))
    rows = [
        (s.name, f"{s.best_epoch}/{s.epochs}", _number(report.metric, s.metric_after), *_file_cells(s.file))
        for s in report.stages
    ]
    return [*lines, "", *table(headers, [source, *rows]), *_fact_lines(report.stages)]


def _fact_lines(stages: Sequence[StageReport]) -> list[str]:
    facts = [(stage.name, key, value) for stage in stages for key, value in stage.facts.items() if value]
    lines = [line(name, f"{key}: {_in_words(value)}") for name, key, value in facts if key != "sensitivity"]
    for _, key, value in facts:
        if key == "sensitivity":
            lines += ["", *sensitivity_lines(value)]
    return lines


def _in_words(value: Any) -> str:
    """A fact in one line; a pair of numbers is before and after."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_in_words(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        pair = len(value) == 2 and not any(isinstance(part, str) for part in value)
        return (" -> " if pair else ", ").join(_in_words(part) for part in value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _number(metric: str, value: float) -> str:
    return f"{value:.2%}" if metric == "accuracy" else f"{value:.5g}"


def _file_cells(file: FileFacts | None) -> tuple[str, ...]:
    if file is None:
        return ("-",) * 6
    ratio = "-" if file.time_ratio is None else f"{file.time_ratio:.2f}x"
    sizes = (size_text(file.size_bytes), size_text(file.gzip_bytes))
    return (*sizes, f"{file.macs:,}", ratio, f"{file.zero_share:.1%}", str(file.distinct_weights))
