"""Rows in the order of their scores: what rounding may change, and what it may not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.parity.ranking import Ranks, in_order_of, ranked_outputs
from edge_sdk.signature import Arrays
from tests.graphs import Graph, options

Array = npt.NDArray[np.float32]

# Boxes, score, class; rows 1 to 3 have one score.
ROWS = np.array(
    [
        [
            [10, 20, 30, 40, 0.9, 1],
            [1, 2, 3, 4, 0.5, 0],
            [5, 6, 7, 8, 0.5, 2],
            [50, 60, 70, 80, 0.5, 1],
            [0, 0, 1, 1, 0.1, 0],
        ]
    ],
    np.float32,
)


def in_order(reference: Array, candidate: Array) -> tuple[Array, Ranks] | None:
    """Of one output, of which the largest value may be off by a hundredth."""
    found = in_order_of({"rows": reference}, {"rows": candidate}, {"rows": 0.01}, reference.shape[:-1])
    return None if found is None else (found[0]["rows"], found[1])


def test_rows_of_one_score_may_change_places() -> None:
    found = in_order(ROWS, ROWS[:, [0, 3, 1, 2, 4]])
    assert found is not None
    np.testing.assert_array_equal(found[0], ROWS)
    assert found[1] == Ranks(rows=5, moved=3, others=0)


def test_a_row_at_the_cut_off_may_be_another_of_its_score() -> None:
    other = ROWS.copy()
    other[0, 4] = [9, 9, 9, 9, 0.1, 2]
    found = in_order(ROWS, other)
    assert found is not None
    assert found[1] == Ranks(rows=5, moved=0, others=1)


@pytest.mark.parametrize(
    ("place", "column", "value"),
    [(0, 0, 12.0), (1, 5, 1.0), (2, 4, 0.45), (0, 4, 0.92)],
    ids=["a box is off", "a class is another", "a score is off", "the best score is off"],
)
def test_what_is_wrong_stays_wrong(place: int, column: int, value: float) -> None:
    wrong = ROWS.copy()
    wrong[0, place, column] = value
    assert in_order(ROWS, wrong) is None


def test_rows_of_different_scores_may_not_change_places() -> None:
    assert in_order(ROWS, ROWS[:, [1, 0, 2, 3, 4]]) is None


def test_columns_of_a_row_may_be_outputs_of_their_own() -> None:
    parted: Arrays = {"boxes": ROWS[..., :4], "scores": ROWS[..., 4], "classes": ROWS[..., 5].astype(np.int64)}
    bounds = {"boxes": 0.01, "scores": 1e-4, "classes": 0.0}
    moved = {name: values[:, [0, 3, 1, 2, 4]] for name, values in parted.items()}
    found = in_order_of(parted, moved, bounds, (1, 5))
    assert found is not None
    assert found[1] == Ranks(rows=5, moved=3, others=0)
    for name, values in parted.items():
        np.testing.assert_array_equal(found[0][name], values)
    assert in_order_of(parted, moved | {"classes": parted["classes"]}, bounds, (1, 5)) is None


def test_no_column_of_scores_is_no_ranking() -> None:
    rows = np.random.default_rng(0).standard_normal((1, 50, 4)).astype(np.float32)
    assert in_order(rows, rows[:, ::-1]) is None


def kept_rows(saturated: int) -> Array:
    """300 rows of a suppression: boxes, score, class. The first have a score of 1, those that follow one each."""
    rng = np.random.default_rng(1)
    rows = np.zeros((1, 300, 6), np.float32)
    rows[0, :, :4] = rng.uniform(0, 160, (300, 4))
    rows[0, :, 4] = np.where(np.arange(300) < saturated, 1.0, np.linspace(0.9, 0.3, 300))
    rows[0, :, 5] = rng.integers(0, 80, 300)
    return rows


def suppressed_in_order(reference: Array, candidate: Array) -> tuple[Array, Ranks] | None:
    tables = {"rows": reference}, {"rows": candidate}
    found = in_order_of(*tables, {"rows": 0.1}, reference.shape[:-1], suppressed=True)
    return None if found is None else (found[0]["rows"], found[1])


@pytest.mark.parametrize("saturated", [300, 200])
def test_equal_scores_decide_which_rows_a_suppression_keeps(saturated: int) -> None:
    rows = kept_rows(saturated)
    other = rows.copy()
    # Of three the class is another of a score of 1; one more is kept, which moves all behind it by a place.
    other[0, [7, 8, 9], 5] += 1
    other[0, 21:] = rows[0, 20:-1]
    other[0, 20] = [1, 2, 30, 40, 1.0, 3]
    assert in_order(rows, other) is None
    found = suppressed_in_order(rows, other)
    assert found is not None
    np.testing.assert_array_equal(found[0], rows)
    assert found[1] == Ranks(rows=300, moved=279, others=4)


def test_rows_that_are_filled_up_count_as_one_more() -> None:
    rows = kept_rows(300)
    rows[0, 240:] = 0
    other = rows.copy()
    other[0, 240] = [1, 2, 30, 40, 1.0, 3]
    found = suppressed_in_order(rows, other)
    assert found is not None
    assert found[1] == Ranks(rows=300, moved=59, others=1)


def wrong_box(rows: Array) -> None:
    rows[0, 250, 0] += 1.0


def wrong_score(rows: Array) -> None:
    rows[0, 250, 4] += 1e-3


def wrong_scale(rows: Array) -> None:
    rows[..., :4] *= 1.02


def many_other_classes(rows: Array) -> None:
    rows[0, :16, 5] += 1


@pytest.mark.parametrize("fault", [wrong_box, wrong_score, wrong_scale, many_other_classes])
def test_what_a_suppression_keeps_is_not_excused_by_equal_scores(fault: Callable[[Array], None]) -> None:
    rows = kept_rows(200)
    wrong = rows.copy()
    fault(wrong)
    assert suppressed_in_order(rows, wrong) is None
    assert (suppressed_in_order(rows, rows) or (rows, None))[1] == Ranks(300)


def test_outputs_of_a_sort_are_told_from_others() -> None:
    graph = Graph()
    x, kept, places, y = (
        graph.tensor(*one) for one in (("x", (1, 8)), ("kept", (1, 4)), ("places", (1, 4), "int32"), ("y", (1, 8)))
    )
    count = graph.constant("count", np.array(4, np.int32))
    graph.op("TOPK_V2", (x, count), (kept, places), options("TopKV2Options"))
    graph.op("TANH", (x,), (y,))
    assert ranked_outputs(parse_artifact(graph.finish((x,), (kept, y)))) == {"kept"}
