"""Numbers of a comparison, and the bounds they are held to."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact import Artifact, parse_artifact
from edge_sdk.artifact.compute import accumulation_length
from edge_sdk.bundle.golden import GoldenCase
from edge_sdk.bundle.manifest import Limit, Port
from edge_sdk.errors import ParityError
from edge_sdk.parity import Bound, ParityMeter, float_bound, measured_bound
from edge_sdk.parity.bounds import conditioned, noise_to_signal
from edge_sdk.parity.constants import constant_faults
from edge_sdk.parity.ops import OpFault
from edge_sdk.parity.slices import parts_of, step_of
from edge_sdk.parity.swaps import swapped_outputs
from edge_sdk.parity.verdict import Rightness, accuracy_of, output_faults
from tests.graphs import Graph, conv_model, options

RNG = np.random.default_rng(0)


def meter_of(reference: list[np.ndarray[Any, Any]], candidate: list[np.ndarray[Any, Any]]) -> ParityMeter:
    meter = ParityMeter()
    for one, other in zip(reference, candidate, strict=True):
        meter.add({"y": one}, {"y": other})
    return meter


def test_equal_outputs() -> None:
    values = [RNG.standard_normal((1, 10)).astype(np.float32) for _ in range(5)]
    (row,) = meter_of(values, values).report()
    assert row.max_abs_error == 0
    assert math.isinf(row.sqnr_db)
    assert row.cosine == pytest.approx(1.0)
    assert row.top1_agreement == 1.0
    assert row.ok
    assert row.has_power


def test_sqnr_is_signal_over_noise_in_decibels() -> None:
    values = [RNG.standard_normal((1, 1000)) for _ in range(4)]
    noisy = [v + 0.01 * RNG.standard_normal(v.shape) for v in values]
    (row,) = meter_of(values, noisy).report()
    assert row.sqnr_db == pytest.approx(40, abs=0.5)


def test_top1_counts_rows() -> None:
    reference = [np.array([[0.1, 0.9]]), np.array([[0.8, 0.2]]), np.array([[0.6, 0.4]])]
    candidate = [np.array([[0.2, 0.8]]), np.array([[0.1, 0.9]]), np.array([[0.7, 0.3]])]
    (row,) = meter_of(reference, candidate).report()
    assert row.top1_agreement == pytest.approx(2 / 3)


@pytest.mark.parametrize("shape", [(1, 3, 3), (1, 1), (4,)])
def test_top1_is_for_class_like_outputs_only(shape: tuple[int, ...]) -> None:
    values = [RNG.standard_normal(shape)]
    assert meter_of(values, values).report()[0].top1_agreement is None


def test_nan_in_the_candidate_is_an_infinite_error() -> None:
    (row,) = meter_of([np.ones((1, 3))], [np.array([[1.0, np.nan, 1.0]])]).report(
        {"y": Bound("max_abs_error", 1e9, "test")}
    )
    assert math.isinf(row.max_abs_error)
    assert row.sqnr_db == -math.inf
    assert not row.ok


@pytest.mark.parametrize(
    ("variation", "power"), [(0.0, False), (1e-5, False), (0.1, True)], ids=["constant", "untrained", "varies"]
)
def test_output_that_does_not_vary_has_no_power(variation: float, power: bool) -> None:
    values = [1.0 + variation * RNG.standard_normal((1, 50)) for _ in range(8)]
    assert meter_of(values, values).report()[0].has_power is power


def test_one_sample_has_no_power() -> None:
    values = [RNG.standard_normal((1, 50))]
    assert not meter_of(values, values).report()[0].has_power


def test_report_is_strict_json() -> None:
    values = [np.zeros((1, 3))] * 2
    (row,) = meter_of(values, values).report({"y": Bound("sqnr_db", 3, "test")})
    assert json.loads(json.dumps(row.as_json(), allow_nan=False))["cosine"] is None


def test_float_bound_grows_with_the_root_of_what_is_summed() -> None:
    small, large = parse_artifact(conv_model(side=8)), parse_artifact(conv_model(side=32))
    roots = [sum(math.sqrt(accumulation_length(a.main, op)) for op in a.main.ops) for a in (small, large)]
    ratio = float_bound(large, 1.0).value / float_bound(small, 1.0).value
    assert ratio == pytest.approx(roots[1] / roots[0])
    assert float_bound(small, 2.0).value == pytest.approx(2 * float_bound(small, 1.0).value)


@pytest.mark.parametrize(("layers", "channels"), [(1, 512), (20, 64), (120, 16)])
def test_float16_bound_holds_for_rounded_results_and_still_tells(layers: int, channels: int) -> None:
    """Layers that keep lengths, each result rounded to float16; the bound must stay far below the values themselves."""
    graph = Graph()
    before = x = graph.tensor("x", (1, channels))
    weights = [np.linalg.qr(RNG.standard_normal((channels, channels)))[0].astype(np.float32) for _ in range(layers)]
    for i, values in enumerate(weights):
        after = graph.tensor(f"y{i}", (1, channels))
        graph.op(
            "FULLY_CONNECTED", (before, graph.constant(f"w{i}", values)), (after,), options("FullyConnectedOptions")
        )
        before = after
    artifact = parse_artifact(graph.finish((x,), (before,)))
    for _ in range(5):
        exact = RNG.standard_normal((1, channels))
        rounded = exact.astype(np.float16)
        for values in weights:
            exact = exact @ values.T.astype(np.float64)
            rounded = (rounded.astype(np.float32) @ values.T.astype(np.float16).astype(np.float32)).astype(np.float16)
        largest = float(np.abs(exact).max())
        bound = float_bound(artifact, largest, "float16").value
        assert np.abs(exact - rounded).max() <= bound < 0.1 * largest
        assert bound > float_bound(artifact, largest).value


def test_float_bound_holds_for_float32_against_float64() -> None:
    """The bound covers what float32 arithmetic really loses, with room, on a sum of 4096 products."""
    graph = Graph()
    x = graph.tensor("x", (1, 4096))
    w = graph.constant("w", RNG.standard_normal((64, 4096)).astype(np.float32))
    y = graph.tensor("y", (1, 64))
    graph.op("FULLY_CONNECTED", (x, w), (y,), options("FullyConnectedOptions"))
    artifact = parse_artifact(graph.finish((x,), (y,)))
    weights = artifact.main.tensors[1].values()
    for _ in range(20):
        inputs = RNG.standard_normal((1, 4096)).astype(np.float32)
        exact = inputs.astype(np.float64) @ weights.T.astype(np.float64)
        rough = np.cumsum(inputs * weights, axis=1, dtype=np.float32)[:, -1]
        assert np.abs(exact - rough).max() <= float_bound(artifact, float(np.abs(exact).max())).value


def quantized_dense(scale: float) -> tuple[Any, dict[str, float]]:
    """int8 dense layer of unit-power tensors with one activation scale."""
    graph = Graph()
    x = graph.tensor("x", (1, 64), "int8", scale=[scale])
    y = graph.tensor("y", (1, 64), "int8", scale=[scale])
    graph.op("RELU", (x,), (y,))
    return parse_artifact(graph.finish((x,), (y,))), {"x": 1.0, "y": 1.0}


def test_noise_of_every_rounding() -> None:
    artifact, power = quantized_dense(0.05)
    ratios = dict(noise_to_signal(artifact, power))
    assert ratios == {"x": pytest.approx(0.05**2 / 12), "y": pytest.approx(0.05**2 / 12)}


@pytest.mark.parametrize(
    ("rounded", "activations", "expected"),
    [(40.0, "int8", 10.0), (40.0, "float32", 10.0), (9.0, "float32", 6.0), (9.0, "int8", 3.0), (-1.0, "int16", -4.0)],
)
def test_bound_is_never_above_what_rounded_weights_leave(rounded: float, activations: str, expected: float) -> None:
    """3 dB between two ways of rounding the same weights, 6 dB with activations of 8 bits, 10 dB at most."""
    assert measured_bound(rounded, activations).value == pytest.approx(expected)


def test_users_own_limit_replaces_the_bound() -> None:
    assert measured_bound(0.0, "int8", min_sqnr_db=33.0).value == 33.0


def noisy(deviation: float, rows: int = 100) -> ParityMeter:
    reference = [10 * RNG.standard_normal((1, 4)) for _ in range(rows)]
    return meter_of(reference, [one + deviation * RNG.standard_normal(one.shape) for one in reference])


@pytest.mark.parametrize(
    ("deviation", "state", "words"),
    [
        (0.01, "kept", r"kept \(60 dB"),
        (2.0, "reduced", r"reduced \(1\d dB: top-1 differs on \d+ of 100\)"),
        (8.0, "lost", "lost"),
    ],
)
def test_accuracy_in_words(deviation: float, state: str, words: str) -> None:
    rows = noisy(deviation).report({"y": Bound("sqnr_db", 10.0, "test")})
    accuracy = accuracy_of(rows)
    assert accuracy.state == state
    assert re.search(words, str(accuracy)), accuracy


def test_an_output_that_is_mostly_noise_is_called_that_however_little_was_asked_for() -> None:
    """Noise of power 0.5 to 1 of the output's: below the bound of an ill-conditioned source, and of no use."""
    for deviation, noisy_words in ((8.5, True), (4.0, False)):
        rows = noisy(deviation).report({"y": Bound("sqnr_db", -5.0, "test")})
        assert ("mostly noise" in str(accuracy_of(rows))) is noisy_words, accuracy_of(rows)


