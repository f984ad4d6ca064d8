"""Tables of published architectures."""

from __future__ import annotations

from typing import Any

from benchmarks.corpus.lowering import is_wrong
from benchmarks.markdown import table, versions


def corpus(result: dict[str, Any]) -> str:
    """A line for each family with how many were lowered, then a line for each model."""
    rows = result["rows"]
    counts = []
    for family in dict.fromkeys(row["family"] for row in rows):
        own = [row for row in rows if row["family"] == family]
        exported = [row for row in own if not str(row["error"]).startswith("export: ")]
        right = [row for row in exported if not row["error"] and not is_wrong(row)]
        counts.append([family, str(len(own)), str(len(exported)), str(len(right))])
    head = ["family", "tried", "exported", "lowered and equal"]
    lines = [_corpus_line(row) for row in rows if not str(row["error"]).startswith("export: ")]
    columns = ["model", "ops", "TRANSPOSE", "CPU s", "error", "PyTorch's own error"]
    each = f"<details><summary>Every model</summary>\n\n{table(columns, lines)}\n\n</details>"
    return "\n\n".join([table(head, counts), each, versions(result)])


def _corpus_line(row: dict[str, Any]) -> list[str]:
    name = f"{row['family']}/{row['model']}"
    if row["error"]:
        return [name, f"not made: {row['error'][:100]}".replace("|", "/"), "", "", "", ""]
    errors = [f"{row[key]:.0e}" for key in ("relative_error", "torch_error")]
    return [name, str(row["ops"]), str(row["transposes"]), f"{row['cpu_seconds']:.2f}", *errors]
