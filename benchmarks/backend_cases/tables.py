"""Tables of ONNX's backend cases."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import table, versions


def onnx_cases(result: dict[str, Any]) -> str:
    """Outcomes, reasons of what has no form, and the cases that differ."""
    counts = [row for row in result["rows"] if "cases" in row]
    rows = [[row["outcome"], row.get("why", ""), str(row["cases"])] for row in counts]
    named = [f"`{row['case']}` ({row['why']})" for row in result["rows"] if "case" in row]
    parts = [table(["outcome", "why", "cases"], rows), f"Not as ONNX has it: {', '.join(named)}.", versions(result)]
    return "\n\n".join(parts)


def onnx_cases_peers(result: dict[str, Any]) -> str:
    """Outcomes of onnx2tf and of the direct lowering on the same cases."""
    keys = ("outcome", "edge_sdk", "onnx2tf")
    counts = [[str(row[key]) for key in keys] for row in result["rows"] if "edge_sdk" in row]
    return "\n\n".join([table(["outcome", "edge-sdk direct", "onnx2tf"], counts), versions(result)])