def joined() -> bytes:
    """``y = concatenation(boxes: 4 columns, scores: 5 columns)``, int8 with a step of 2."""
    graph = Graph()
    parts = [graph.tensor(name, (1, 16, n), "int8", scale=[2.0]) for name, n in (("boxes", 4), ("scores", 5))]
    y = graph.tensor("y", (1, 16, 9), "int8", scale=[2.0])
    graph.op("CONCATENATION", parts, (y,), options("ConcatenationOptions", axis=2))
    return graph.finish(parts, (y,))


def test_small_part_of_a_join_is_seen_beside_a_large_one() -> None:
    artifact = parse_artifact(joined())
    parts = parts_of(artifact, "y")
    assert [(part.axis, part.start, part.stop) for part in parts] == [(2, 0, 4), (2, 4, 9)]
    assert parts_of(artifact, "y", (0, 2, 1))[1].axis == 1
    assert step_of(artifact, "y") == 2.0
    meter = ParityMeter({"y": parts}, {"y": 2.0})
    for _ in range(8):
        value = np.concatenate([320 * RNG.random((1, 16, 4)), RNG.random((1, 16, 5))], 2)
        meter.add({"y": value}, {"y": np.round(value / 4) * 4})
    rows = meter.report({"y": Bound("sqnr_db", 10.0, "test")})
    assert rows[0].sqnr_db > 40
    assert not rows[0].ok
    (fault,) = output_faults(rows)
    assert fault["text"] == "output `y`: 4 to 8 along axis 2 is constant, though the source's varies"


