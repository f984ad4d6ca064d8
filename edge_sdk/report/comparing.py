"""A comparison of two models as text."""

from __future__ import annotations

from edge_sdk.converters.comparing import Comparison
from edge_sdk.converters.reports.details import Details
from edge_sdk.parity.alone import BEST_DB
from edge_sdk.report.lines import field, table
from edge_sdk.report.text import parity_lines

_NAME = 60
WORST = 10


def comparison_text(comparison: Comparison) -> str:
    """For a terminal; BEYOND in the first line where a bound does not hold."""
    verdict = "within bounds" if comparison.ok else "BEYOND"
    asked = any(row.bound for row in comparison.outputs)
    lines = [
        f"{comparison.candidate} against {comparison.reference}: {verdict if asked else 'compared, no bound asked for'}"
    ]
    lines.append(field("on", f"{comparison.data.count} samples of {comparison.data.description}"))
    lines += ["", *parity_lines(comparison.outputs)]
    if comparison.details:
        lines += ["", *_tensor_lines(comparison.details)]
    if comparison.findings:
        lines += ["", *(f"  {finding}" for finding in comparison.findings)]
    return "\n".join(lines)


def _end_of(name: str) -> str:
    """What tells tensors apart, for a terminal."""
    return name if len(name) <= _NAME else f"...{name[3 - _NAME :]}"


def _tensor_lines(details: Details) -> list[str]:
    """The worst results, and the worst modules; all of them are in the JSON and on the page."""
    rows = (
        (_end_of(row["tensor"]), row["op"], f"{row['sqnr_db']:.1f}", f"{row['loss_db']:.1f}", _alone(row["alone_db"]))
        for row in details.tensors[:WORST]
    )
    lines = table(("result", "op", "SQNR dB", "lost here dB", "alone dB"), rows)
    left = len(details.tensors) - WORST
    lines.append(field("", "alone: SQNR of the outputs when this op alone is rounded, emulated in float"))
    if left > 0:
        lines.append(field("", f"{left} more results in --json and --html"))
    if details.modules:
        modules = (
            (_end_of(one["module"]), str(one["ops"]), _alone(one["alone_db"])) for one in details.modules[:WORST]
        )
        lines += ["", *table(("module of the source", "ops", "alone dB"), modules)]
    return lines


def _alone(loss: float | None) -> str:
    return "-" if loss is None else "exact" if loss >= BEST_DB else f"{loss:.1f}"
