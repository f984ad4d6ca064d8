"""Boxes are found by what rows hold, or told; how well they are covered is what geometry says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_sdk.errors import SignatureError
from edge_sdk.parity.bounds import Bound
from edge_sdk.parity.boxes import find_heads
from edge_sdk.parity.compare import OutputParity, ParityMeter
from edge_sdk.parity.iou import Detections, iou, paired_boxes
from edge_sdk.parity.slices import Part
from edge_sdk.parity.verdict import accuracy_of

SIDE, ROWS, CLASSES = 320.0, 12, 5


def centres(seed: int = 0, rows: int = ROWS) -> Any:
    """Boxes on a grid so far apart that none covers another: cx cy w h in pixels, [1, rows, 4]."""
    rng = np.random.default_rng(seed)
    places = np.arange(rows)
    middles = np.stack([40 + 80 * (places % 4), 40 + 60 * (places // 4)], 1)
    return np.concatenate([middles, rng.uniform(20, 40, (rows, 2))], 1)[None]


def corners(boxes: Any) -> Any:
    return np.concatenate([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], -1)


def scores(seed: int = 1, rows: int = ROWS) -> Any:
    """By class, each row's best from 0.5 to 0.9: [1, rows, classes]."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(0, 0.2, (1, rows, CLASSES))
    values[0, np.arange(rows), np.arange(rows) % CLASSES] = rng.uniform(0.5, 0.9, rows)
    return values


def yolo(boxes: Any, by_class: Any) -> dict[str, Any]:
    """Columns first, as Ultralytics exports."""
    return {"output0": np.concatenate([boxes, by_class], -1).swapaxes(1, 2).astype(np.float32)}


def listed(boxes: Any, by_class: Any) -> dict[str, Any]:
    """Corners, score and class, as behind a suppression."""
    best = by_class.max(-1, keepdims=True), by_class.argmax(-1)[..., None]
    return {"detections": np.concatenate([corners(boxes), *best], -1).astype(np.float32)}


def ssd(boxes: Any, by_class: Any) -> dict[str, Any]:
    """TFLite_Detection_PostProcess: y0 x0 y1 x1 from 0 to 1, scores, classes, their number."""
    return {
        "boxes": (corners(boxes) / SIDE)[..., [1, 0, 3, 2]].astype(np.float32),
        "classes": by_class.argmax(-1).astype(np.float32),
        "scores": by_class.max(-1).astype(np.float32),
        "count": np.array([boxes.shape[1]], np.float32),
    }


def detr(boxes: Any, by_class: Any) -> dict[str, Any]:
    """Shares of the picture beside logits."""
    return {"pred_boxes": (boxes / SIDE).astype(np.float32), "logits": (9 * by_class - 4).astype(np.float32)}


FORMS = [(yolo, "output0", "centres"), (listed, "detections", "corners"), (ssd, "boxes", "corners")]


def row_of(make: Any, name: str, moved: Any = None, by_class: Any = None, told: Any = None) -> OutputParity:
    """Of the output with the boxes, over two samples."""
    meter = ParityMeter(boxes=told)
    for seed in (0, 1):
        boxes = centres(seed)
        other = boxes if moved is None else moved(boxes.copy())
        meter.add(make(boxes, scores()), make(other, scores() if by_class is None else by_class(scores())))
    return next(row for row in meter.report() if row.name == name)


def shifted(boxes: Any) -> Any:
    """By a fifth of the width: 0.8 of each is covered, and both together are 1.2."""
    boxes[..., 0] += boxes[..., 2] / 5
    return boxes


@pytest.mark.parametrize(("make", "name", "form"), FORMS, ids=["yolo", "list", "ssd"])
def test_boxes_beside_scores_are_found_and_paired(make: Any, name: str, form: str) -> None:
    same = row_of(make, name).boxes
    assert same is not None
    assert (same.form, same.told, same.by, same.threshold) == (form, False, "overlap", 0.25)
    assert (same.matched, same.lost, same.invented) == (2 * ROWS, 0, 0)
    assert same.mean_iou == 1
    moved = row_of(make, name, shifted).boxes
    assert moved is not None
    assert moved.mean_iou == pytest.approx(0.8 / 1.2, rel=1e-4)


