"""What training did, stage by stage, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_sdk.findings import Finding


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
