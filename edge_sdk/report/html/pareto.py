"""What was tried, as points with intervals: what each costs against what it loses, the front, and the choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_sdk.report.html.markup import text
from edge_sdk.report.html.svg import WIDTH, box, coordinate, path, picture

_HEIGHT = 240
_ROOM = 0.06


@dataclass(frozen=True)
class Dot:
    """One point: ``x`` is a cost, ``y`` a loss, each with its interval where it has one; less is better for both."""

    name: str
    x: float
    y: float
    x_ends: tuple[float, float] | None = None
    y_ends: tuple[float, float] | None = None
    on_front: bool = False
    chosen: bool = False


@dataclass(frozen=True)
class Axis:
    """What a side means: its name, unit, and the limit that was asked for."""

    name: str
    unit: str
    limit: float | None = None


def pareto(dots: Sequence[Dot], across: Axis, down: Axis) -> str:
    """The picture: costs grow to the right and losses downwards, so that the best corner is the upper left."""
    if not dots:
        return ""
    xs, ys = (
        _Scale([end for dot in dots for end in (dot.x, *(dot.x_ends or ()))], WIDTH, across.limit),
        _Scale([end for dot in dots for end in (dot.y, *(dot.y_ends or ()))], _HEIGHT, down.limit),
    )
    front = sorted((dot for dot in dots if dot.on_front), key=lambda dot: dot.x)
    parts = [
        path("reach", "".join(_interval(dot, xs, ys) for dot in dots)),
        path("rule", f"M0 {_HEIGHT}H{WIDTH}M0 0V{_HEIGHT}"),
        path("step", _staircase(front, xs, ys)),
        path("dash", _limits(across, down, xs, ys)),
        path("pale", "".join(_mark(dot, xs, ys, 6) for dot in dots if not dot.on_front)),
        path("ink", "".join(_mark(dot, xs, ys, 8) for dot in front)),
        path("mark", "".join(_mark(dot, xs, ys, 14) for dot in dots if dot.chosen)),
        *(_pointed(dot, xs, ys) for dot in dots),
    ]
    label = f"{len(dots)} points: {across.name} against {down.name}"
    axis = (
        f'<div class="axis"><span>{xs.low:.4g} {text(across.unit)}</span><span>{text(across.name)} →, '
        f"{text(down.name)} ↓ from {ys.low:.3g} to {ys.high:.3g} {text(down.unit)}</span>"
        f"<span>{xs.high:.4g} {text(across.unit)}</span></div>"
    )
    return picture(_HEIGHT, parts, label) + axis


class _Scale:
    """Values to places, with room at both ends; a limit far off is not worth the space."""

    def __init__(self, values: Sequence[float], length: int, limit: float | None) -> None:
        low, high = min(values), max(values)
        if limit is not None and low - (high - low) <= limit <= high + (high - low):
            low, high = min(low, limit), max(high, limit)
        room = (high - low) * _ROOM or abs(high) * _ROOM or 1.0
        self.low, self.high = low - room, high + room
        self._length = length

    def place(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low) * self._length

    def holds(self, value: float | None) -> bool:
        return value is not None and self.low <= value <= self.high


def _interval(dot: Dot, xs: _Scale, ys: _Scale) -> str:
    x, y = coordinate(xs.place(dot.x)), coordinate(ys.place(dot.y))
    data = ""
    if dot.x_ends:
        data += f"M{coordinate(xs.place(dot.x_ends[0]))} {y}H{coordinate(xs.place(dot.x_ends[1]))}"
    if dot.y_ends:
        data += f"M{x} {coordinate(ys.place(dot.y_ends[0]))}V{coordinate(ys.place(dot.y_ends[1]))}"
    return data


def _staircase(front: Sequence[Dot], xs: _Scale, ys: _Scale) -> str:
    if len(front) < 2:
        return ""
    first, *others = front
    start = f"M{coordinate(xs.place(first.x))} {coordinate(ys.place(first.y))}"
    return start + "".join(f"H{coordinate(xs.place(dot.x))}V{coordinate(ys.place(dot.y))}" for dot in others)


def _limits(across: Axis, down: Axis, xs: _Scale, ys: _Scale) -> str:
    data = ""
    if across.limit is not None and xs.holds(across.limit):
        data += f"M{coordinate(xs.place(across.limit))} 0V{_HEIGHT}"
    if down.limit is not None and ys.holds(down.limit):
        data += f"M0 {coordinate(ys.place(down.limit))}H{WIDTH}"
    return data


def _mark(dot: Dot, xs: _Scale, ys: _Scale, size: float) -> str:
    return box(xs.place(dot.x) - size / 2, ys.place(dot.y) - size / 2, size, size)


def _pointed(dot: Dot, xs: _Scale, ys: _Scale) -> str:
    x, y = coordinate(xs.place(dot.x) - 9), coordinate(ys.place(dot.y) - 9)
    return f'<rect class="c" x="{x}" y="{y}" width="18" height="18"><title>{text(dot.name)}</title></rect>'
