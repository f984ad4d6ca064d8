"""Where a record's JSON differs from its fields: what ``as_json`` adds, names anew, or leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from edge_sdk.android import apk
from edge_sdk.android.checking import ApkReport
from edge_sdk.bundle.report import BundleReport
from edge_sdk.checks.timing.helping import Help
from edge_sdk.checks.timing.predicting import Prediction
from edge_sdk.checks.verdict import CheckReport, MemoryCheck, OpPlace
from edge_sdk.cli.results.shapes import ComposedProof, File, SweepRow
from edge_sdk.converters.comparing import Comparison
from edge_sdk.converters.compilers.compiling import Compiled
from edge_sdk.converters.compilers.seam import Compilation
from edge_sdk.converters.composing.compose import Composed
from edge_sdk.converters.demo import DemoRow
from edge_sdk.converters.reports.conversion import ConversionReport
from edge_sdk.converters.reports.details import Details
from edge_sdk.converters.search import records
from edge_sdk.converters.search.records import Expectation, Point, Result
from edge_sdk.converters.search.sweep.sweeping import SweepResult
from edge_sdk.devices.identity import Identity
from edge_sdk.devices.listing import Looked
from edge_sdk.devices.prepare import Prepared
from edge_sdk.doctor import Diagnosis
from edge_sdk.measure import records as measured
from edge_sdk.measure import timed
from edge_sdk.measure.side_by_side import Timing
from edge_sdk.parity.compare import OutputParity
from edge_sdk.parity.slices import SliceParity
from edge_sdk.parity.verdict import Accuracy, Rightness
from edge_sdk.profile import records as profiles
from edge_sdk.runtime import receipt
from edge_sdk.runtime.here import Here
from edge_sdk.runtime.memory import Need


class Optional:
    """A key that is there only where there is something to say."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind


LEFT_OUT: Final = object()
_Number = float | None
_CONVERSION: dict[str, Any] = {
    "accuracy": LEFT_OUT,
    "accurate": Annotated[Accuracy, "What its precision cost against the source."],
    "artifact": File,
    "choice": LEFT_OUT,
    "details": Annotated[Details | None, "What a page shows besides; null where none was asked for."],
    "failed": Annotated[str | None, "Which answer is no: `right` or `accurate`; null where neither."],
    "image_scale": LEFT_OUT,
    "recipe_choice": Annotated[str, "Why this recipe, where it was chosen for a device."],
    "samples": LEFT_OUT,
    "stages": LEFT_OUT,
    "stages_seconds": Annotated[Mapping[str, float], "Where the time went."],
    "summary": LEFT_OUT,
    "timings": LEFT_OUT,
}
_POINT: dict[str, Any] = {
    "recipe": str,
    "spared_in": Annotated[str, "What spared groups compute in: `float32` or `int16`."],
    "expected_ms": Annotated[float | None, "Its time as predicted before the file was made; null where it was not."],
    "on_front": Annotated[bool, "Whether no other is at least as good in latency, size and metric."],
    "chosen": bool,
}
_SEARCH: dict[str, Any] = {
    "schema": str,
    "objective": str,
    "confidence": Annotated[float, "Of all intervals."],
    "best": LEFT_OUT,
    "chosen": Annotated[int | None, "Order of the chosen point; null where none fits."],
    "confirmation": Annotated[
        records.Confirmation | None,
        "What unseen data says of the answer; null where it was not asked: the float file, or no drop was allowed.",
    ],
    "full_evaluations": Annotated[float, "Evaluations, each by the share of its samples that it took to decide."],
    "family": LEFT_OUT,
    "predicted_front": list[Expectation],
}
CHANGES: dict[Any, dict[str, Any]] = {
    Accuracy: {"sqnr_db": Annotated[_Number, "Of the worst output; null where it is infinite."]},
    ApkReport: {"fit": Annotated[bool, "Whether no finding is an error."]},
    BundleReport: {"path": LEFT_OUT, "bundle": str},
    CheckReport: {
        "time": Optional(Annotated[Prediction, "Predicted from a calibration table."]),
        "will_it_help": Optional(Annotated[list[Help], "What other precisions would do to a float file's time."]),
    },
    Compilation: {
        "content": LEFT_OUT,
        "suffix": LEFT_OUT,
        "size_bytes": int,
        "ops": int,
        "ops_on_npu": int,
        "places": list[OpPlace],
    },
    Comparison: {"ok": Annotated[bool, "Every output is within its bound, or none was asked for."]},
    Composed: {
        "artifact": LEFT_OUT,
        "max_abs_error": LEFT_OUT,
        "samples": LEFT_OUT,
        "inputs": list[str],
        "outputs": list[str],
        "bytes": int,
        "sha256": str,
        "verified": ComposedProof,
    },
    ConversionReport: {
        **_CONVERSION,
        "timings_measured": Annotated[list[Timing], "The float file and this one, side by side; empty: not timed."],
        "cached": Optional(
            Annotated[str, "Under --cache: the content's hash, where the same was kept and nothing run."]
        ),
    },
    DemoRow: {"source_accuracy": LEFT_OUT, "source_test_accuracy": float, "accuracy": LEFT_OUT, "test_accuracy": float},
    Diagnosis: {"here": Mapping[str, Any], "steps": Annotated[list[str], "What to do next."]},
    Identity: {"libc": str | None, "props": Mapping[str, str]},
    Looked: {"not_ready": Mapping[str, Any] | None, "error": Mapping[str, Any] | None},
    MemoryCheck: {"fits": bool},
    Need: {"total_bytes": int},
    OutputParity: {
        "sqnr_db": Annotated[_Number, "Null where it is infinite or not a number."],
        "cosine": _Number,
        "max_abs_error": _Number,
        "max_abs_reference": _Number,
        "relative_variation": _Number,
        "has_power": Annotated[bool, "Whether agreement says anything: the reference varies between samples."],
        "varied_db": Annotated[_Number, "SQNR of what differs between samples; null without power, and where equal."],
    },
    Point: _POINT,
    Prepared: {"address": str},
    Result: _SEARCH,
    Rightness: {"ok": bool},
    SliceParity: {"sqnr_db": _Number},
    SweepResult: {
        "schema": str,
        "failed": Annotated[int, "Jobs with an error."],
        "jobs": LEFT_OUT,
        "rows": list[SweepRow],
    },
}
"""Record to keys with their types, over those of its fields."""
INLINED: dict[Any, tuple[str, ...]] = {Compiled: ("compilation",), DemoRow: ("report",)}
"""Record to fields whose own keys stand among its."""
SPARSE: Final = frozenset({"edge_sdk.measure.records", "edge_sdk.checks.timing.table", "edge_sdk.measure.timed"})
"""Modules whose records leave out what is not known, instead of null."""
FORWARD: dict[str, Any] = {"Here": Here}
"""Names that a record's module knows for types only."""
NAMES: dict[Any, str] = {
    apk.Manifest: "ApkManifest",
    measured.Comparison: "TimeComparison",
    measured.Reason: "InvalidReason",
    measured.Result: "BenchmarkResult",
    profiles.Cluster: "CpuCluster",
    profiles.Device: "ProfileDevice",
    profiles.Memory: "ProfileMemory",
    receipt.Attempt: "OpeningAttempt",
    records.File: "PointFile",
    records.Result: "Optimization",
    timed.OpTime: "MeasuredOpTime",
}
"""Records whose class is called as another's of another room."""
