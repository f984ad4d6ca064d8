"""The tables of README.md, written between its markers from ``results/*.json``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.coverage import LEAST_DB

PAGE = Path(__file__).parent / "README.md"
_SHORT = {"float32": "float32", "float16": "float16", "static_wi8_ai8": "int8"}


def fill(page: str) -> str:
    """The page with every ``<!-- name -->`` ... ``<!-- /name -->`` filled anew."""
    for name, make in TABLES.items():
        table = make(results.read(name))
        before, begin, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        page = f"{before}{begin}{table}\n{end}{after}"
    return page


def coverage(result: dict[str, Any]) -> str:
    """A line for each model, and how many passed."""
    rows = []
    for row in result["rows"]:
        cells = [_coverage_cell(row["results"][recipe]) for recipe in _SHORT]
        rows.append([row["model"], *(part for cell in cells for part in cell)])
    head = ["model", *(f"{short}{unit}" for short in _SHORT.values() for unit in (", dB", ", s"))]
    return "\n\n".join([_table(head, rows), _totals(result["rows"]), *_reasons(result["rows"]), _versions(result)])


def _coverage_cell(cell: dict[str, Any]) -> tuple[str, str]:
    if cell["sqnr_db"] is None:
        return "not made", "-"
    return f"{cell['sqnr_db']:.1f}{'' if cell['verified'] else ' rejected'}", str(cell["seconds"] or "-")


def _totals(rows: list[dict[str, Any]]) -> str:
    words = []
    for recipe, short in _SHORT.items():
        cells = [row["results"][recipe] for row in rows]
        verified = sum(cell["verified"] for cell in cells)
        words.append(f"{short} {verified} of {len(cells)} verified")
        if short == "int8":
            words[-1] += f", {sum(not _is_weak(cell) for cell in cells)} of them with {LEAST_DB:.0f} dB or more"
    return "; ".join(words) + "."


def _reasons(rows: list[dict[str, Any]]) -> list[str]:
    cells = [(row["model"], row["results"]["static_wi8_ai8"]) for row in rows]
    weak = [f"{model}: {cell.get('reason') or cell.get('error')}" for model, cell in cells if _is_weak(cell)]
    if not weak:
        return []
    return [f"int8 below 15 dB, and the ops that add most noise (SQNR of operands to result): {'; '.join(weak)}."]


def _is_weak(cell: dict[str, Any]) -> bool:
    return cell["sqnr_db"] is None or cell["sqnr_db"] < LEAST_DB


def conversion(result: dict[str, Any]) -> str:
    """Seconds and ratios."""
    rows = [[r["source"], r["way"], " ".join(map(str, r["seconds"])), f"{r['ratio']:.2f}"] for r in result["rows"]]
    return f"{_table(['source', 'way', 'seconds, every run', 'ratio of medians'], rows)}\n\n{_versions(result)}"


def latency(result: dict[str, Any]) -> str:
    """Microseconds and ratios."""
    rows = [
        [
            r["model"],
            str(r["by_hand_us"]),
            str(r["ours_us"]),
            f"{r['ratio']:.3f}",
            f"{r['ratio_95'][0]:.3f} to {r['ratio_95'][1]:.3f}",
            f"{r['float_ops']} / {r['float_ops_by_hand']}",
        ]
        for r in result["rows"]
    ]
    head = ["model", "by hand, us", "edge-sdk, us", "ratio", "95 %", "float ops, ours / by hand"]
    return f"{_table(head, rows)}\n\n{_versions(result)}"


def runtime(result: dict[str, Any]) -> str:
    """Microseconds, and what is added."""
    rows = [
        [
            r["what"],
            f"{r['base_us']:.4g}",
            f"{r['ours_us']:.4g}",
            f"{r['more_us']:+.3g}",
            f"{r['ratio']:.3f}",
            f"{r['ratio_95'][0]:.3f} to {r['ratio_95'][1]:.3f}",
        ]
        for r in result["rows"]
    ]
    head = ["what", "without, us", "with, us", "more, us", "ratio", "95 %"]
    return f"{_table(head, rows)}\n\n{_versions(result)}"


def startup(result: dict[str, Any]) -> str:
    """Milliseconds."""
    rows = [[f"`{r['command']}`", f"{r['median_ms']:.1f}", f"{r['more_ms']:.1f}"] for r in result["rows"]]
    return f"{_table(['command', 'median, ms', 'more than Python, ms'], rows)}\n\n{_versions(result)}"


def bundle(result: dict[str, Any]) -> str:
    """Milliseconds, ratios and heap."""
    rows = [
        [
            r["variant"],
            f"{r['size_bytes'] / (1 << 20):.1f}",
            f"{r['bare_ms']:.2f}",
            f"{r['bundle_ms']:.2f}",
            f"{r['ratio']:.3f}",
            f"{r['first_bare_ms']:.0f} / {r['first_bundle_ms']:.0f}",
            f"{r['heap_bare_kib']} / {r['heap_bundle_kib']}",
        ]
        for r in result["rows"]
    ]
    head = ["MobileNetV2", "MiB", "bare, ms", "bundle, ms", "ratio", "first in a process, ms", "heap at most, KiB"]
    return f"{_table(head, rows)}\n\n{_versions(result)}"


def wrapper(result: dict[str, Any]) -> str:
    """Microseconds of a run."""
    rows = [
        [r["model"], str(r["values"]), f"{r['by_hand_us']:.2f}", f"{r['session_us']:.2f}", f"{r['overhead_us']:.2f}"]
        for r in result["rows"]
    ]
    head = ["variant", "input values", "by hand, us", "session, us", "added, us"]
    return f"{_table(head, rows)}\n\nMeasured on {result['machine']['cpu']}, {result['java']}; not on Android."


def checking(result: dict[str, Any]) -> str:
    """Seconds."""
    rows = [[r["model"], r["profile"], f"{r['median_s']:.2f}"] for r in result["rows"]]
    return f"{_table(['file', 'profile', 'median, s'], rows)}\n\n{_versions(result)}"


def memory(result: dict[str, Any]) -> str:
    """Bytes, and how far the prediction is off; the widest miss last."""
    rows = [
        [
            r["model"],
            f"{r['measured_bytes'] / 1024:.0f}",
            f"{r['predicted_bytes'] / 1024:.0f}",
            f"{r['error']:+.1%}",
            f"{r['packed_bytes'] / 1024:.0f}",
            f"{r['workspace_bytes'] / 1024:.0f}",
            f"{r['arena_bytes'] / 1024:.0f}",
        ]
        for r in result["rows"]
    ]
    off = sorted(abs(r["error"]) for r in result["rows"])
    words = f"{len(off)} files; off by {off[len(off) // 2]:.1%} in the median, {off[-1]:.1%} at worst." if off else ""
    head = ["file", "measured, KiB", "predicted, KiB", "off by", "packed and pointers", "workspace", "arena"]
    return "\n\n".join([_table(head, rows), words, _versions(result)])


TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "startup": startup,
    "conversion": conversion,
    "latency": latency,
    "runtime": runtime,
    "bundle": bundle,
    "wrapper": wrapper,
    "checking": checking,
    "memory": memory,
    "coverage_keras": coverage,
    "coverage_pytorch": coverage,
}
"""Result name to what makes its table."""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _versions(result: dict[str, Any]) -> str:
    if "machine" not in result:
        return "Not measured yet."
    machine = result["machine"]
    tools = ", ".join(f"{tool} {version}" for tool, version in result["versions"].items())
    return f"Measured on {machine['cpu']}, {machine['cores']} cores, Python {machine['python']}; {tools}."
