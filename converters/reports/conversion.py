"""What a conversion did and what it proved, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_sdk.artifact.model import Artifact
from edge_sdk.artifact.summary import Summary, summary_as_json
from edge_sdk.checks.verdict import CheckReport
from edge_sdk.converters.reports.details import Details
from edge_sdk.converters.reports.training import TrainReport
from edge_sdk.data.checks import DataFacts
from edge_sdk.findings import Finding
from edge_sdk.measure.side_by_side import Timing
from edge_sdk.parity.compare import OutputParity
from edge_sdk.parity.labelled import Labelled
from edge_sdk.parity.verdict import Accuracy, Rightness
from edge_sdk.rows import Tabular
from edge_sdk.signature import Arrays

_UNFIT = frozenset({"vela-fails", "vela-places-nothing"})


@dataclass(frozen=True)
class Attempt:
    """One rung of the ladder: how it was lowered and how it ended."""

    name: str
    reason: str
    seconds: float
    tool: str = ""
    accepted: bool = False

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return dict(vars(self))


@dataclass(frozen=True)
class Layout:
    """What happened to the layout of one input or output; ``axes`` as in ``numpy.transpose``, source to file."""

    name: str
    role: str
    axes: tuple[int, ...] | None

    def __str__(self) -> str:
        if self.axes is None:
            return "as in the source"
        return "NCHW in the source, NHWC in the file" if self.axes == (0, 2, 3, 1) else f"transposed by {self.axes}"


@dataclass(frozen=True)
class Stage:
    """Wall-clock seconds of one part of the work."""

    name: str
    seconds: float


@dataclass(frozen=True, repr=False)
class ConversionReport(Tabular):
    """The account of one file.

    Attributes:
        verified: right and not too inaccurate: every output is within its bound, no op or slice is at fault.
        right: whether the file computes what its own numbers say.
        accuracy: what its precision cost against the source.
        output: the file written, as the user named it; None where none was.
        recipe: resolved name.
        source: what was converted, in words.
        framework: what it was loaded with.
        artifact: the file itself.
        summary: what computes in which type, what it needs.
        layouts: of inputs and outputs.
        attempts: all rungs tried.
        data: what the comparison ran on.
        calibration: what ranges were observed on, where they were.
        ranges: how the ranges of activations were set: the method asked for, tensors by method, and each of them; None
            where none were.
        corrections: what was changed in the int8 file after it was quantized, by kind, with what it bought.
        float_parity: the float file against the source.
        parity: this file against the source.
        timings: the float file and this one, measured side by side; empty where not timed.
        tools: what made the file.
        findings: all that a user should know, the gravest first.
        stages: where the time went.
        choice: why this recipe, where it was chosen for a device.
        check: the file against the device asked for.
        compiled: what the device's own compiler made of the file, as a path beside it.
        samples: the first inputs that the comparison ran on, in the file's layout, where they were asked for.
        image_scale: factor on the pixels of images that the model was given, as asked or as its first ops tell; None
            for 1/255.
        training: what was trained before, for recipes that train.
        details: what a page shows besides, where asked for.
        labels: names of the classes of the first output that has any.
        labelled: accuracy of source and file, where the data's folders tell each sample's class.
    """

    verified: bool
    right: Rightness
    accuracy: Accuracy
    output: str | None
    recipe: str
    source: str
    framework: str
    artifact: Artifact
    summary: Summary
    layouts: tuple[Layout, ...]
    attempts: tuple[Attempt, ...]
    data: DataFacts
    calibration: DataFacts | None
    float_parity: tuple[OutputParity, ...]
    parity: tuple[OutputParity, ...]
    ranges: Mapping[str, Any] | None = None
    corrections: Mapping[str, Any] = field(default_factory=dict)
    timings: tuple[Timing, ...] = ()
    tools: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    stages: tuple[Stage, ...] = field(default=(), compare=False)
    choice: str = ""
    check: CheckReport | None = None
    compiled: str | None = None

    samples: tuple[Arrays, ...] = field(default=(), compare=False, repr=False)
    image_scale: float | None = None
    training: TrainReport | None = None
    details: Details | None = field(default=None, compare=False, repr=False)
    labelled: Labelled | None = None
    labels: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether the file is predicted to fit the device asked for; True where none was."""
        return self.check is None or (self.check.fits and not any(f.rule in _UNFIT for f in self.findings))

    @property
    def failed(self) -> str | None:
        """Which of the two answers is no: ``right`` or ``accurate``; None where neither."""
        return "right" if not self.right.ok else "accurate" if self.accuracy.state == "lost" else None

    def headline(self) -> str:
        """What was made, and whether it is proven."""
        state = "verified" if self.verified else "UNVERIFIED"
        return f"{self.output or 'not written'}, {self.recipe}: {state}, {self.accuracy}"

    def rows(self) -> list[dict[str, Any]]:
        """A row for each output."""
        return [
            {
                "output": row.name,
                "recipe": self.recipe,
                **row.figures(),
                "size_bytes": self.artifact.size_bytes,
                "time_ratio": self.timings[1].ratio if self.timings else None,
            }
            for row in self.parity
        ]

    def as_json(self) -> dict[str, Any]:
        """The whole report as plain data."""
        return {
            "verified": self.verified,
            "failed": self.failed,
            "right": self.right.as_json(),
            "accurate": self.accuracy.as_json(),
            "output": self.output,
            "recipe": self.recipe,
            "recipe_choice": self.choice,
            "source": self.source,
            "framework": self.framework,
            "artifact": summary_as_json(self.artifact, self.summary) | {"path": self.output},
            "layouts": [vars(layout) for layout in self.layouts],
            "attempts": [attempt.as_json() for attempt in self.attempts],
            "data": self.data.as_json(),
            "calibration": self.calibration.as_json() if self.calibration else None,
            "ranges": self.ranges,
            "corrections": dict(self.corrections),
            "float_parity": [row.as_json() for row in self.float_parity],
            "parity": [row.as_json() for row in self.parity],
            "timings_measured": [timing.as_json() for timing in self.timings],
            "tools": list(self.tools),
            "findings": [finding.as_json() for finding in self.findings],
            "check": self.check.as_json() if self.check else None,
            "compiled": self.compiled,
            "stages_seconds": {stage.name: round(stage.seconds, 3) for stage in self.stages},
            "training": self.training.as_json() if self.training else None,
            "labels": list(self.labels),
            "labelled": self.labelled.as_json() if self.labelled else None,
            "details": self.details.as_json() if self.details else None,
        }