def test_dead_channel_is_named_and_rounded_probabilities_are_not() -> None:
    meter = ParityMeter(steps={"y": 0.01})
    for _ in range(8):
        values = RNG.standard_normal((1, 5, 6))
        dead = values.copy()
        dead[..., 3] = 0.25
        meter.add({"y": values}, {"y": dead})
    assert [fault["text"] for fault in output_faults(meter.report())] == [
        "output `y`: 1 constant along axis 2 (3), though the source's vary"
    ]
    meter = ParityMeter(steps={"y": 1 / 256})
    for _ in range(8):
        scores = np.exp(4 * RNG.standard_normal((1, 400)))
        scores /= scores.sum()
        meter.add({"y": scores.astype(np.float32)}, {"y": (np.round(scores * 256) / 256).astype(np.float32)})
    assert list(output_faults(meter.report())) == []


def test_swapped_outputs_are_named() -> None:
    runs = []
    for _ in range(4):
        a, b = RNG.standard_normal((2, 1, 6))
        runs.append(({"a": a, "b": b}, {"a": b, "b": a}))
    meter = ParityMeter()
    for wanted, got in runs:
        meter.add(wanted, got)
    texts = [fault["text"] for fault in swapped_outputs(meter.report(), runs)]
    assert texts == [f"output `{b}` holds what output `{a}` should: swapped" for a, b in ("ab", "ba")]


