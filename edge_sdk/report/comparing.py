"""A comparison of two models as text."""

from __future__ import annotations

from edge_sdk.converters.comparing import Comparison
from edge_sdk.report.lines import field, table
from edge_sdk.report.text import parity_lines

_NAME = 60


def comparison_text(comparison: Comparison) -> str:
    """For a terminal; BEYOND in the first line where a bound does not hold."""
    verdict = "within bounds" if comparison.ok else "BEYOND"
    asked = any(row.bound for row in comparison.outputs)
    lines = [
        f"{comparison.candidate} against {comparison.reference}: {verdict if asked else 'compared, no bound asked for'}"
    ]
    lines.append(field("on", f"{comparison.data.count} samples of {comparison.data.description}"))
    lines += ["", *parity_lines(comparison.outputs)]
    if comparison.tensors:
        rows = (
            (_end_of(t["tensor"]), t["op"], f"{t['sqnr_db']:.1f}", f"{t['loss_db']:.1f}") for t in comparison.tensors
        )
        lines += ["", *table(("result", "op", "SQNR dB", "lost here dB"), rows)]
    if comparison.findings:
        lines += ["", *(f"  {finding}" for finding in comparison.findings)]
    return "\n".join(lines)


def _end_of(name: str) -> str:
    """What tells tensors apart, for a terminal."""
    return name if len(name) <= _NAME else f"...{name[3 - _NAME :]}"
