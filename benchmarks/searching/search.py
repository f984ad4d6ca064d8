"""``optimize`` beside a greedy search on the same bench: evaluations, minutes, and what each returns."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import edge_sdk
from edge_sdk.converters.search import moves
from edge_sdk.converters.search.records import Limits, Point, Result
from edge_sdk.converters.search.view import Move, Proposal, View

OURS, PEER = "optimize", "nncf"
_CHECK, _CHECKED = "along_the_front", 8


@dataclass(frozen=True)
class Case:
    """A model with data, and what may be lost in points.

    Attributes:
        name: of the case.
        source: what ``optimize`` takes.
        data: likewise; calibrates too where ``calibration`` is None.
        max_drop: in points.
        calibration: data of its own.
        parts: of its one output, ``[begin, end)`` of the first axis, whose kept power counts apart; None for classes.
        shapes: of inputs that the source leaves open.
    """

    name: str
    source: str
    data: str
    max_drop: float
    calibration: str | None = None
    parts: tuple[tuple[int, int], ...] | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Patience:
    """When the greedy search gives up: evaluations, of which 0 leave it out, and minutes."""

    evaluations: int
    minutes: float


def rows(case: Case, folder: Path, greedy_: Patience, *, ours: bool = True) -> list[dict[str, Any]]:
    """The search along the cut's family, and greedy reverting by the same ranking, one group a step."""
    limits = {
        **({"spare": Limits()} if ours else {}),
        **({"greedy": Limits(greedy_.evaluations, 60 * greedy_.minutes)} if greedy_.evaluations else {}),
    }
    return [_row(case, way, folder, one) for way, one in limits.items()]


@contextmanager
def _made(way: str) -> Iterator[None]:
    """The moves that this benchmark adds; a greedy search does not time a front that it does not look at."""
    before = dict(moves.MOVES)
    moves.MOVES |= {"greedy": Move(greedy), _CHECK: Move(along_the_front, needs="time")}
    if way == "greedy":
        del moves.MOVES["front"]
    try:
        yield
    finally:
        moves.MOVES.clear()
        moves.MOVES.update(before)


def greedy(view: View) -> Generator[Proposal, Point, None]:
    """What NNCF and INC do: the group of the most damage goes to float, then the next, each with an evaluation."""
    if view.plain is None or view.plain.accurate:
        return
    last = view.family()[-1]
    order = sorted(last.spared, key=lambda group: (-view.damage(group), group))
    for count in range(1, len(order)):
        spared = frozenset(order[:count])
        point = yield Proposal(
            moves.sparing(view, spared, view.base),
            f"greedy: the {count} groups of the most damage",
            spared,
            decides=True,
        )
        if point.accurate:
            return


def along_the_front(view: View) -> Generator[Proposal, Point, None]:
    """Members of the front, evenly spread, to be timed alone."""
    family = view.family()
    for place in np.linspace(0, len(family) - 1, _CHECKED + 2).astype(int)[1:-1]:
        spared = family[place].spared
        why = "what does the front's member take?"
        yield Proposal(moves.sparing(view, spared, view.base), why, spared, timed=True)


def _search(case: Case, ways: tuple[str, ...], place: Path, limits: Limits) -> Result:
    with _made(ways[0]):
        return edge_sdk.optimize(
            case.source,
            place,
            evaluation=case.data,
            calibration=case.calibration,
            budgets=edge_sdk.Budgets(max_drop=case.max_drop),
            limits=limits,
            moves=("plain", *ways),
            shapes=case.shapes,
            resume=(place / "archive.jsonl").exists(),
        )


def _front_errors(case: Case, place: Path, result: Result) -> list[float]:
    """Of the front as the search left it, against members that it never made: shares of what was measured."""
    told = {member.spared: member.ms for member in result.family if member.ms is not None}
    known = {len(point.spared) for point in result.points}
    found = _search(case, ("spare", _CHECK), place, Limits()).points
    return [
        told[len(p.spared)] / p.latency.ms - 1
        for p in found
        if p.move == _CHECK and p.latency and len(p.spared) not in known and len(p.spared) in told
    ]