def test_boxes_whose_scores_are_not_from_0_to_1_are_compared_by_place() -> None:
    boxes = row_of(detr, "pred_boxes", shifted).boxes
    assert boxes is not None
    assert (boxes.by, boxes.matched, boxes.threshold) == ("place", 2 * ROWS, None)
    assert boxes.mean_iou == pytest.approx(0.8 / 1.2, rel=1e-4)


def test_boxes_without_a_pair_are_lost_or_invented() -> None:
    def fewer(values: Any) -> Any:
        values[0, :3] = 0.1
        return values

    def elsewhere(boxes: Any) -> Any:
        boxes[0, 5, :2] = 300, 300
        return boxes

    lost = row_of(yolo, "output0", by_class=fewer).boxes
    assert lost is not None
    assert (lost.matched, lost.lost, lost.invented) == (2 * (ROWS - 3), 6, 0)
    assert "18 of 24 found again" in str(lost)
    both = row_of(yolo, "output0", elsewhere).boxes
    assert both is not None
    assert (both.lost, both.invented) == (2, 2)
    renamed = row_of(yolo, "output0", by_class=lambda values: np.roll(values, 1, -1)).boxes
    assert renamed is not None
    assert renamed.matched == 0
    assert renamed.mean_iou is None


def test_what_covers_a_better_box_of_its_class_does_not_count() -> None:
    twice = np.concatenate([centres(rows=8), centres(rows=8) + np.array([1, 1, 0, 0])], 1)
    by_class = np.concatenate([scores(rows=8), 0.98 * scores(rows=8)], 1)
    meter = ParityMeter()
    meter.add(yolo(twice, by_class), yolo(twice, by_class))
    boxes = meter.report()[0].boxes
    assert boxes is not None
    assert boxes.matched == 8


def test_the_best_count_where_no_score_is_high() -> None:
    meter = ParityMeter()
    boxes = np.concatenate([centres(rows=12), centres(rows=12) + np.array([1000, 0, 0, 0])], 1)
    values = yolo(boxes, scores(rows=24) / 10)
    meter.add(values, values)
    found = meter.report()[0].boxes
    assert found is not None
    assert found.threshold is None
    assert found.matched == 20
    assert "of the 20 best a sample" in str(found)


def negatives() -> Any:
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((1, 40, 50))
    softmax = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    quarters = np.exp(logits[..., :4]) / np.exp(logits[..., :4]).sum(-1, keepdims=True)
    return {
        "characters": {"y": softmax},
        "anchors": {"deltas": logits[..., :4], "scores": scores(rows=40)},
        "four classes by row": {"y": quarters, "scores": scores(rows=40)},
        "classes": {"y": softmax[0]},
        "features": {"y": np.maximum(logits, 0)},
        "boxes without a score": {"y": corners(centres())},
        "pictures": {"y": rng.random((1, 8, 8, 6))},
    }


@pytest.mark.parametrize("outputs", negatives().values(), ids=negatives().keys())
def test_what_cannot_be_known_to_be_boxes_is_not_called_so(outputs: Any) -> None:
    assert find_heads({name: values.astype(np.float32) for name, values in outputs.items()}, {}) == []


def test_shares_of_a_picture_beside_scores_are_boxes_where_the_file_joins_them() -> None:
    joined = {"y": np.concatenate([centres() / SIDE, scores()], -1).astype(np.float32)}
    assert find_heads(joined, {}) == []
    (head,) = find_heads(joined, {"y": (Part(2, 0, 4), Part(2, 4, 4 + CLASSES))})
    assert (head.form, head.last) == ("centres", 4 + CLASSES)


def test_a_run_that_holds_no_boxes_takes_back_what_the_first_looked_like() -> None:
    meter = ParityMeter()
    for boxes in (centres(), -centres()):
        meter.add(yolo(boxes, scores()), yolo(boxes, scores()))
    assert meter.report()[0].boxes is None


def test_the_user_tells_and_is_told_what_does_not_fit() -> None:
    alone = {"y": corners(centres()).astype(np.float32)}
    meter = ParityMeter(boxes={"y": "corners"})
    meter.add(alone, alone)
    boxes = meter.report()[0].boxes
    assert boxes is not None
    assert (boxes.told, boxes.by, boxes.mean_iou) == (True, "place", 1.0)
    assert row_of(yolo, "output0", told={"output0": "none"}).boxes is None
    with pytest.raises(SignatureError, match="there is no output `output1`, did you mean `output0`"):
        row_of(yolo, "output0", told={"output1": "corners"})
    with pytest.raises(SignatureError, match="expected corners, centres, none for output `output0`, got `xyxy`"):
        row_of(yolo, "output0", told={"output0": "xyxy"})
    with pytest.raises(SignatureError, match=r"`count` is \[1\], expected rows of four numbers"):
        row_of(ssd, "boxes", told={"count": "corners"})


