"""Sessions on the engine that is installed: values, checks, views, receipts, closing, threads."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk import Runner, Session
from edge_sdk.errors import ModelError, PolicyError, SignatureError, TargetError
from edge_sdk.runtime import find_engine
from tests.graphs import Graph, conv_model, options

pytestmark = pytest.mark.runtime


def image(seed: int = 0) -> dict[str, Any]:
    return {"image": np.random.default_rng(seed).standard_normal((1, 8, 8, 3)).astype(np.float32)}


def test_session_computes_what_the_runner_does(tflite: Path) -> None:
    with Session.open(tflite) as session:
        runner = Runner(tflite)
        for seed in range(3):
            np.testing.assert_array_equal(session.run(image(seed))["scores"], runner.run(image(seed))["scores"])


def test_bytes_and_memoryview_do_as_well(tflite: Path) -> None:
    expected = Runner(tflite).run(image())["scores"]
    for content in (tflite.read_bytes(), memoryview(tflite.read_bytes())):
        with Session.open(content) as session:
            np.testing.assert_array_equal(session.run(image())["scores"], expected)


def test_outputs_are_the_callers_own(tflite: Path) -> None:
    with Session.open(tflite) as session:
        first = session.run(image(0))["scores"]
        kept = first.copy()
        session.run(image(1))
        np.testing.assert_array_equal(first, kept)
        first[:] = 0


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "input `image` is missing"),
        ({"imag": np.zeros(1)}, "`imag` does not exist, did you mean `image`"),
        ({**image(), "more": np.zeros(1)}, "input `more` does not exist"),
        ({"image": np.zeros((1, 8, 8, 3))}, "expected dtype float32, got float64"),
        ({"image": np.zeros((8, 8, 3), np.float32)}, r"expected shape \[1, 8, 8, 3\], got \[8, 8, 3\]"),
        ({"image": np.zeros((1, 1, 1, 1), np.float32)}, r"expected shape \[1, 8, 8, 3\], got \[1, 1, 1, 1\]"),
        ({"image": [[1.0]]}, r"expected an array of image: float32\[1, 8, 8, 3\], got list"),
        ({"image": np.full((1, 8, 8, 3), np.nan, np.float32)}, r"holds 192 values that are not finite, .* \[0\]\[0\]"),
        ({"image": np.full((1, 8, 8, 3), np.inf, np.float32)}, "holds 192 values that are not finite"),
    ],
)
def test_wrong_input_is_refused_and_the_session_lives_on(tflite: Path, inputs: dict[str, Any], message: str) -> None:
    with Session.open(tflite) as session:
        with pytest.raises(SignatureError, match=message):
            session.run(inputs)
        assert session.run(image())["scores"].shape == (1, 5)


def test_nan_passes_where_the_caller_says_so(tflite: Path) -> None:
    with Session.open(tflite, nan="pass") as session:
        scores = session.run({"image": np.full((1, 8, 8, 3), np.nan, np.float32)})["scores"]
        # Kernels of tflite-runtime clamp NaN to -inf on the way.
        assert not np.isfinite(scores).any()


def test_strided_and_read_only_inputs_are_copied_right(tflite: Path) -> None:
    whole = np.random.default_rng(0).standard_normal((1, 16, 8, 3)).astype(np.float32)
    strided = whole[:, ::2]
    frozen = strided.copy()
    frozen.flags.writeable = False
    with Session.open(tflite) as session:
        made = [session.run({"image": values})["scores"] for values in (strided, frozen)]
    np.testing.assert_array_equal(made[0], made[1])


def test_real_values_are_rounded_as_the_runner_rounds_them(quantized: Path) -> None:
    generator = np.random.default_rng(0)
    runner = Runner(quantized)
    with Session.open(quantized) as session:
        assert [str(spec) for spec in (*session.inputs, *session.outputs)] == ["x: float32[1, 4]", "y: float32[1, 4]"]
        for dtype in (np.float32, np.float64):
            for _ in range(20):
                real = {"x": (40 * generator.standard_normal((1, 4))).astype(dtype)}
                narrow = {"x": real["x"].astype(np.float32)}
                np.testing.assert_array_equal(session.run(real)["y"], runner.run_real(narrow)["y"])
        halves = {"x": np.array([[0.25, 0.75, -0.25, 1e9]], np.float32)}
        np.testing.assert_array_equal(session.run(halves)["y"], runner.run_real(halves)["y"])
        own = {"x": np.array([[5, -1, 3, 127]], np.int8)}
        np.testing.assert_array_equal(session.run(own)["y"], runner.run_real(own)["y"])


def test_raw_values_pass_as_they_are(quantized: Path) -> None:
    with Session.open(quantized, values="raw") as session:
        raw = session.run({"x": np.array([[5, -1, 3, 127]], np.int8)})["y"]
        assert raw.dtype == np.int8
        assert raw.tolist() == [[3, -9, -1, 127]]
        with pytest.raises(SignatureError, match="expected dtype int8, got float32"):
            session.run({"x": np.zeros((1, 4), np.float32)})


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_never_becomes_an_integer(quantized: Path, bad: float) -> None:
    with (
        Session.open(quantized, nan="pass") as session,
        pytest.raises(SignatureError, match=r"holds 1 values that are not finite, the first at \[0\]\[2\]"),
    ):
        session.run({"x": np.array([[1.0, 2.0, bad, 3.0]], np.float32)})


def test_integers_of_another_type_are_not_taken_for_real(quantized: Path) -> None:
    with Session.open(quantized) as session, pytest.raises(SignatureError, match="expected int8 or float32, got int64"):
        session.run({"x": np.array([[1, 2, 3, 4]])})


def test_views_are_the_engines_memory(tflite: Path) -> None:
    with Session.open(tflite) as session:
        views = session.views()
        for seed in range(3):
            views.inputs["image"][:] = image(seed)["image"]
            views.run()
            np.testing.assert_array_equal(views.outputs["scores"], session.run(image(seed))["scores"])
        address = views.outputs["scores"].__array_interface__["data"][0]
        views.run()
        assert session.views().outputs["scores"].__array_interface__["data"][0] == address


def test_views_outlive_the_session_without_harm(tflite: Path) -> None:
    session = Session.open(tflite)
    views = session.views()
    views.inputs["image"][:] = 0
    views.run()
    kept = views.outputs["scores"].copy()
    session.close()
    del session
    with pytest.raises(ModelError, match="the session is closed"):
        views.run()
    np.testing.assert_array_equal(views.outputs["scores"], kept)
    views.inputs["image"][:] = 1


def dynamic_model() -> bytes:
    """``x (1, 4), shape (2) -> RESHAPE -> y``: the result's shape is an input, so that memory may move."""
    graph = Graph()
    x, shape = graph.tensor("x", (1, 4)), graph.tensor("shape", (2,), "int32")
    y = graph.tensor("y", (1, 4), signature=(-1, -1))
    graph.op("RESHAPE", (x, shape), (y,), options("ReshapeOptions"))
    z = graph.tensor("z", (1, 4), signature=(-1, -1))
    graph.op("NEG", (y,), (z,), options("NegOptions"))
    return graph.finish((x, shape), (z,))


