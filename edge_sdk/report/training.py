"""What training did, stage by stage, as a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge_sdk.findings import Finding
from edge_sdk.report.lines import field as line
from edge_sdk.report.lines import size_text, table
from edge_sdk.report.sensitivity import sensitivity_lines


@dataclass(frozen=True)
class FileFacts:
    """What a model weighs as a float32 .tflite (int8 after quantization-aware training).

    Attributes:
        form: recipe of that file.
        size_bytes: of the file.
        gzip_bytes: after gzip -9.
        macs: multiply-accumulates of one run.
        zero_share: share of zeros among the weights of dot products.
        distinct_weights: for each such op, how many different values its weights have; the median.
        time_ratio: time of a run to that of the input model's float32 file, measured here in one run; None where not.
    """

    form: str
    size_bytes: int
    gzip_bytes: int
    macs: int
    zero_share: float
    distinct_weights: int
    time_ratio: float | None = None


@dataclass(frozen=True)
class StageReport:
    """One stage.

    Attributes:
        name: of the stage.
        epochs: trained in it.
        best_epoch: the one whose weights were kept, from 1; 0 where none was better than the beginning.
        losses: mean of each epoch.
        metrics: the metric on the evaluation data after each epoch.
        metric_before: of the model that came in.
        metric_after: of the model that went out.
        seconds_per_epoch: measured; None where the user's own loop ran.
        file: what the model weighs then; None where it was not asked for.
        facts: what the stage itself says.
    """

    name: str
    epochs: int
    best_epoch: int
    losses: tuple[float, ...]
    metrics: tuple[float, ...]
    metric_before: float
    metric_after: float
    seconds_per_epoch: float | None = None
    file: FileFacts | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainReport:
    """All stages.

    Attributes:
        recipe: resolved name.
        framework: ``keras`` or ``torch``.
        metric: its name.
        data: what was trained on.
        evaluation: what the metric was taken on.
        seed: of all random choices.
        source_metric: of the source model.
        source_file: what it weighs as a float32 file.
        stages: in the order in which they were run.
        findings: all that a user should know.
    """

    recipe: str
    framework: str
    metric: str
    data: str
    evaluation: str
    seed: int
    source_metric: float
    source_file: FileFacts | None
    stages: tuple[StageReport, ...]
    findings: tuple[Finding, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The whole report as plain data."""
        return {
            **vars(self),
            "source_file": vars(self.source_file) if self.source_file else None,
            "stages": [{**vars(s), "file": vars(s.file) if s.file else None} for s in self.stages],
            "findings": [finding.as_json() for finding in self.findings],
        }


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
