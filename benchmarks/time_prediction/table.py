"""The figures as a table of benchmarks/README.md."""

from __future__ import annotations

from typing import Any

_HEAD = (
    ("variant", "variant"),
    ("files", "files"),
    ("abstains", "abstains"),
    ("median_error", "median error"),
    ("within_10", "within 10 %"),
    ("within_20", "within 20 %"),
    ("rank_correlation", "rank correlation"),
    ("covered", "inside its 90 % interval"),
    ("signs_right", "faster or slower: right"),
    ("always_faster_right", "`always faster`: right"),
)
_SHARES = frozenset({"median_error", "within_10", "within_20", "covered", "signs_right", "always_faster_right"})


def time_prediction(result: dict[str, Any]) -> str:
    """Errors by variant, and what they were measured on."""
    if not result["rows"]:
        return ""
    lines = ["| " + " | ".join(word for _, word in _HEAD) + " |", "|" + " --- |" * len(_HEAD)]
    lines += ["| " + " | ".join(_cell(row, name) for name, _ in _HEAD) + " |" for row in result["rows"]]
    valid = "VALID" if result["table_valid"] else f"INVALID: {'; '.join(result['table_reasons'])}"
    moved = ", ".join(f"{name} {ratio:.2f}" for name, ratio in result.get("drift", {}).items())
    drift = f" The same kernels with the networks, over the table's: {moved}." if moved else ""
    return "\n".join([*lines, "", f"{result['subject']}; table {valid}.{drift}"])


def _cell(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if value is None:
        return "-"
    return f"{value:.1%}" if name in _SHARES else str(value)