@pytest.mark.parametrize("swapped", [False, True])
def test_outputs_that_rounding_spoils_are_told_from_swapped_ones(swapped: bool) -> None:
    # Noise of half the signal's size leaves 6 dB: too little to match another output by its numbers alone.
    runs = []
    for _ in range(8):
        a, b, *noise = RNG.standard_normal((4, 1, 64))
        got = {"a": a + noise[0] / 2, "b": b + noise[1] / 2}
        runs.append(({"a": a, "b": b}, {"a": got["b"], "b": got["a"]} if swapped else got))
    meter = ParityMeter()
    for wanted, got in runs:
        meter.add(wanted, got)
    assert [fault["output"] for fault in swapped_outputs(meter.report(), runs)] == (["a", "b"] if swapped else [])


def test_divergence_is_taken_of_probabilities_only() -> None:
    one = np.array([[0.7, 0.2, 0.1]])
    row = meter_of([one, one[:, ::-1]], [one, one]).report()[0]
    assert row.divergence == pytest.approx((0.6 * math.log(7) / 2), rel=1e-3)
    assert row.top1_agreement == 0.5
    assert meter_of([one * 9], [one]).report()[0].divergence is None
    assert meter_of([one / np.linalg.norm(one)], [one]).report()[0].top1_agreement is None


def test_the_same_nan_and_infinity_on_both_sides_are_equal() -> None:
    meter = ParityMeter()
    values = np.array([1.0, np.nan, -np.inf, 3.0], np.float32)
    meter.add({"y": values}, {"y": values.copy()})
    meter.add({"y": np.array([2, 3, 4, 5], np.float32)}, {"y": np.array([2, 3, 4, 5], np.float32)})
    (row,) = meter.report()
    assert (row.not_finite, row.max_abs_error, row.sqnr_db) == (2, 0.0, math.inf)


@pytest.mark.parametrize("other", [np.nan, np.inf, 1.0])
def test_a_value_that_is_not_finite_on_one_side_only_is_no_agreement(other: float) -> None:
    meter = ParityMeter()
    meter.add({"y": np.array([1.0, -np.inf], np.float32)}, {"y": np.array([1.0, other], np.float32)})
    (row,) = meter.report()
    assert (row.not_finite, row.max_abs_error) == (1, math.inf)


def test_the_imaginary_part_counts() -> None:
    """A spectrum's real part may be right where its phase is lost."""
    generator = np.random.default_rng(0)
    for shape in ((), (4,), (1, 4), (2, 3, 4)):
        meter = ParityMeter()
        for _ in range(2):
            real, imaginary = generator.standard_normal((2, *shape)).astype(np.float32)
            spectrum = np.asarray(real + 1j * imaginary, np.complex64)
            meter.add({"y": spectrum}, {"y": np.asarray(real, np.complex64)})
            lost = np.max(np.abs(imaginary))
        (row,) = meter.report()
        assert row.max_abs_error >= lost
        assert row.sqnr_db < 20
        assert row.top1_agreement is None


def test_a_golden_case_sees_the_imaginary_part() -> None:
    port = Port("y", "complex64", (2,), None, None)
    limit = Limit("float32", "max_abs_error", 0.25, "a test's own")
    expected = np.array([1 + 1j, 2 - 1j], np.complex64)
    case = GoldenCase({}, {"y": expected}, {"y": (limit,)}, {"y": port})
    assert case.faults({"y": expected}, "float32") == ()
    (fault,) = case.faults({"y": expected.real.astype(np.complex64)}, "float32")
    assert fault.measured == 1.0
    scalar = GoldenCase({}, {"y": np.array(3j, np.complex64)}, {"y": (limit,)}, {"y": port})
    assert len(scalar.faults({"y": np.array(2j, np.complex64)}, "float32")) == 1