def test_boxes_are_part_of_the_verdict() -> None:
    """At 26 dB of the whole, boxes that moved by a fifth are reduced accuracy, in words."""
    row = row_of(yolo, "output0", shifted)
    assert row.sqnr_db > 20
    told = accuracy_of([row])
    assert told.state == "reduced"
    assert str(told).endswith("mean IoU 0.667, 24 of 24 found again)")
    assert accuracy_of([row_of(yolo, "output0")]).state == "kept"
    assert row.as_json()["boxes"]["mean_iou"] == row.figures()["mean_iou"]
    assert Bound("sqnr_db", 10, "test").holds(0, row.sqnr_db)


def test_overlap_of_boxes_without_area_and_of_numbers_that_are_none() -> None:
    point, box = np.array([[1.0, 1, 1, 1]]), np.array([[0.0, 0, 2, 2]])
    assert iou(point, point)[0, 0] == 1
    assert iou(point, box)[0, 0] == 0
    assert iou(np.full((1, 4), np.nan), box)[0, 0] == 0


def test_pairs_are_the_most_that_there_can_be() -> None:
    """Two want one box, of which one has another to take; before, the better one took it and the other was lost."""
    want = Detections(np.array([[0, 0, 10, 10], [0, 3, 10, 13]], np.float64), np.array([0.9, 0.8]), np.zeros(2))
    got = Detections(np.array([[0, 1.5, 10, 11.5], [0, -2, 10, 8]], np.float64), np.array([0.9, 0.8]), np.zeros(2))
    overlaps, lost, invented = paired_boxes(want, got)
    assert (len(overlaps), lost, invented) == (2, 0, 0)


def test_of_equal_boxes_those_of_the_nearest_scores_are_pairs() -> None:
    corners, rising = np.tile([[0.0, 0, 10, 10]], (3, 1)), np.array([0.9, 0.6, 0.3])
    overlaps, lost, invented = paired_boxes(
        Detections(corners, rising, np.zeros(3)), Detections(corners, rising, np.zeros(3))
    )
    assert (overlaps.tolist(), lost, invented) == ([1.0] * 3, 0, 0)


def test_slivers_at_the_edge_of_a_picture_are_found_again() -> None:
    """Boxes that are cut off to nothing, with the rounding of float32: an IoU of theirs is that of the rounding."""
    one = np.array([[320.0, 10, 320.0, 60], [319.9999, 100, 320.0, 160]])
    other = one + np.array([[-1e-5, 1e-5, 1e-5, -1e-5], [2e-5, 0, -3e-5, 1e-5]])
    assert np.diag(iou(one, other)).min() > 0.95
    assert iou(one, one[::-1])[0, 0] == 0.0
    elsewhere = one + np.array([0.0, 30, 0, 30])
    assert np.diag(iou(one, elsewhere)).max() < 0.5


def test_boxes_at_the_brink_of_thinning_or_threshold_are_not_lost() -> None:
    """Two of one class that cover each other by half: rounding thins out another; a score of 0.25 becomes 0.2499."""
    boxes = np.array([[[0, 0, 10, 10], [0, 10 / 3 - 1e-6, 10, 40 / 3], [50, 50, 60, 60], *[[90, 90, 99, 99]] * 5]])
    values = np.array([[0.8, 0.7, 0.25, *[0.01] * 5]])[..., None]

    def thinned_out(corners: Any) -> Any:
        return corners + np.array([0, 2e-6, 0, 2e-6]) * (np.arange(8) == 1)[:, None]

    moved: dict[str, Any] = {"boxes": thinned_out, "scores": lambda v: v - 1e-4 * (v == 0.25)}
    meter = ParityMeter()
    want = {"boxes": boxes.astype(np.float32), "scores": values.astype(np.float32)}
    meter.add(want, {name: moved[name](v) for name, v in want.items()})
    row = next(row for row in meter.report() if row.name == "boxes")
    assert row.boxes is not None
    assert (row.boxes.lost, row.boxes.invented) == (0, 0)
