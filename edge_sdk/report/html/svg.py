"""SVG that stretches with the page: 1000 units wide whatever the screen, a unit a pixel high, no text inside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edge_sdk.report.html.markup import text

WIDTH = 1000


def picture(height: int, parts: Iterable[str], label: str) -> str:
    """The picture, with what it shows in words for who cannot see it."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" preserveAspectRatio="none" height="{height}" role="img" '
        f'aria-label="{text(label)}">{"".join(parts)}</svg>'
    )


def path(kind: str, data: str) -> str:
    """One shape of one style; nothing for no data."""
    return f'<path class="{kind}" d="{data}"/>' if data else ""


def coordinate(value: float) -> str:
    """With a tenth of a unit, and no zeros that say nothing."""
    return f"{value:.1f}".removesuffix(".0")


def box(x: float, y: float, width: float, height: float) -> str:
    """A rectangle, as part of a path."""
    return f"M{coordinate(x)} {coordinate(y)}h{coordinate(width)}v{coordinate(height)}h{coordinate(-width)}z"


def runs(present: Sequence[object], y: float, height: float) -> str:
    """A box for each row of equal values; None is a gap."""
    unit, data, start = WIDTH / max(1, len(present)), [], 0
    for place in range(1, len(present) + 1):
        if place == len(present) or present[place] != present[start]:
            if present[start] is not None:
                # What is narrower than a pixel of a small screen would vanish.
                data.append(box(start * unit, y, max((place - start) * unit - 0.6, 1.6), height))
            start = place
    return "".join(data)


def bars(values: Sequence[float], most: float, y: float, height: float) -> str:
    """A bar for each value, standing on ``y + height``."""
    unit = WIDTH / max(1, len(values))
    width = max(unit - (0.8 if unit > 3 else 0), 0.8)
    tall = ((place, value / most * height) for place, value in enumerate(values) if value > 0 and most > 0)
    return "".join(box(place * unit, y + height - size, width, size) for place, size in tall)


def steps(values: Sequence[float], most: float, y: float, height: float, *, closed: bool = False) -> str:
    """A line with a step for each value; ``closed`` down to the ground, to be filled."""
    if not values or most <= 0:
        return ""
    unit, ground = WIDTH / len(values), y + height
    data = [f"M0 {coordinate(ground)}" if closed else f"M0 {coordinate(ground - values[0] / most * height)}"]
    for place, value in enumerate(values):
        if place == 0 or value != values[place - 1]:
            data.append(f"V{coordinate(ground - value / most * height)}")
        data.append(f"H{coordinate((place + 1) * unit)}")
    return "".join(data) + (f"V{coordinate(ground)}z" if closed else "")


def columns(titles: Sequence[str], height: float) -> str:
    """Something to point at, with a text, for each column."""
    unit = WIDTH / max(1, len(titles))
    size = f'width="{coordinate(unit)}" height="{coordinate(height)}"'
    return "".join(
        f'<rect class="c" x="{coordinate(place * unit)}" {size}><title>{text(words)}</title></rect>'
        for place, words in enumerate(titles)
    )
