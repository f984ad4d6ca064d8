"""Memory over time: what is alive at each op, the arena that holds it, and its peak."""

from __future__ import annotations

from edge_sdk.report.html.markup import Data, paragraph, plural, short, size_text, table, text
from edge_sdk.report.html.svg import WIDTH, columns, coordinate, path, picture, steps

_HEIGHT = 130
_COLUMNS = 500
_ALIVE = 12


def arena(timeline: Data) -> str:
    """The picture, and what is alive at the peak; nothing for a file that needs no arena."""
    ops, total = timeline["ops"], timeline["arena_bytes"]
    if not ops or not total or timeline["peak_op"] is None:
        return ""
    fold = -(-len(ops) // _COLUMNS)
    live = [max(op["live_bytes"] for op in ops[i : i + fold]) for i in range(0, len(ops), fold)]
    most = max(total, *live)
    place = timeline["peak_op"] // fold
    unit = WIDTH / len(live)
    top = 4 + (_HEIGHT - 4) * (1 - total / most)
    parts = (
        path("pale", steps(live, most, 4, _HEIGHT - 4, closed=True)),
        path("step", steps(live, most, 4, _HEIGHT - 4)),
        path("dash", f"M0 {coordinate(top)}H{WIDTH}"),
        path("mark", f"M{coordinate((place + 0.5) * unit - 5)} 0h10l-5 9z"),
        path("rule", f"M0 {_HEIGHT}H{WIDTH}"),
        columns([_title(ops[i : i + fold]) for i in range(0, len(ops), fold)], _HEIGHT),
    )
    peak = ops[timeline["peak_op"]]
    label = f"bytes alive at each op, most at op {peak['op']}"
    middle = "" if fold == 1 else f"{fold} ops to a column, the largest shown"
    axis = f'<div class="axis"><span>op 0</span><span>{middle}</span><span>op {len(ops) - 1}</span></div>'
    return picture(_HEIGHT, parts, label) + axis + _words(timeline, peak) + _alive(timeline)


def _words(timeline: Data, peak: Data) -> str:
    known = "" if timeline["complete"] else " Some kernels ask for scratch that is not part of it: it is a lower bound."
    share = peak["live_bytes"] / timeline["arena_bytes"]
    return paragraph(
        f"Fullest at op {peak['op']}, {peak['name']}: {size_text(peak['live_bytes'])} of values are alive (▼), "
        f"{share:.0%} of the arena of {size_text(timeline['arena_bytes'])} (dashed; the rest is padding and gaps). "
        f"Predicted by the planner's own rules for a run without a delegate.{known}"
    )


def _alive(timeline: Data) -> str:
    alive = timeline["peak_alive"]
    rows = [(short(str(name), 90), size_text(int(size))) for name, size in alive[:_ALIVE]]
    left = alive[_ALIVE:]
    rest = f"and {plural(len(left), 'more tensor')}, {size_text(sum(int(size) for _, size in left))}" if left else ""
    return table(("alive at the peak", "size"), rows) + paragraph(rest)


def _title(ops: list[Data]) -> str:
    worst = max(ops, key=lambda op: op["live_bytes"])
    return text(f"{worst['op']} {worst['name']}: {size_text(worst['live_bytes'])} alive")
