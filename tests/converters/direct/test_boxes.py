"""NonMaxSuppression, padded and with a count: equal scores, equal overlaps, several images and classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.converters.lower.direct.counts import Padded
from edge_sdk.converters.sources.padded import padded
from edge_sdk.errors import UnsupportedOpError
from tests.converters.direct.compare import by_reference, check, expected, lowered, model

pytestmark = pytest.mark.onnx
FLOAT = np.float32
Numbers = npt.NDArray[Any]


def _suppression(
    feeds: dict[str, Numbers], weights: dict[str, Numbers], *more: Any, to: str = "", **options: Any
) -> Any:
    from onnx import helper

    given = {**feeds, **weights}
    names = [name if name in given else "" for name in ("boxes", "scores", "most", "iou", "score")]
    node = helper.make_node("NonMaxSuppression", names, ["kept"], name="nms", **options)
    made = model([node, *more], feeds, ["kept", to] if to else ["kept"], weights, opset=13)
    for output in made.graph.output:
        output.type.tensor_type.elem_type = 7 if output.name == "kept" else 1
    return made


def _data(batch: int, classes: int, boxes: int, *, centred: bool = False) -> dict[str, Numbers]:
    """Scores of which many are equal, boxes with sides of quarters, so that many overlaps are equal to a threshold."""
    rng = np.random.default_rng(batch + classes)
    corners = rng.integers(0, 5, (batch, boxes, 4)) / 4
    if centred:
        corners[..., 2:] = rng.integers(1, 4, (batch, boxes, 2)) / 4
    scores = rng.integers(-4, 5, (batch, classes, boxes)) / 4
    return {"boxes": corners.astype(FLOAT), "scores": scores.astype(FLOAT)}


LIMITS: dict[str, Numbers] = {"iou": np.array([0.5], FLOAT), "score": np.array([0.0], FLOAT)}
MOST: dict[str, Numbers] = {"most": np.array([9], np.int64)}
CASES: dict[str, tuple[dict[str, Numbers], dict[str, Numbers], dict[str, Any]]] = {
    "one class": (_data(1, 1, 40), {**MOST, **LIMITS}, {}),
    "centres": (_data(1, 1, 40, centred=True), {**MOST, **LIMITS}, {"center_point_box": 1}),
    "no thresholds": (_data(1, 1, 40), MOST, {}),
    "as many as there are": (_data(1, 1, 40), {**LIMITS, "most": np.array([2**62], np.int64)}, {}),
    "images and classes": (_data(2, 3, 40), {**MOST, **LIMITS}, {}),
    "all overlaps": (_data(1, 2, 40), {**MOST, **LIMITS, "iou": np.array([1], FLOAT)}, {}),
    "thresholds as inputs": ({**_data(2, 1, 40), **LIMITS}, MOST, {}),
    "all overlaps, as an input": ({**_data(2, 1, 40), "iou": np.array([1], FLOAT)}, MOST, {}),
}


@pytest.mark.parametrize("case", list(CASES))
def test_rows_are_onnx_runtimes_in_its_order(case: str) -> None:
    feeds, weights, options = CASES[case]
    made = _suppression(feeds, weights, **options)
    own = expected(made, feeds)[0]
    assert 1 < len(own) < feeds["scores"].size
    if len(feeds) + len(weights) == 5:  # The reference evaluator cannot do without thresholds.
        np.testing.assert_array_equal(by_reference(made, feeds)[0], own)
    batch, classes, boxes = feeds["scores"].shape
    most = batch * classes * min(int({**feeds, **weights}["most"][0]), boxes)
    wants = padded({"kept": own}, [Padded("kept", 0, most, "kept_count")])
    # `check` has a tolerance of floats; whole numbers up to 40 apart by less are equal.
    found = check(made, feeds, oracle=lambda *_: list(wants.values()))
    assert found.padded == (Padded("kept", 0, most, "kept_count"),)


def test_what_is_gathered_by_the_rows_keeps_their_count_and_what_mixes_them_is_refused() -> None:
    from onnx import helper

    feeds, weights, _ = CASES["one class"]
    weights = {
        **weights,
        "column": np.array(2),
        "first": np.array([0]),
        "five": np.array([5]),
        "flat": np.array([40, 4]),
    }
    nodes = [
        helper.make_node("Gather", ["kept", "column"], ["index"], axis=1),
        helper.make_node("Reshape", ["boxes", "flat"], ["all"]),
        helper.make_node("Gather", ["all", "index"], ["found"], axis=0),
        helper.make_node("Slice", ["found", "first", "five", "first"], ["top"]),
    ]
    made = _suppression(feeds, weights, *nodes, to="top")
    ends = [Padded("kept", 0, 9, "kept_count"), Padded("top", 0, 5, "top_count")]

    def wants(proto: Any, data: Any) -> list[Numbers]:
        own = padded(dict(zip(("kept", "top"), expected(proto, data), strict=True)), ends)
        return [own[name] for name in ("kept", "top", "kept_count", "top_count")]

    check(made, feeds, oracle=wants)
    mixing = helper.make_node("Softmax", ["top"], ["most_of_all"], name="largest", axis=0)
    mixed = _suppression(feeds, weights, *nodes, mixing, to="most_of_all")
    with pytest.raises(UnsupportedOpError, match=r"Softmax at `largest`: its SOFTMAX mixes rows that count"):
        lowered(mixed, feeds)


def test_a_number_of_rows_that_depends_on_data_is_one_clear_error() -> None:
    feeds, weights, _ = CASES["one class"]
    open_feeds = {**feeds, "most": weights["most"]}
    made = _suppression(open_feeds, {name: weights[name] for name in LIMITS})
    with pytest.raises(UnsupportedOpError, match=r"nms`: max_output_boxes_per_class depend on data"):
        lowered(made, open_feeds)
    none = _suppression(feeds, {**weights, "most": np.array([0], np.int64)})
    with pytest.raises(UnsupportedOpError, match=r"max_output_boxes_per_class 0 keeps no box"):
        lowered(none, feeds)
