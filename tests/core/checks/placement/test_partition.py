"""The runtime's greedy cut, on graphs small enough to cut by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sdk.artifact import Subgraph, parse_artifact
from edge_sdk.checks.placement.partition import partition, side_effect_chain
from tests.graphs import Graph, options

BYTES = 16
"""Of one tensor below: four float32."""


def drawn(*edges: str, outputs: str = "") -> Subgraph:
    """A graph of ops ``inputs>output`` between tensors of one letter; ``x`` is the input."""
    graph = Graph()
    letters = sorted({letter for edge in edges for letter in edge if letter != ">"})
    at = {letter: graph.tensor(letter, (1, 4)) for letter in letters}
    for edge in edges:
        before, after = edge.split(">")
        graph.op("ADD" if len(before) == 2 else "ABS", [at[b] for b in before], [at[a] for a in after])
    ends = outputs or edges[-1][-1]
    return parse_artifact(graph.finish((at["x"],), [at[end] for end in ends])).main


def cut(graph: Subgraph, claimed: set[int]) -> list[tuple[bool, tuple[int, ...]]]:
    return [(part.delegated, part.ops) for part in partition(graph, claimed)]


def test_a_chain_that_is_claimed_is_one_partition() -> None:
    (part,) = partition(drawn("x>a", "a>b", "b>c"), {0, 1, 2})
    assert (part.delegated, part.ops) == (True, (0, 1, 2))
    assert (part.inputs, part.outputs) == ((3,), (2,))
    assert part.boundary_bytes == 2 * BYTES


def test_nothing_claimed_leaves_one_run_of_plain_kernels() -> None:
    assert cut(drawn("x>a", "a>b"), set()) == [(False, (0, 1))]


def test_a_hole_in_a_chain_makes_three_partitions() -> None:
    graph = drawn("x>a", "a>b", "b>c")
    assert cut(graph, {0, 2}) == [(True, (0,)), (False, (1,)), (True, (2,))]
    assert [part.boundary_bytes for part in partition(graph, {0, 2})] == [2 * BYTES] * 3


def test_a_single_op_is_a_partition() -> None:
    assert cut(drawn("x>a"), {0}) == [(True, (0,))]


def test_a_later_op_of_another_branch_joins_the_earlier_partition() -> None:
    """Op 2 comes after op 1, which is not claimed, but needs nothing from it."""
    graph = drawn("x>a", "x>b", "a>c", "b>d", "cd>e")
    assert cut(graph, {0, 2, 3, 4}) == [(True, (0, 2)), (False, (1,)), (True, (3, 4))]


def test_the_first_ready_op_decides_what_the_first_subset_is() -> None:
    graph = drawn("x>b", "x>a", "a>c", "b>d", "cd>e")
    assert cut(graph, {1, 2, 3, 4}) == [(False, (0,)), (True, (1, 2, 3, 4))]


def test_ops_out_of_order_are_placed_on_a_later_pass() -> None:
    assert cut(drawn("a>b", "x>a", outputs="b"), {0, 1}) == [(True, (1, 0))]


def test_a_tensor_inside_that_is_also_a_model_output_leaves_the_partition() -> None:
    (part,) = partition(drawn("x>a", "a>b", outputs="ab"), {0, 1})
    assert part.outputs == (0, 1)
    assert part.boundary_bytes == 3 * BYTES


def test_a_dead_result_is_no_output() -> None:
    (part,) = partition(drawn("x>a", "x>b", outputs="b"), {0, 1})
    assert part.outputs == (1,)


def test_constants_are_inputs_but_do_not_cross() -> None:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    c = graph.constant("c", np.ones((1, 4), np.float32))
    graph.op("ADD", (x, c), (y,))
    (part,) = partition(parse_artifact(graph.finish((x,), (y,))).main, {0})
    assert part.inputs == (x, c)
    assert part.boundary_bytes == 2 * BYTES


def test_an_absent_input_keeps_nothing_waiting() -> None:
    graph = Graph()
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    w = graph.constant("w", np.ones((4, 4), np.float32))
    graph.op("FULLY_CONNECTED", (x, w, -1), (y,), options("FullyConnectedOptions"))
    assert cut(parse_artifact(graph.finish((x,), (y,))).main, {0}) == [(True, (0,))]


def variables() -> Subgraph:
    """``VAR_HANDLE, ASSIGN(x), ABS(x), READ, ADD``: the read must see what was assigned."""
    graph = Graph()
    x, a, b, y = (graph.tensor(name, (1, 4)) for name in "xaby")
    r = graph.tensor("r", (1,), "resource")
    graph.op("VAR_HANDLE", (), (r,), options("VarHandleOptions", container="", shared_name="v"))
    graph.op("ASSIGN_VARIABLE", (r, x), ())
    graph.op("ABS", (x,), (a,))
    graph.op("READ_VARIABLE", (r,), (b,))
    graph.op("ADD", (a, b), (y,), options("AddOptions"))
    return parse_artifact(graph.finish((x,), (y,))).main


def test_side_effects_keep_their_order() -> None:
    graph = variables()
    assert side_effect_chain(graph) == [(0, 1), (1, 3)]
    assert cut(graph, {0, 3, 4, 2}) == [(True, (0, 2)), (False, (1,)), (True, (3, 4))]


def test_control_edges_replace_the_chain() -> None:
    parts = partition(variables(), {0, 2, 3, 4}, control_edges=())
    assert [part.ops for part in parts] == [(0, 2, 3, 4), (1,)]


@pytest.mark.parametrize("claimed", [set(), {0}, {1, 3}, {0, 1, 2, 3, 4}])
def test_every_op_is_placed_once_and_after_what_it_needs(claimed: set[int]) -> None:
    graph = drawn("x>a", "x>b", "ab>c", "b>d", "cd>e")
    order = [index for part in partition(graph, claimed) for index in part.ops]
    assert sorted(order) == [0, 1, 2, 3, 4]
    for index in order:
        before = order[: order.index(index)]
        made = {tensor for other in before for tensor in graph.ops[other].outputs}
        assert set(graph.ops[index].inputs) <= made | set(graph.inputs)