def _row(case: Case, way: str, folder: Path, limits: Limits) -> dict[str, Any]:
    place = folder / f"{case.name}_{way}"
    again = (place / "archive.jsonl").exists()
    result = _search(case, (way,), place, limits)
    errors = _front_errors(case, place, result) if way == "spare" and result.family else []
    # The float file is what is left where nothing was found.
    best, plain = result.best if result.best and result.best.order else None, result.points[0]
    return {
        "model": case.name,
        "way": OURS if way == "spare" else "greedy",
        "groups": len(result.groups),
        "evaluations": result.evaluations,
        "full_evaluations": result.full_evaluations,
        "confirmation": result.confirmation,
        "unseen_drop": best.confirmed.drop.value if best and best.confirmed else None,
        "stopped": result.stopped,
        "minutes": None if again else round(result.seconds / 60, 1),
        "plain_drop": plain.score.drop.value if plain.score else None,
        "found": best is not None,
        "in_float": len(best.spared) if best else None,
        "drop": best.score.drop.value if best and best.score else None,
        "int8_macs": best.file.int8_macs if best and best.file else None,
        "ms": best.latency.ms if best and best.latency else None,
        "int8_ms": plain.latency.ms if plain.latency else None,
        "float_ms": result.reference.latency.ms if result.reference.latency else None,
        "predicted_ms": best.expected_ms if best else None,
        "expected_errors": [p.expected_ms / p.latency.ms - 1 for p in result.points if p.expected_ms and p.latency],
        "front_errors": errors,
    }


_PEER_COLUMNS = ("NNCF on", "evaluations, full and of parts", "samples", "minutes", "found", "drop", "on unseen data",
                 "of int8", "time", "of int8")  # fmt: skip
_COLUMNS = ("model", "groups", "way", "evaluations", "full ones", "minutes", "found", "unseen data", "drop there",
            "drop", "of int8", "MACs in int8", "time", "predicted", "front")  # fmt: skip


def table(result: Mapping[str, Any]) -> str:
    """A line for each case and way, and what it was measured with."""
    if not result["rows"]:
        return ""
    lines = [f"| {' | '.join(_COLUMNS)} |", f"|{' --- |' * len(_COLUMNS)}"]
    lines += [f"| {' | '.join(_cells(row))} |" for row in result["rows"] if row["way"] != PEER]
    if peers := [row for row in result["rows"] if row["way"] == PEER]:
        lines += ["", f"| {' | '.join(_PEER_COLUMNS)} |", f"|{' --- |' * len(_PEER_COLUMNS)}"]
        lines += [f"| {' | '.join(_peer_cells(row))} |" for row in peers]
    versions = ", ".join(f"{tool} {version}" for tool, version in result["versions"].items())
    cpu = f"{result['machine']['cpu']}, {result['machine']['cores']} cores"
    return "\n".join([*lines, "", f"Measured on {cpu}; {versions}."])


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Times as a ratio to the float file; the prediction as its error."""
    full = row.get("full_evaluations")
    effort = (str(row["evaluations"]), "" if full is None else f"{full:.1f}", str(row["minutes"] or ""))
    first = (row["model"], str(row["groups"]), row["way"], *effort)
    plain = f"{row['plain_drop']:.2f}"
    if not row["found"]:
        ended = {"budget": ", its minutes were over", "max-evals": ", its evaluations were over"}
        return (*first, f"nothing{ended.get(row.get('stopped', ''), '')}", "", "", "", plain, "", "", "", _errors(row))
    predicted = row["predicted_ms"]
    return (
        *first,
        f"{row['in_float']} groups in float",
        row.get("confirmation") or "",
        "" if row.get("unseen_drop") is None else f"{row['unseen_drop']:.2f}",
        f"{row['drop']:.2f}",
        plain,
        f"{row['int8_macs']:.0%}",
        f"{row['ms'] / row['float_ms']:.2f}",
        "" if predicted is None else f"{predicted / row['ms'] - 1:+.1%}",
        _errors(row),
    )


def _peer_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Drops against its own float file, times as a ratio to that; of what was stopped the best that was seen."""
    metric, unseen, ms, made = row["metric"], row["unseen"], row["ms"], "controlled" in row["ms"]
    best = max(row["full"][1:], default=metric["int8"])
    return (
        row["model"],
        f"{len(row['full'])} + {row['of_parts']}",
        f"{row['samples']:,}",
        f"{row['minutes']:.1f}",
        "a file" if made else "nothing, stopped",
        f"{metric['float'] - (metric['controlled'] if made else best):.2f}",
        f"{unseen['float'] - unseen['controlled']:.2f}" if made else "",
        f"{metric['float'] - metric['int8']:.2f}",
        *(f"{ms[name] / ms['float']:.2f}" if name in ms else "" for name in ("controlled", "int8")),
    )


def _errors(row: Mapping[str, Any]) -> str:
    """The largest error of the front's members that only this benchmark made, and the median."""
    errors = np.abs(row.get("front_errors") or [])
    return f"{errors.max():.1%}, {np.median(errors):.1%}" if errors.size else ""
