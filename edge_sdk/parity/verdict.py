"""The two answers about a file: is it right, and is it accurate. Neither is read off the other's number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from edge_sdk.parity.compare import OutputParity
from edge_sdk.parity.iou import BoxParity
from edge_sdk.parity.reading import Reading

State = Literal["kept", "reduced", "lost"]
KEPT_DB = 20.0
"""1 % of noise; below it accuracy is reduced."""
# Half as much noise as signal, and more.
_NOISE_DB = 3.0
# One row of a hundred that goes to another class.
_KEPT_ROWS = 0.99
# COCO's strictest thresholds are 0.9 and 0.95: below this mean a detector's score is lower.
_KEPT_IOU = 0.9
_LISTED = 8


@dataclass(frozen=True)
class Rightness:
    """Whether a file computes what its own numbers say.

    Attributes:
        faults: what does not, as plain data: ``kind`` (``op``, ``constant``, ``output``), ``text``, and more by kind.
        ops_checked: ops compared with a float twin on the file's own inputs.
        ops_unchecked: types of those without one, with their number.
        seconds: what the check took.
    """

    faults: tuple[Mapping[str, Any], ...] = ()
    ops_checked: int = 0
    ops_unchecked: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Nothing is wrong, as far as was looked."""
        return not self.faults

    @property
    def remedy(self) -> str:
        """What to do about it; a delegate's fault is its engine's, not the file's."""
        engines = {fault.get("engine") for fault in self.faults if fault.get("by") == "delegate"}
        if len(engines) != 1 or any(fault.get("by") != "delegate" for fault in self.faults):
            return "another recipe or lowering may do; --keep-unverified writes it as it is"
        return (
            f"only XNNPACK of {engines.pop()}, which is installed, is wrong; TFLite's own kernels are right: convert "
            "with another version of it, or write the file with --keep-unverified and run it without the delegate "
            "(edge-sdk run --delegate cpu)"
        )

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "ok": self.ok,
            "faults": [dict(fault) for fault in self.faults],
            "ops_checked": self.ops_checked,
            "ops_unchecked": dict(self.ops_unchecked),
            "seconds": round(self.seconds, 3),
        }

    def __str__(self) -> str:
        listing = "; ".join(str(fault["text"]) for fault in self.faults[:3])
        return listing + (f"; and {len(self.faults) - 3} more" if len(self.faults) > 3 else "")


@dataclass(frozen=True)
class Accuracy:
    """What precision cost: ``kept``, ``reduced`` or ``lost``, with the worst output's SQNR and the reason in words."""

    state: State
    sqnr_db: float
    reason: str

    def as_json(self) -> dict[str, Any]:
        """Plain data; an infinite SQNR is None."""
        return {**vars(self), "sqnr_db": self.sqnr_db if math.isfinite(self.sqnr_db) else None}

    def __str__(self) -> str:
        return f"accuracy {self.state} ({self.reason})"


def accuracy_of(rows: Sequence[OutputParity]) -> Accuracy:
    """What the outputs lost, by the worst of them.

    Lost is what is below its bound. Reduced is what has more than 1 % of noise, or of its rows in another class, or of
    its strings read otherwise, or of its boxes or kept rows lost, or boxes whose mean IoU is below 0.9. Rows that a
    suppression keeps have no decibels.
    """
    valued = [row for row in rows if row.kept is None]
    worst = min((_decibels(row) for row in valued), default=math.inf)
    moved = [row for row in rows if row.top1_agreement is not None and row.top1_agreement < 1]
    words = (
        [f"{worst:.0f} dB" if math.isfinite(worst) else "exact" if worst > 0 else "no signal left"] if valued else []
    )
    words += ["mostly noise"] if worst < _NOISE_DB and math.isfinite(worst) else []
    words += [f"{row.varied_db or 0:.0f} dB of what differs between samples" for row in rows if row.is_faint][:1]
    words += [_differing(row) for row in moved[:1]]
    read = [row.reading for row in rows if row.reading is not None]
    words += [str(min(read, key=lambda one: one.share))] if read else []
    boxes = [row.boxes for row in rows if row.boxes is not None]
    words += [str(one).removeprefix("boxes: ") for one in sorted(boxes, key=lambda one: one.mean_iou or 0)[:1]]
    kept = [row.kept for row in rows if row.kept is not None]
    words += [str(min(kept, key=lambda one: one.share))] if kept and not boxes else []
    if any(not row.ok for row in rows):
        state: State = "lost"
    elif worst < KEPT_DB or any((row.top1_agreement or 0) < _KEPT_ROWS for row in moved) or not _all_kept(boxes, read):
        state = "reduced"
    else:
        state = "kept" if all(one.share >= _KEPT_ROWS for one in kept) else "reduced"
    return Accuracy(state, worst, ": ".join([words[0], ", ".join(words[1:])]) if words[1:] else words[0])


def _all_kept(boxes: Sequence[BoxParity], read: Sequence[Reading]) -> bool:
    whole = all(one.found >= _KEPT_ROWS and (one.mean_iou is None or one.mean_iou >= _KEPT_IOU) for one in boxes)
    return whole and all(one.share >= _KEPT_ROWS for one in read)


def output_faults(rows: Sequence[OutputParity]) -> Iterator[dict[str, Any]]:
    """Outputs, or slices of them, that are constant though the source's vary: no rounding explains that."""
    for row in rows:
        texts = list(_dead(row))
        if texts:
            yield {"kind": "output", "output": row.name, "text": f"output `{row.name}`: {', '.join(texts)}"}


def _dead(row: OutputParity) -> Iterator[str]:
    if row.constant:
        yield "is constant, though the source's varies"
        return
    parts = [part for part in row.parts if part.dead]
    yield from (f"{part.name} is constant, though the source's varies" for part in parts)
    covered = {(part.axis, index) for part in parts for index in range(part.start, part.stop)}
    for axis, indices in row.dead:
        left = [index for index in indices if (axis, index) not in covered]
        if left:
            listing = ", ".join(map(str, left[:_LISTED])) + (" ..." if len(left) > _LISTED else "")
            yield f"{len(left)} constant along axis {axis} ({listing}), though the source's vary"


def _decibels(row: OutputParity) -> float:
    return min([row.sqnr_db, *(part.sqnr_db for part in row.parts)])


def _differing(row: OutputParity) -> str:
    count = round((1 - (row.top1_agreement or 0)) * row.rows)
    return f"top-1 differs on {count} of {row.rows}{' places' if row.scores else ''}"
