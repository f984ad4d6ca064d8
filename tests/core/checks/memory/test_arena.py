"""The predicted arenas, alone and against what the engine allocates."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from edge_sdk.artifact.flatbuffer import new_node
from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.schema import schema
from edge_sdk.artifact.tree import pack_tree
from edge_sdk.checks.delegates.xnnpack.walk import place_on_xnnpack
from edge_sdk.checks.memory import arena
from edge_sdk.checks.memory.need import ArenaPlan, plan_memory
from edge_sdk.checks.memory.ties import hashed, sort_like_introsort
from edge_sdk.checks.placement.partition import partition
from edge_sdk.errors import ModelError
from tests.core.checks.memory.arena_graphs import MODELS
from tests.core.checks.memory.arena_net import Net
from tests.core.checks.memory.arena_oracle import allocated, interpreter, is_readable, real_arena
from tests.graphs import Graph, conv_model, options

_comparable = pytest.mark.skipif(not is_readable(), reason="addresses are compared on Linux with ai-edge-litert only")
_DELEGATED = (
    "residual",
    "diamond",
    "pools",
    "dense",
    "dense_hybrid",
    "reducers",
    "many_ends",
    "split_ties",
    "conv_model",
)


def _plan(model: bytes, *, threads: int = 1) -> ArenaPlan:
    return plan_memory(parse_artifact(model), threads=threads).subgraphs[0]


@_comparable
@pytest.mark.runtime
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", MODELS)
def test_the_engine_places_every_tensor_and_scratch_where_predicted(name: str, threads: int) -> None:
    model = MODELS[name]()
    plan, made = _plan(model, threads=threads), interpreter(model, threads=threads)
    real = real_arena(made, parse_artifact(model).main.inputs)
    assert real is not None
    assert real.is_covered
    assert plan.arena_bytes == real.size_bytes
    assert {t.tensor: t.offset_bytes for t in plan.tensors} == dict(real.offset)


@_comparable
@pytest.mark.runtime
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", MODELS)
def test_the_engine_keeps_what_is_predicted_to_persist(name: str, threads: int) -> None:
    model = MODELS[name]()
    plan = _plan(model, threads=threads)
    real = real_arena(interpreter(model, threads=threads), [t.tensor for t in plan.persistent])
    assert (real is None) == (plan.persistent_bytes == 0)
    if real is not None:
        assert real.is_covered
        assert {t.tensor: t.offset_bytes for t in plan.persistent} == dict(real.offset)
        assert plan.persistent_bytes == real.size_bytes


@_comparable
@pytest.mark.runtime
@pytest.mark.parametrize("name", _DELEGATED)
def test_with_xnnpack_only_what_crosses_a_border_stays_in_the_engines_arena(name: str) -> None:
    model = MODELS[name]()
    artifact = parse_artifact(model)
    cut = {placed.subgraph: partition(artifact.main, placed.claimed) for placed in place_on_xnnpack(artifact)}
    plan = plan_memory(artifact, partitions=cut).subgraphs[0]
    real = real_arena(interpreter(model, delegates=True), artifact.main.inputs)
    assert any(part.delegated for part in cut[0])
    assert real is not None
    assert real.is_covered
    assert plan.arena_bytes == real.size_bytes


def test_there_are_enough_models_to_compare() -> None:
    assert len(MODELS) >= 50


def test_a_delegate_that_takes_all_leaves_inputs_and_outputs() -> None:
    artifact = parse_artifact(conv_model())
    whole = partition(artifact.main, range(len(artifact.main.ops)))
    plan = plan_memory(artifact, partitions={0: whole}).subgraphs[0]
    assert [t.name for t in plan.tensors] == ["image", "scores"]
    assert plan.arena_bytes == 768 + 20
    assert plan.peak is not None
    assert (plan.peak.name, plan.peak.ops) == ("delegate", (0, 1, 2))


def test_the_peak_names_the_op_and_what_is_alive() -> None:
    plan = _plan(conv_model())
    assert plan.peak is not None
    # 8 * 8 pixels: 27 im2col floats, 4 results and 3 inputs each.
    sizes = [("im2col of op 0", 64 * 27 * 4), ("features", 64 * 4 * 4), ("image", 64 * 3 * 4)]
    assert (plan.peak.name, plan.peak.ops) == ("CONV_2D", (0,))
    assert [(t.name, t.size_bytes) for t in plan.peak.alive] == sizes
    assert plan.peak.live_bytes == sum(size for _, size in sizes)


def test_threads_trade_the_im2col_buffer_for_kept_weights() -> None:
    one, two = _plan(conv_model()), _plan(conv_model(), threads=2)
    assert two.arena_bytes < one.arena_bytes
    assert (one.persistent_bytes, two.persistent_bytes) == (0, 3 * 3 * 3 * 4 * 4)


def test_tensors_that_live_together_do_not_overlap() -> None:
    for build in MODELS.values():
        alone = [t for t in _plan(build()).tensors if t.shares is None]
        for place, one in enumerate(alone):
            assert one.offset_bytes % 64 == 0
            for other in alone[place + 1 :]:
                apart = one.last_op < other.first_op or other.last_op < one.first_op
                beyond = one.offset_bytes + one.size_bytes <= other.offset_bytes
                assert apart or beyond or other.offset_bytes + other.size_bytes <= one.offset_bytes


def test_the_arena_is_never_smaller_than_what_is_alive() -> None:
    for build in MODELS.values():
        plan = _plan(build())
        assert plan.peak is not None
        assert plan.peak.live_bytes <= plan.arena_bytes


def test_a_reshape_shares_the_memory_of_its_input() -> None:
    shared = {t.name: t.shares for t in _plan(MODELS["reshape_shares"]()).tensors if t.shares is not None}
    assert len(shared) == 2
    assert len(set(shared.values())) == 1


def test_results_of_open_size_lie_on_the_heap() -> None:
    plan = _plan(MODELS["open_size"]())
    assert plan.heap_bytes == 4 * 40 * 4
    assert "FILL" not in {t.name for t in plan.tensors}


def test_a_plan_says_where_it_does_not_know_a_kernel() -> None:
    net = Net()
    x, y = net.input(1, 4), net.tensor("y", (1, 4))
    net.op("CUSTOM", (x,), (y,), custom="Mystery")
    memory = plan_memory(parse_artifact(net.finish([x], [y])))
    assert memory.subgraphs[0].unknown_ops == (0,)
    assert not memory.is_complete
    assert plan_memory(parse_artifact(conv_model())).is_complete


@pytest.mark.parametrize("name", ["CONV_2D", "FULLY_CONNECTED", "MEAN", "UNIDIRECTIONAL_SEQUENCE_LSTM"])
def test_an_op_without_its_operands_is_refused(name: str) -> None:
    net = Net()
    x, y = net.input(1, 4), net.tensor("y", (1, 4))
    net.op(name, (x, -1), (y,))
    with pytest.raises(ModelError, match=f"op 0 {name}: its operands do not fit"):
        plan_memory(parse_artifact(net.finish([x], [y])))


def test_a_graph_without_ops_holds_its_inputs() -> None:
    net = Net()
    x = net.input(1, 4)
    plan = _plan(net.finish([x], [x]))
    assert (plan.arena_bytes, plan.peak) == (16, None)


def loop(*, body_calls: int) -> bytes:
    """``WHILE(never) x = LOGISTIC(x)`` over 10 floats; the body may name a loop whose body is itself."""
    net = Net()
    x, y = net.input(1, 10), net.tensor("y", (1, 10))
    net.op("WHILE", (x,), (y,), options("WhileOptions", cond_subgraph_index=1, body_subgraph_index=2))
    cond, body = Net(), Net()
    cond.root, body.root = net.root, net.root
    for graph in (cond, body):
        graph.node = new_node(schema(), "SubGraph", tensors=[], inputs=[], outputs=[], operators=[], name="")
        net.root.subgraphs.append(graph.node)
    cond.node.inputs, cond.node.outputs = [cond.input(1, 10)], [cond.constant("no", np.array([False]))]
    inside = body.input(1, 10)
    body.node.inputs, body.node.outputs = [inside], [body.unary(body.unary(inside))]
    if body_calls >= 0:
        loop = options("WhileOptions", cond_subgraph_index=1, body_subgraph_index=body_calls)
        body.op("WHILE", (inside,), (body.tensor("z", (1, 10)),), loop)
    net.node.inputs, net.node.outputs = [x], [y]
    return pack_tree(net.root)


def test_a_loop_brings_the_arenas_of_its_subgraphs() -> None:
    memory = plan_memory(parse_artifact(loop(body_calls=-1)))
    assert [plan.subgraph for plan in memory.subgraphs] == [0, 1, 2]
    # The condition reads nothing; the body's input lies with its caller, and 2 results of 40 bytes stay.
    assert [plan.arena_bytes for plan in memory.subgraphs] == [64 + 40, 0, 64 + 40]
    assert memory.arena_bytes == 208


@_comparable
@pytest.mark.runtime
def test_the_engine_gives_a_loop_body_the_arena_that_is_predicted() -> None:
    model = loop(body_calls=-1)
    body = plan_memory(parse_artifact(model)).subgraphs[2]
    # Before the first run, for the engine releases it behind a loop.
    real = real_arena(allocated(model), [t.tensor for t in body.tensors], subgraph=2)
    assert real is not None
    assert real.is_covered
    assert {t.tensor: t.offset_bytes for t in body.tensors} == dict(real.offset)


def test_a_loop_that_runs_itself_ends() -> None:
    assert len(plan_memory(parse_artifact(loop(body_calls=2))).subgraphs) == 3


def test_values_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        _plan(conv_model()).arena_bytes = 0  # type: ignore[misc]


def test_a_hash_set_of_13_buckets_hands_out_the_newest_bucket_first() -> None:
    assert hashed([1, 2, 3, 2]) == [3, 2, 1]
    assert hashed([1, 14, 2, 27]) == [2, 27, 14, 1]
    assert sorted(hashed(range(100))) == list(range(100))


def test_sorting_keeps_the_order_of_few_equals_and_sorts_many() -> None:
    assert sort_like_introsort([3, 1, 2], lambda _: 0) == [3, 1, 2]
    values = [int(v) for v in np.random.default_rng(0).integers(0, 9, 500)]
    assert sort_like_introsort(values, lambda v: v) == sorted(values)


def test_a_thousand_ops_are_planned_in_a_moment() -> None:
    net = Net()
    x = net.input(1, 8)
    made = x
    for _ in range(1000):
        made = net.unary(made)
    plan = _plan(net.finish([x], [made]))
    # The input, the output, and one value that waits while the next is made.
    assert plan.arena_bytes <= 4 * 64


def test_twice_the_ops_are_twice_the_neighbours_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what was placed, only what is alive at the same time: hostile files have 40,000 ops."""

    def looked_at(count: int) -> int:
        graph = Graph()
        x = last = graph.tensor("x", (1, 8))
        for number in range(count):
            result = graph.tensor(f"t{number}", (1, 8))
            graph.op("RELU", (last,), (result,))
            last = result
        seen: list[int] = []
        real = arena._Placed.near

        def counted(self: arena._Placed, first: int, last: int | None) -> list[arena.Slot]:
            found = real(self, first, last)
            seen.append(len(found))
            return found

        monkeypatch.setattr(arena._Placed, "near", counted)
        _plan(graph.finish((x,), (last,)))
        monkeypatch.setattr(arena._Placed, "near", real)
        return sum(seen)

    assert 0 < looked_at(600) <= 2.1 * looked_at(300)
