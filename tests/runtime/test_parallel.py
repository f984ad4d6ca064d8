"""Threads measured, replicas side by side, sessions in a row: right values, in order, and nothing left behind."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk import Session
from edge_sdk.engines.interpreter import InterpreterExecutor
from edge_sdk.errors import ModelError, PolicyError, SignatureError, TargetError
from edge_sdk.runtime import threads
from edge_sdk.runtime.cores import Cores, find_cores
from edge_sdk.runtime.stream import spread
from tests.graphs import Graph, conv_model, options

pytestmark = pytest.mark.runtime


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_SDK_CACHE", str(tmp_path / "cache"))


def image(seed: int = 0) -> dict[str, Any]:
    return {"image": np.random.default_rng(seed).standard_normal((1, 8, 8, 3)).astype(np.float32)}


def softmax(shape: tuple[int, ...] = (1, 5), name: str = "scores") -> bytes:
    graph = Graph()
    x, y = graph.tensor(name, shape), graph.tensor("softmax", shape)
    graph.op("SOFTMAX", (x,), (y,), options("SoftmaxOptions", beta=1.0))
    return graph.finish((x,), (y,))


def ours() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("edge-sdk")]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    end = time.monotonic() + 5
    while ours() and time.monotonic() < end:
        time.sleep(0.01)
    assert not ours()


# --- threads ---


def machine(root: Path, capacities: tuple[int, ...], name: str = "cpu_capacity") -> Path:
    for core, capacity in enumerate(capacities):
        file = root / f"sys/devices/system/cpu/cpu{core}/{name}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{capacity}\n")
    return root


@pytest.mark.parametrize(
    ("capacities", "big", "counts"),
    [
        ((1024,) * 4, {0, 1, 2, 3}, (1, 2, 4)),
        ((250, 250, 250, 250, 780, 780, 780, 1024), {4, 5, 6, 7}, (1, 2, 4)),
        ((530, 530, 530, 530, 1024, 1024), {4, 5}, (1, 2, 4)),
        ((446, 446, 446, 446, 446, 1024, 1024, 1024), {5, 6, 7}, (1, 2, 3, 4)),
        ((1024,), {0}, (1,)),
    ],
)
def test_big_cores_and_what_is_worth_measuring(
    tmp_path: Path, capacities: tuple[int, ...], big: set[int], counts: tuple[int, ...]
) -> None:
    found = find_cores(machine(tmp_path, capacities), frozenset(range(len(capacities))))
    assert found.big == big
    assert threads.choices(found, 1) == counts
    assert max(threads.choices(found, 2)) <= max(1, len(capacities) // 2)


def test_clocks_say_it_where_capacities_do_not_and_no_file_says_nothing(tmp_path: Path) -> None:
    usable = frozenset(range(3))
    assert find_cores(tmp_path, usable).big == usable
    assert find_cores(machine(tmp_path, (900, 900, 2400), "cpufreq/cpuinfo_max_freq"), usable).big == {2}


def test_the_fewest_threads_that_are_about_as_fast(tflite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for times, best in (({1: 1.0, 2: 0.97, 4: 0.96}, 1), ({1: 1.0, 2: 0.6, 4: 0.58}, 2), ({1: 1.0, 2: 3.0}, 1)):
        assert threads._settled(times).threads == best


def test_threads_are_measured_once_and_remembered(tflite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "edge_sdk.runtime.attempting.find_cores", lambda: Cores(frozenset(range(4)), frozenset(range(4)))
    )
    monkeypatch.setattr(threads, "_median_ms", lambda executor: {1: 3.0, 2: 1.0, 4: 2.0}[executor.count])
    opened: list[int] = []
    begin = InterpreterExecutor.__init__

    def counted(self: Any, model: Any, options: Any, **others: Any) -> None:
        self.count = options.threads
        opened.append(options.threads)
        begin(self, model, options, **others)

    monkeypatch.setattr(InterpreterExecutor, "__init__", counted)
    with Session.open(tflite, threads="auto") as session:
        chosen = session.receipt.opening.chosen
        assert chosen.threads == 2
        assert "threads=auto took 2 (measured now: 1: 3 ms, 2: 1 ms, 4: 2 ms)" in chosen.notes
        assert chosen.self_test is not None
        assert chosen.self_test.result == "passed"
        expected = session.run(image())["scores"]
    assert sorted(set(opened)) == [1, 2, 4]
    opened.clear()
    with Session.open(tflite, threads="auto") as session:
        assert session.receipt.opening.chosen.threads == 2
        assert "measured earlier on this machine" in session.receipt.line()
        np.testing.assert_array_equal(session.run(image())["scores"], expected)
    # The reference is on the engine's own kernels.
    assert sorted(opened) == [1, 2]


def test_auto_without_anything_faked(tflite: Path) -> None:
    with Session.open(tflite, threads="auto") as session, Session.open(tflite) as plain:
        assert session.receipt.asked.threads is None
        assert session.receipt.opening.chosen.threads in threads.choices(find_cores(), 1)
        np.testing.assert_array_equal(session.run(image())["scores"], plain.run(image())["scores"])


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_what_is_started_on_big_cores_stays_there() -> None:
    mine = frozenset(os.sched_getaffinity(0))
    one = frozenset([min(mine)])
    seen: list[set[int]] = []
    cores = Cores(mine, one)
    with cores.pinned(1) as pins:
        thread = threading.Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
        thread.start()
    thread.join()
    assert os.sched_getaffinity(0) == mine
    assert pins == (len(mine) > 1)
    assert seen == [one]
    with cores.pinned(2) as pins:
        assert not pins
        assert os.sched_getaffinity(0) == mine


# --- replicas ---


def test_replicas_compute_the_same_in_order(tflite: Path) -> None:
    samples = [image(seed) for seed in range(40)]
    with Session.open(tflite) as session:
        expected = [session.run(one)["scores"] for one in samples]
    with Session.open(tflite, replicas=3) as session:
        assert session.receipt.opening.replicas == 3
        assert "3 replicas" in session.receipt.line()
        for _ in range(2):
            for made, wanted in zip(session.run_many(samples), expected, strict=True):
                np.testing.assert_array_equal(made["scores"], wanted)
        found: list[dict[str, Any]] = [{}] * len(samples)

        def run(share: int) -> None:
            for place in range(share, len(samples), 5):
                found[place] = session.run(samples[place])

        users = [threading.Thread(target=run, args=(share,)) for share in range(5)]
        for user in users:
            user.start()
        for user in users:
            user.join()
        for got, wanted in zip(found, expected, strict=True):
            np.testing.assert_array_equal(got["scores"], wanted)


def test_lanes_run_side_by_side_and_results_keep_their_order() -> None:
    together = threading.Barrier(3)

    def run(number: int) -> int:
        # Passes only where three are inside at once.
        together.wait(timeout=20)
        return number * number

    assert list(spread(range(12), None, run, 3, 2)) == [n * n for n in range(12)]


def test_reading_slowly_makes_it_wait() -> None:
    begun: list[int] = []

    def run(number: int) -> int:
        begun.append(number)
        return number

    made = spread(itertools.count(), None, run, 2, 2)
    assert next(made) == 0
    time.sleep(0.2)
    # Two lanes, two that wait, and the one that was read.
    assert len(begun) <= 5
    made.close()


def test_result_does_not_wait_for_the_next_sample() -> None:
    """A source that answers to what came out, such as a player."""
    answered = threading.Semaphore(1)

    def source() -> Iterator[int]:
        for number in range(5):
            assert answered.acquire(timeout=20)
            yield number

    for number, made in enumerate(spread(source(), None, lambda n: n, 3, 2)):
        assert made == number
        answered.release()


def test_failure_comes_in_its_turn_and_ends_the_rest(tflite: Path) -> None:
    with Session.open(tflite, replicas=2) as session:
        samples = [image(0), image(1), {"image": np.zeros(3, np.float32)}, image(3)]
        made = session.run_many(samples)
        assert [next(made)["scores"].shape for _ in range(2)] == [(1, 5)] * 2
        with pytest.raises(SignatureError, match="expected shape"):
            next(made)
        assert session.run(image())["scores"].shape == (1, 5)


def test_closing_waits_and_then_runs_fail(tflite: Path) -> None:
    session = Session.open(tflite, replicas=2)
    stage = session.stage(image())
    stage()
    session.reset()
    session.close()
    session.close()
    for act in (lambda: session.run(image()), stage):
        with pytest.raises(ModelError, match="closed"):
            act()


def test_what_does_not_go_with_replicas_is_refused(tflite: Path) -> None:
    with Session.open(tflite, replicas=2) as session:
        for act in (session.views, lambda: session.signature("other")):
            with pytest.raises(TargetError, match="2 replicas run side by side"):
                act()
    wrong: dict[str, Any]
    for wrong in ({"keep_state": True}, {"deadline": 5.0}):
        with pytest.raises(PolicyError, match="neither state between runs nor a deadline"):
            Session.open(tflite, replicas=2, **wrong)
    for wrong in ({"replicas": 0}, {"threads": 0}, {"threads": "many"}):
        with pytest.raises(PolicyError, match="expected 1 or more"):
            Session.open(tflite, **wrong)


def test_memory_guard_counts_every_replica(tflite: Path) -> None:
    from edge_sdk.runtime import MemoryBudget

    with Session.open(tflite) as session:
        need = session.receipt.opening.need.total_bytes
    budget = MemoryBudget(int(2.5 * need))
    Session.open(tflite, replicas=2, budget=budget).close()
    assert budget.free_bytes == budget.total_bytes
    with pytest.raises(TargetError):
        Session.open(tflite, replicas=3, budget=budget)
    assert budget.free_bytes == budget.total_bytes


# --- pipes ---


def test_pipe_is_one_after_the_other(tflite: Path) -> None:
    samples = [image(seed) for seed in range(20)]
    with Session.open(tflite) as first, Session.open(softmax()) as second:
        pipe = Session.pipe(first, second)
        assert (pipe.inputs, pipe.outputs) == (first.inputs, second.outputs)
        expected = [second.run(first.run(one)) for one in samples]
        for made, wanted in zip(pipe.run_many(iter(samples)), expected, strict=True):
            np.testing.assert_array_equal(made["softmax"], wanted["softmax"])
        np.testing.assert_array_equal(pipe.run(samples[3])["softmax"], expected[3]["softmax"])
        longer = Session.pipe(pipe, second, {"scores": "softmax"})
        np.testing.assert_array_equal(
            next(iter(longer.run_many(samples)))["softmax"], second.run({"scores": expected[0]["softmax"]})["softmax"]
        )


def test_stages_of_a_pipe_run_at_the_same_time_and_wait_for_each_other(tflite: Path) -> None:
    drawn: list[int] = []

    def source() -> Iterator[dict[str, Any]]:
        for seed in itertools.count():
            drawn.append(seed)
            yield image(seed)

    with Session.open(tflite) as first, Session.open(softmax()) as second:
        seen: list[str] = []

        def link(made: dict[str, Any]) -> dict[str, Any]:
            seen.append(threading.current_thread().name)
            return {"scores": made["scores"]}

        results = Session.pipe(first, second, link).run_many(source(), waiting=2)
        for _ in range(3):
            next(results)
        time.sleep(0.2)
        # Read: 3. Waiting before each model: 2, one that waits to be put there, and one in its hands.
        assert len(drawn) <= 3 + 2 * 4
        results.close()  # type: ignore[attr-defined]
    assert threading.current_thread().name not in seen


def test_pipe_that_does_not_fit_is_refused(tflite: Path) -> None:
    with Session.open(tflite) as first, Session.open(softmax((1, 6))) as second:
        with pytest.raises(SignatureError, match=r"output scores: float32\[1, 5\] .* does not fit input .*\[1, 6\]"):
            Session.pipe(first, second)
        with pytest.raises(SignatureError, match=r"has no output `score` .* did you mean `scores`"):
            Session.pipe(first, second, {"scores": "score"})
        with pytest.raises(SignatureError, match="second model has no input `scors`, did you mean `scores`"):
            Session.pipe(first, second, {"scors": "scores"})


def test_replicas_of_bytes_share_them() -> None:
    content = conv_model()
    with Session.open(content, replicas=2) as session, Session.open(content) as plain:
        np.testing.assert_array_equal(session.run(image())["scores"], plain.run(image())["scores"])
