"""Rows that a suppression keeps are found again wherever they stand, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.suppressions import Kept, kept_outputs
from edge_sdk.parity.bounds import Bound, kept_bound
from edge_sdk.parity.compare import ParityMeter
from edge_sdk.parity.detections import agreements, held_to_rows
from edge_sdk.parity.kept_rows import KeptRows
from edge_sdk.parity.verdict import accuracy_of
from edge_sdk.signature import Arrays
from tests.runtime.test_decisions import detector

MOST, COUNT = 12, 9
TABLE = Kept(("boxes", "scores", "classes"), "number")


def run() -> Arrays:
    """Nine boxes side by side, then rows that do not count."""
    rng = np.random.default_rng(0)
    corner = np.arange(MOST, dtype=np.float32)[:, None] * np.array([2, 0], np.float32)
    boxes = np.concatenate([corner, corner + 1], 1)
    boxes[COUNT:] = rng.normal(size=(MOST - COUNT, 4))
    scores = np.linspace(0.95, 0.3, MOST, dtype=np.float32)
    classes = (np.arange(MOST) % 3).astype(np.float32)
    return {
        "boxes": boxes[None],
        "scores": scores[None],
        "classes": classes[None],
        "number": np.array([COUNT], np.float32),
    }


def changed(change: str) -> Arrays:
    made = {name: values.copy() for name, values in run().items()}
    if change == "one before the others":
        for name in TABLE.rows:
            made[name][0] = np.roll(made[name][0], 1, axis=0)
        made["boxes"][0, 0], made["number"][0] = [90, 90, 91, 91], COUNT + 1
    elif change == "padding":
        made["boxes"][0, COUNT:] = 7
    elif change == "class":
        made["classes"][0, 1] += 1
    elif change == "half gone":
        made["number"][0] = 4
    elif change == "elsewhere":
        made["boxes"] += 50
    return made


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ("one before the others", KeptRows(9, 9, 10, 9)),
        ("padding", KeptRows(9, 9, 9, 9)),
        ("class", KeptRows(9, 8, 9, 8)),
        ("half gone", KeptRows(9, 4, 4, 4)),
        ("elsewhere", KeptRows(9, 0, 9, 0)),
    ],
)
def test_rows_are_looked_for_by_box_and_class(change: str, kept: KeptRows) -> None:
    (one,) = agreements([TABLE], [(run(), changed(change))], {})
    assert one is not None
    assert (one.kept, one.output) == (kept, "boxes")
    meter = ParityMeter()
    meter.add(run(), changed(change))
    bounds = {name: Bound("sqnr_db", 10.0, "") for name in run()}
    rows = held_to_rows(meter.report(bounds), [TABLE], [one], [kept_bound(1.0)])
    assert {row.ok for row in rows} == {kept.share >= 2 / 3}
    accuracy = accuracy_of(rows)
    assert accuracy.state == ("kept" if change == "padding" else "reduced" if kept.share >= 2 / 3 else "lost")
    assert "dB" not in accuracy.reason


def test_without_scores_all_rows_count() -> None:
    """Also more than twenty: they come class by class, not the best first."""
    corner = np.arange(60, dtype=np.float32)[:, None] * np.array([2, 0], np.float32)
    want: Arrays = {"boxes": np.concatenate([corner, corner + 1], 1), "count": np.array(50)}
    got: Arrays = {"boxes": want["boxes"][::-1].copy(), "count": np.array(50)}
    (one,) = agreements([Kept(("boxes",), "count")], [(want, got)], {})
    assert one is not None
    assert one.kept == KeptRows(50, 40, 50, 40)
    assert str(one.boxes) == "boxes: mean IoU 1.000, 40 of 50 found again, 10 others"


def test_without_boxes_indices_are_looked_for() -> None:
    want: Arrays = {"kept": np.array([5, 3, 8, -1]), "kept_count": np.array(3)}
    got: Arrays = {"kept": np.array([3, 9, 5, -1]), "kept_count": np.array(3)}
    table = Kept(("kept",), "kept_count")
    (one,) = agreements([table], [(want, got)], {})
    assert one is not None
    assert (one.kept, one.boxes) == (KeptRows(3, 2, 3, 2), None)


def test_a_run_that_keeps_nothing_is_one_to_agree_on() -> None:
    empty: dict[str, Any] = run() | {"number": np.array([0], np.float32)}
    (one,) = agreements([TABLE], [(run(), run()), (empty, empty), (empty, run())], {})
    assert one is not None
    assert one.kept == KeptRows(9, 9, 18, 9)


def test_scores_alone_tell_nothing() -> None:
    run_: Arrays = {"scores": np.array([0.5, 0.25], np.float32), "number": np.array(2)}
    assert agreements([Kept(("scores",), "number")], [(run_, run_)], {}) == [None]


def test_which_outputs_are_kept_rows() -> None:
    tables = kept_outputs(parse_artifact(detector("TFLite_Detection_PostProcess")))
    assert tables == [Kept(("b", "c", "s"), "n")]
    assert kept_outputs(parse_artifact(detector("NON_MAX_SUPPRESSION_V5"))) == [
        Kept(("chosen", "chosen scores"), "count out")
    ]
    assert kept_outputs(parse_artifact(detector("GREATER_EQUAL"))) == []


def test_a_bound_of_rows_is_what_the_rounded_source_keeps() -> None:
    assert kept_bound(1.0).value == pytest.approx(2 / 3)
    assert kept_bound(0.5).value == pytest.approx(0.4)
    with pytest.raises(ValueError, match="kept rows"):
        kept_bound(1.0).holds(0, 100)
