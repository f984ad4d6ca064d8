"""Rows in the order of their scores: what rounding may change, and what it may not."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.parity.ranking import Ranks, in_order_of, ranked_outputs
from tests.graphs import Graph, options

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


def test_rows_of_one_score_may_change_places() -> None:
    found = in_order_of(ROWS, ROWS[:, [0, 3, 1, 2, 4]], 0.01)
    assert found is not None
    np.testing.assert_array_equal(found[0], ROWS)
    assert found[1] == Ranks(rows=5, moved=3, others=0)


def test_a_row_at_the_cut_off_may_be_another_of_its_score() -> None:
    other = ROWS.copy()
    other[0, 4] = [9, 9, 9, 9, 0.1, 2]
    found = in_order_of(ROWS, other, 0.01)
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
    assert in_order_of(ROWS, wrong, 0.01) is None


def test_rows_of_different_scores_may_not_change_places() -> None:
    assert in_order_of(ROWS, ROWS[:, [1, 0, 2, 3, 4]], 0.01) is None


def test_no_column_of_scores_is_no_ranking() -> None:
    rows = np.random.default_rng(0).standard_normal((1, 50, 4)).astype(np.float32)
    assert in_order_of(rows, rows[:, ::-1], 0.01) is None


def test_outputs_of_a_sort_are_told_from_others() -> None:
    graph = Graph()
    x, kept, places, y = (
        graph.tensor(*one) for one in (("x", (1, 8)), ("kept", (1, 4)), ("places", (1, 4), "int32"), ("y", (1, 8)))
    )
    count = graph.constant("count", np.array(4, np.int32))
    graph.op("TOPK_V2", (x, count), (kept, places), options("TopKV2Options"))
    graph.op("TANH", (x,), (y,))
    assert ranked_outputs(parse_artifact(graph.finish((x,), (kept, y)))) == {"kept"}
