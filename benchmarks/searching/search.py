"""``optimize`` beside a greedy search on the same bench: evaluations, minutes, and what each returns."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
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
    """A model with data, and what may be lost in points."""

    name: str
    source: str
    data: str
    max_drop: float
    calibration: str | None = None


def rows(case: Case, folder: Path, greedy_evaluations: int) -> list[dict[str, Any]]:
    """The search along the cut's family, and greedy reverting by the same ranking, one group a step.

    Greedy is left out where it may evaluate nothing.
    """
    moves.MOVES |= {"greedy": Move(greedy), _CHECK: Move(along_the_front, needs="time")}
    ways = ("spare", "greedy") if greedy_evaluations else ("spare",)
    try:
        return [_row(case, way, folder, greedy_evaluations) for way in ways]
    finally:
        del moves.MOVES["greedy"], moves.MOVES[_CHECK]


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
    """Members of the front, evenly spread, to be timed; those that cannot win are not evaluated."""
    family = view.family()
    for place in np.linspace(0, len(family) - 1, _CHECKED + 2).astype(int)[1:-1]:
        spared = family[place].spared
        yield Proposal(moves.sparing(view, spared, view.base), "what does the front's member take?", spared)


def _search(case: Case, ways: tuple[str, ...], place: Path, evaluations: int | None) -> Result:
    return edge_sdk.optimize(
        case.source,
        place,
        evaluation=case.data,
        calibration=case.calibration,
        budgets=edge_sdk.Budgets(max_drop=case.max_drop),
        limits=Limits(max_evals=evaluations),
        moves=("plain", *ways),
        resume=(place / "archive.jsonl").exists(),
    )


def _front_errors(case: Case, place: Path, result: Result) -> list[float]:
    """Of the front as the search left it, against members that it never made: shares of what was measured."""
    told = {member.spared: member.ms for member in result.family if member.ms is not None}
    known = {len(point.spared) for point in result.points}
    found = _search(case, ("spare", _CHECK), place, None).points
    return [
        told[len(p.spared)] / p.latency.ms - 1
        for p in found
        if p.move == _CHECK and p.latency and len(p.spared) not in known and len(p.spared) in told
    ]


def _row(case: Case, way: str, folder: Path, greedy_evaluations: int) -> dict[str, Any]:
    place = folder / f"{case.name}_{way}"
    again = (place / "archive.jsonl").exists()
    result = _search(case, (way,), place, None if way == "spare" else greedy_evaluations)
    errors = _front_errors(case, place, result) if way == "spare" and result.family else []
    best, plain = result.best, result.points[0]
    return {
        "model": case.name,
        "way": OURS if way == "spare" else "greedy",
        "groups": len(result.groups),
        "evaluations": result.evaluations,
        "full_evaluations": result.full_evaluations,
        "confirmation": result.confirmation,
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


_PEER_COLUMNS = (
    "NNCF on",
    "evaluations, full and of parts",
    "samples",
    "minutes",
    "drop",
    "of int8",
    "time",
    "of int8",
)
_COLUMNS = ("model", "groups", "way", "evaluations", "full ones", "minutes", "found", "unseen data", "drop", "of int8",
            "MACs in int8", "time", "predicted", "front")  # fmt: skip


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
        return (*first, "nothing", "", "", plain, "", "", "", _errors(row))
    predicted = row["predicted_ms"]
    return (
        *first,
        f"{row['in_float']} groups in float",
        row.get("confirmation") or "",
        f"{row['drop']:.2f}",
        plain,
        f"{row['int8_macs']:.0%}",
        f"{row['ms'] / row['float_ms']:.2f}",
        "" if predicted is None else f"{predicted / row['ms'] - 1:+.1%}",
        _errors(row),
    )


def _peer_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Drops against its own float file, times as a ratio to that."""
    metric, ms = row["metric"], row["ms"]
    return (
        row["model"],
        f"{row['full']} + {row['of_parts']}",
        f"{row['samples']:,}",
        f"{row['minutes']:.1f}",
        *(f"{metric['float'] - metric[name]:.2f}" for name in ("controlled", "int8")),
        *(f"{ms[name] / ms['float']:.2f}" for name in ("controlled", "int8")),
    )


def _errors(row: Mapping[str, Any]) -> str:
    """The largest error of the front's members that only this benchmark made, and the median."""
    errors = np.abs(row.get("front_errors") or [])
    return f"{errors.max():.1%}, {np.median(errors):.1%}" if errors.size else ""
