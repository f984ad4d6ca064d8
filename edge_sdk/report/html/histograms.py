"""Values of the worst results, float and quantized, with the range that the quantized type can hold."""

from __future__ import annotations

from collections.abc import Sequence

from edge_sdk.report.html.markup import Data, decibels, short, text
from edge_sdk.report.html.svg import WIDTH, coordinate, path, picture, steps

_HEIGHT = 84
_KEY = (
    '<div class="key"><span><i class="k-pale"></i>float file</span><span><i class="k-step"></i>this file</span>'
    '<span><i class="k-dash"></i>ends of what its scale can hold</span></div>'
)


def histograms(found: Sequence[Data]) -> str:
    """One small picture for each, the one that adds most noise first."""
    if not found:
        return ""
    return f'{_KEY}<div class="few">{"".join(map(_one, found))}</div>'


def _one(one: Data) -> str:
    low, high = _frame(one)
    reference, candidate = (_spread(one, one[side], low, high) for side in ("reference", "candidate"))
    most = max(*reference, *candidate, 1.0)
    ends = [one[end] for end in ("range_low", "range_high") if one[end] is not None]
    marks = "".join(f"M{coordinate((end - low) / (high - low) * WIDTH)} 0V{_HEIGHT}" for end in ends)
    parts = (
        path("pale", steps(reference, most, 2, _HEIGHT - 2, closed=True)),
        path("step", steps(candidate, most, 2, _HEIGHT - 2)),
        path("rule", f"M0 {_HEIGHT}H{WIDTH}"),
        path("dash", marks),
    )
    label = f"values of {one['tensor']}: float from {one['low']:.4g} to {one['high']:.4g}"
    axis = f'<div class="axis"><span>{low:.4g}</span><span>{high:.4g}</span></div>'
    return f"<figure>{picture(_HEIGHT, parts, label)}{axis}<figcaption>{_caption(one)}</figcaption></figure>"


def _caption(one: Data) -> str:
    head = f"<b>{text(one['op'])} {one['op_index']}</b> <code>{text(short(one['tensor']))}</code><br>"
    if one["range_low"] is None:
        return f"{head}SQNR {decibels(one['sqnr_db'])}; {text(one['dtype'])}, no single scale"
    clipped = f", {one['clipped']:.2%} of the float values are outside" if one["clipped"] else ", nothing is outside"
    held = f"holds {one['range_low']:.4g} to {one['range_high']:.4g}{clipped}"
    return f"{head}SQNR {decibels(one['sqnr_db'])}; {text(one['dtype'])} {held}"


def _frame(one: Data) -> tuple[float, float]:
    """Values and range, with a little room, so that the range's ends are seen."""
    low = min(one["low"], one["low"] if one["range_low"] is None else one["range_low"])
    high = max(one["high"], one["high"] if one["range_high"] is None else one["range_high"])
    room = (high - low) * 0.02
    return low - room, high + room


def _spread(one: Data, counts: Sequence[int], low: float, high: float) -> list[float]:
    """Counts on the frame, as roots: a few values far out would not be seen beside most at zero."""
    width = (one["high"] - one["low"]) / len(counts)
    columns = 160
    unit = (high - low) / columns
    places = [int((low + (column + 0.5) * unit - one["low"]) // width) for column in range(columns)]
    return [float(counts[place]) ** 0.5 if 0 <= place < len(counts) else 0.0 for place in places]
