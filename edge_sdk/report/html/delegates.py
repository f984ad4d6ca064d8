"""What delegates of a device would take, why the rest stays outside, and the memory it needs; all of it predicted."""

from __future__ import annotations

from collections.abc import Iterator

from edge_sdk.report.html.markup import Data, Html, paragraph, size_text, table, text

_REASONS = 6


def delegates(check: Data) -> str:
    """A table of delegates, one of reasons, one of memory, and the runtimes."""
    heads = ("delegate", "takes", "ops", "MACs", "partitions", "crossing")
    rows = [_row(one) for one in check["delegates"]]
    note = (
        "Predicted from rules; nothing ran on the device."
        if rows
        else "No delegate: every op runs in the runtime's own kernels."
    )
    return "\n".join(
        [paragraph(note), table(heads, rows, words=(0, 1)), _reasons(check), _memory(check["memory"]), _runtimes(check)]
    )


def _row(one: Data) -> tuple[object, ...]:
    name = Html(f"{text(one['rules'])} <small>on {text(one['accelerator'])}</small>")
    if one["verdict"] == "not predicted":
        return name, one["verdict"], "-", "-", "-", "-"
    count = f"{one['claimed']} of {one['ops']}"
    return name, one["verdict"], count, f"{one['mac_share']:.1%}", one["partitions"], size_text(one["boundary_bytes"])


def _reasons(check: Data) -> str:
    rows = [row for one in check["delegates"] for row in _obstacles(one)]
    return table(("left outside", "ops", "because", "rule"), rows, words=(0, 2, 3))


def _obstacles(one: Data) -> Iterator[tuple[object, ...]]:
    listed = one["obstacles"]
    for obstacle in listed[:_REASONS]:
        what = Html(f"{text(obstacle['op_name'])} <small>by {text(one['rules'])}</small>")
        yield what, obstacle["count"], obstacle["first"]["message"], obstacle["rule"]
    if listed[_REASONS:]:
        ops = sum(obstacle["count"] for obstacle in listed[_REASONS:])
        yield f"{len(listed) - _REASONS} more reasons", ops, "edge-sdk check --verbose", ""


def _memory(memory: Data) -> str:
    rows = [
        (path["name"], size_text(path["total_bytes"]), size_text(path["heap_bytes"]), size_text(path["arena_bytes"]))
        for path in memory["paths"]
    ]
    fits = "fits" if memory["fits"] else "does not fit"
    words = (
        f"Needs at least {size_text(memory['floor_bytes'])} by {memory['floor_path']}, "
        f"of {size_text(memory['budget_bytes'])} that one process may take: {fits}. {memory['floor_because']}."
    )
    return paragraph(words) + table(("memory", "file and heap", "heap", "arena"), rows)


def _runtimes(check: Data) -> str:
    words = {True: "has every op", False: "lacks ops", None: "op versions not measured"}
    listed = [f"{one['name']} {one['version']}: {words[one['loads']]}" for one in check["runtimes"]]
    return paragraph("Runtimes: " + "; ".join(listed) if listed else "")