def test_a_logistic_errs_by_units_of_its_half_however_small_it_is() -> None:
    graph = Graph()
    x = graph.tensor("x", (1, 4))
    y, z = graph.tensor("y", (1, 4)), graph.tensor("z", (4, 1))
    shape = graph.constant("shape", np.array([4, 1], np.int32))
    graph.op("LOGISTIC", (x,), (y,))
    graph.op("RESHAPE", (y, shape), (z,))
    artifact = parse_artifact(graph.finish((x,), (z,)))
    unknown = float_bound(artifact, 1e-5).value
    known = float_bound(artifact, 1e-5, output="z").value
    assert unknown < 1e-10
    assert 1.4e-7 < known < 3e-7


def test_a_constant_output_whose_source_moves_within_a_step_is_not_wrong_but_untold() -> None:
    values = [np.full((1, 4), size) * 1e-4 for size in (0.1, 0.5, 1.0)]
    still = [np.zeros((1, 4))] * 3
    meter = ParityMeter(steps={"y": 1 / 256})
    for one, other in zip(values, still, strict=True):
        meter.add({"y": one}, {"y": other})
    (row,) = meter.report({"y": Bound("sqnr_db", -5, "test")})
    assert row.unresolved == pytest.approx((9e-5, 1 / 256))
    assert not row.ok
    assert not row.constant
    assert not list(output_faults([row]))
    assert accuracy_of([row]).state == "lost"
    (finer,) = meter_of(values, still).report({"y": Bound("sqnr_db", -5, "test")})
    assert finer.constant
    assert finer.unresolved is None


@pytest.mark.parametrize(("stored", "right"), [(7, True), (6, False)])
def test_integers_of_several_additions_may_be_stored_as_their_sum(stored: int, right: bool) -> None:
    """TensorFlow's quantizer makes one ADD of two with constants."""

    def chain(*constants: int) -> Artifact:
        graph = Graph()
        x = value = graph.tensor("x", (1, 4), "int32")
        for place, one in enumerate(constants, 1):
            result = graph.tensor("y" if place == len(constants) else f"v{place}", (1, 4), "int32")
            graph.op(
                "ADD", (value, graph.constant(f"c{place}", np.array([one], np.int32))), (result,), options("AddOptions")
            )
            value = result
        return parse_artifact(graph.finish((x,), (value,)))

    assert (not constant_faults(chain(3, 4), chain(stored))) == right


def test_a_bound_is_widened_by_the_source_s_own_conditioning_while_that_tells_anything() -> None:
    plain = Bound("max_abs_error", 1e-5, "test")
    assert conditioned(plain, 1e-5, 1.0).value == pytest.approx(1.6e-4)
    assert conditioned(plain, 1e-7, 1.0) is plain
    blind = conditioned(plain, 1e-3, 1.0)
    assert (blind.value, blind.telling, plain.telling) == (plain.value, False, True), "beyond 1 % samples tell nothing"
    assert "moves by 0.001" in blind.derivation


def test_an_output_whose_shape_depends_on_data_is_told() -> None:
    """Rows chosen by a mask: three in one run and two in the next."""
    meter = ParityMeter()
    meter.add({"y": np.ones((3, 5), np.float32)}, {"y": np.ones((3, 5), np.float32)})
    with pytest.raises(ParityError, match=r"output `y` has shape \[2, 5\] in one run and \[3, 5\] in another"):
        meter.add({"y": np.ones((2, 5), np.float32)}, {"y": np.ones((2, 5), np.float32)})


def test_a_delegate_s_fault_sends_to_another_engine_and_the_file_s_to_another_recipe() -> None:
    engine = "ai-edge-litert 2.1.0"
    delegate = OpFault("BATCH_MATMUL", 4, "p", 5.3, 3.5, (), "delegate", engine).as_json()
    file = OpFault("ADD", 5, "s", 5.3, 3.5, (), "file", engine).as_json()
    remedy = Rightness((delegate,)).remedy
    assert f"only XNNPACK of {engine}" in remedy
    assert "TFLite's own kernels are right" in remedy
    assert "another recipe" not in remedy
    for faults in ((file,), (delegate, file), ({"kind": "output", "text": "constant"},)):
        assert Rightness(faults).remedy.startswith("another recipe or lowering may do")