def test_model_with_open_results_runs_and_has_no_views() -> None:
    policy = "self_test=off"  # the seeded shape would not hold four values
    values = np.array([[1, 2, 3, 4]], np.float32)
    content = dynamic_model()
    with Session.open(content, delegate="cpu", policy=policy) as session:
        made = session.run({"x": values, "shape": np.array([2, 2], np.int32)})["z"]
        np.testing.assert_array_equal(made, [[-1, -2], [-3, -4]])
        with pytest.raises(TargetError, match="no views: cpu has no inputs and outputs that stay in place"):
            session.views()


def test_closed_session_says_so(tflite: Path) -> None:
    session = Session.open(tflite)
    session.close()
    session.close()
    for use in (lambda: session.run(image()), session.views):
        with pytest.raises(ModelError, match="the session is closed"):
            use()
    assert session.receipt.line()


def test_threads_take_turns(tflite: Path) -> None:
    samples = [image(seed) for seed in range(40)]
    runner = Runner(tflite)
    expected = [runner.run(sample)["scores"] for sample in samples]
    wrong: list[int] = []
    with Session.open(tflite) as session:

        def work(start: int) -> None:
            turns = [*range(start, 40), *range(start)] * 10
            wrong.extend(i for i in turns if not np.array_equal(session.run(samples[i])["scores"], expected[i]))

        threads = [threading.Thread(target=work, args=(start,)) for start in (0, 10, 20, 30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_closing_waits_for_a_run_in_another_thread(tflite: Path) -> None:
    session = Session.open(tflite)
    outcomes: list[str] = []

    def work() -> None:
        try:
            while True:
                session.run(image())
        except ModelError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    session.close()
    for thread in threads:
        thread.join(10)
    assert outcomes == ["the session is closed"] * 3


def variable_model() -> bytes:
    """``x -> SVDF (rank 1, memory 2) -> y``: the state remembers the last input."""
    graph = Graph()
    x = graph.tensor("x", (1, 1))
    weights = graph.constant("weights", np.ones((1, 1), np.float32))
    times = graph.constant("times", np.ones((1, 2), np.float32))
    state = graph.tensor("state", (1, 2))
    graph.node.tensors[state].is_variable = True
    y = graph.tensor("y", (1, 1))
    graph.op("SVDF", (x, weights, times, -1, state), (y,), options("SVDFOptions", rank=1))
    return graph.finish((x,), (y,))


def test_state_is_reset_unless_kept() -> None:
    one = {"x": np.ones((1, 1), np.float32)}
    with Session.open(variable_model(), delegate="cpu") as session:
        assert [float(session.run(one)["y"][0, 0]) for _ in range(3)] == [1.0, 1.0, 1.0]
    for delegate in ("cpu", "auto"):
        with Session.open(variable_model(), delegate=delegate, keep_state=True) as session:
            assert [float(session.run(one)["y"][0, 0]) for _ in range(3)] == [1.0, 2.0, 2.0]


def test_receipt_says_what_runs_and_survives_json(tflite: Path) -> None:
    with Session.open(tflite, threads=2) as session:
        receipt = session.receipt
    data = json.loads(json.dumps(receipt.as_json()))
    assert data["asked"]["delegates"] == ["auto"]
    assert data["asked"]["threads"] == 2
    opening = data["openings"][0]
    assert opening["sha256"] == Runner(tflite).artifact.sha256
    assert [one["candidate"] for one in opening["attempts"]] == ["xnnpack", "cpu"]
    assert opening["attempts"][1]["outcome"] == "not-tried"
    chosen = opening["chosen"]
    assert (chosen["candidate"], chosen["accelerator"], chosen["engine"]) == ("xnnpack", "cpu", str(find_engine()))
    assert chosen["placement"]["delegated"] == chosen["placement"]["ops"] == 3
    assert chosen["placement"]["told_by"] == "measured"
    assert chosen["placement"]["mac_share"] == 1.0
    assert chosen["self_test"]["result"] == "passed"
    assert min(chosen[name] for name in ("run_ms", "init_ms", "first_run_ms")) > 0
    assert opening["need"]["total_bytes"] > 0
    assert data["device"]["cpus"] >= 1
    line = receipt.line()
    assert "\n" not in line
    for part in (
        "xnnpack on cpu",
        "3 of 3 ops in 1 partition, 100% of MACs (measured)",
        "verified against",
        "not-tried",
    ):
        assert part in line


def test_file_replaced_while_it_is_opened_is_not_mixed_up(tflite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine gets the file that was checked, though another has its name by then."""
    from edge_sdk.runtime.package import open_package as real

    def replaced(*arguments: Any, **settings: Any) -> Any:
        package = real(*arguments, **settings)
        other = tflite.with_suffix(".new")
        other.write_bytes(conv_model(seed=1))
        other.replace(tflite)
        return package

    expected = Runner(tflite).run(image())["scores"]
    monkeypatch.setattr("edge_sdk.runtime.session.open_package", replaced)
    with Session.open(tflite) as session:
        np.testing.assert_array_equal(session.run(image())["scores"], expected)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"values": "reel"}, "values: expected real or raw, got 'reel'"),
        ({"nan": "zero"}, "nan: expected refuse or pass"),
        ({"threads": 0}, "threads: expected 1 or more, or auto, got 0"),
        ({"delegate": "xnpack"}, "unknown delegate `xnpack`, did you mean `xnnpack`"),
        ({"delegate": "xnnpack:lib.so"}, "unknown delegate `xnnpack:lib.so`"),
        ({"delegate": []}, "no delegate is named"),
        ({"variant": "int8"}, "is no bundle: it has no variant `int8`"),
        ({"variant": ["a", "b"]}, "no deadline that would choose between them"),
        ({"trusted_keys": ["key.pem"]}, "carries no signature, and trusted keys were given"),
        ({"deadline": 0.0}, "deadline: expected ms > 0"),
    ],
)
def test_options_that_make_no_sense(tflite: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        Session.open(tflite, **settings)


def test_missing_and_damaged_files_never_reach_the_engine(tmp_path: Path) -> None:
    for content in (b"", b"PK", conv_model()[:300], b"TFL3" * 20):
        path = tmp_path / "m.tflite"
        path.write_bytes(content)
        with pytest.raises((ModelError, Exception)) as caught:
            Session.open(path)
        assert type(caught.value).__module__.startswith("edge_sdk.errors."), caught.value
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        Session.open(tmp_path / "none.tflite")
