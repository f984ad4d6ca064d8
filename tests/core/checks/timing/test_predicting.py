"""Predicted times: a law that was planted is found again; what cannot be known is not said."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.checks.advice.rewriting import with_activations_inside
from edge_sdk.checks.timing.fitting import fit_kind, non_negative
from edge_sdk.checks.timing.helping import will_it_help
from edge_sdk.checks.timing.model import Model
from edge_sdk.checks.timing.predicting import Predictor, op_times
from edge_sdk.checks.timing.streams import GROUP
from edge_sdk.checks.timing.table import Timed, beside, check_belongs, read_table, write_table
from edge_sdk.checks.timing.work import Work, workload
from edge_sdk.errors import MeasurementError
from edge_sdk.measure.calibration.layers import Layers, Mode, layers
from edge_sdk.profile.reading import find_profile
from tests.core.checks.timing.planted import INVOKE_US, SUBJECT, law_us, planted


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(planted())


def network(mode: Mode = "float32", *, side: int = 48, width: int = 40) -> Layers:
    """None of the table's: other widths, another order of blocks."""
    made = layers(mode, 7)
    x = made.conv(made.entry(1, side, side, 3), width, 3, 2)
    for stride in (1, 2, 1):
        x = made.conv(made.depthwise(made.conv(x, 3 * width), 3, stride), 3 * width // 2)
    made.finish(made.dense(made.mean(x, (1, 2), keep=False), 100))
    return made


def artifact_of(made: Layers):  # type: ignore[no-untyped-def]
    return parse_artifact(made.content())


@pytest.mark.parametrize("mode", ["float32", "int8", "hybrid"])
def test_a_planted_law_is_found_again(predictor: Predictor, mode: Mode) -> None:
    artifact = artifact_of(network(mode))
    found = predictor.predict(artifact)
    load = predictor.workload(artifact)
    true = INVOKE_US + sum(law_us(one.work) for one in load.ops if one.work) + 2.0 * (load.partitions - 1)
    assert found.ms is not None
    # The law counts what is computed, the fit whole tiles: the last of them is empty by half, of a few, at most.
    assert abs(math.log(found.ms * 1e3 / true)) < 0.15
    assert found.low_ms is not None
    assert found.high_ms is not None
    assert found.low_ms < true / 1e3 < found.high_ms


def test_ops_add_up_to_the_whole(predictor: Predictor) -> None:
    artifact = artifact_of(network("hybrid"))
    found = predictor.predict(artifact)
    held = predictor.model.context
    around = (
        predictor.model.invoke_us + held.partition_us * (found.partitions - 1) + held.border_us * found.border_bytes
    )
    assert found.ms == pytest.approx((around + sum(one.us or 0.0 for one in found.ops)) / 1e3)
    assert op_times(artifact, planted()) == found.ops
    outside = {one.op_name for one in found.ops if one.place == "cpu"}
    assert outside == {"DEPTHWISE_CONV_2D"}


def test_an_op_without_a_neighbour_is_named_and_nothing_is_said_of_the_whole(predictor: Predictor) -> None:
    made = layers("float32")
    x = made.entry(1, 32, 32, 64)
    made.finish(made.unary("COS", made.conv(x, 64)))
    found = predictor.predict(artifact_of(made))
    assert found.ms is None
    assert [(one.op_name, one.op) for one in found.abstentions] == [("COS", 1)]
    assert "has no neighbour" in found.abstentions[0].why
    assert [one.us is None for one in found.ops] == [False, True]


def test_a_shape_far_from_all_kernels_is_no_neighbour(predictor: Predictor) -> None:
    made = layers("float32")
    made.finish(made.dense(made.entry(1 << 17, 8), 65536 // 4))
    found = predictor.predict(artifact_of(made))
    assert found.ms is None
    assert "octaves away" in found.abstentions[0].why


def test_an_interval_beyond_a_factor_of_two_is_no_answer() -> None:
    draw = np.random.default_rng(0)
    noisy = tuple(replace(one, us=one.us * float(np.exp(draw.normal(0, 1.5)))) for one in planted().timed)
    found = Predictor(replace(planted(), timed=noisy)).predict(artifact_of(network()))
    assert found.ms is None
    assert "factor of two" in found.abstentions[0].why


def test_bounds_are_told_apart(predictor: Predictor) -> None:
    made = layers("float32")
    x = made.conv(made.entry(1, 28, 28, 256), 256, 3)
    big = made.binary("ADD", x, made.entry(1, 28, 28, 256))
    made.finish(big, made.dense(made.entry(1, 16), 8))
    bounds = {one.op_name: one.bound for one in predictor.predict(artifact_of(made)).ops}
    assert bounds["CONV_2D"] == "compute"
    assert bounds["ADD"] == "memory"
    assert bounds["FULLY_CONNECTED"] == "overhead"


def test_what_the_engine_folds_costs_nothing() -> None:
    made = layers("float16")
    x = made.pad(made.entry(1, 17, 17, 16), 1, 1)
    x = made.conv(x, 24, 3, 1, "NONE", "VALID")
    made.finish(made.unary("RELU", x))
    load = workload(artifact_of(made), "ai-edge-litert", "2.1.0")
    assert {one.op.name: one.work is None for one in load.ops} == {
        "PAD": True,
        "DEQUANTIZE": True,
        "CONV_2D": False,
        "RELU": True,
    }


def test_will_it_help_knows_depthwise_and_dynamic_range(predictor: Predictor) -> None:
    made = layers("float32", 3)
    x = made.entry(1, 56, 56, 128)
    for _ in range(4):
        x = made.depthwise(x, 3)
    made.finish(x)
    answers = {one.precision: one for one in will_it_help(artifact_of(made), predictor)}
    assert answers["float16"].answer == "same"
    assert answers["dynamic"].answer == "slower"
    assert "outside XNNPACK" in answers["dynamic"].reason
    assert answers["int8"].answer == "faster"
    assert answers["int8"].probability is not None
    assert answers["int8"].probability > 0.9
    assert answers["int4"].answer == "same"


def test_will_it_help_asks_only_of_float_files(predictor: Predictor) -> None:
    assert will_it_help(artifact_of(network("int8")), predictor) == ()


def test_coefficients_that_cannot_be_negative_fulfil_the_conditions_of_kuhn_and_tucker() -> None:
    draw = np.random.default_rng(1)
    for _ in range(20):
        rows, wanted = draw.normal(size=(30, 7)), draw.normal(size=30)
        found = non_negative(rows, wanted)
        gradient = rows.T @ (rows @ found - wanted)
        assert (found >= 0).all()
        assert (gradient >= -1e-8).all()
        assert abs(gradient @ found) < 1e-8


def test_weights_that_a_run_finds_in_no_cache_cost_what_was_measured() -> None:
    """A planted machine: a byte costs 1 ns where a run goes through less than 8 MiB, and 3 ns beyond."""
    plain = planted()
    rows = [one for one in plain.timed if one.group == GROUP]
    assert len(rows) == 6

    def slower(one: Timed) -> Timed:
        size = sum(work.weight_bytes for work in one.work)
        return replace(one, us=3.0 + size * (1e-3 if size < 8 << 20 else 3e-3))

    timed = tuple(slower(one) if one.group == GROUP else one for one in plain.timed)
    model = Model(replace(plain, timed=timed))
    work = next(one.work[0] for one in timed if one.id.startswith("float32 pointwise 14x14x256-1024"))
    near, far = (model.op_us(work, run) for run in (work.weight_bytes + work.written_bytes, 64 << 20))
    assert near is not None
    assert far is not None
    # Operands come from the op before and are near in any run.
    assert far - near == pytest.approx(
        model.context.streamed * (work.weight_bytes + work.written_bytes) * 2e-3, rel=0.01
    )
    without = Model(replace(plain, timed=tuple(one for one in timed if one.group != GROUP)))
    assert without.op_us(work, 64 << 20) == pytest.approx(without.op_us(work, 0))


def test_one_number_beside_a_picture_is_no_broadcast() -> None:
    made = layers("float32")
    x = made.entry(1, 224, 224, 3)
    made.finish(made.scaled("ADD", made.shifted("SUB", made.spread(made.prelu(made.conv(x, 12, stride=2)), 2))))
    load = workload(parse_artifact(made.content()), "ai-edge-litert", "2.1.0")
    assert [one.work.kind for one in load.ops if one.work][1:] == [
        "PRELU broadcast", "DEPTH_TO_SPACE", "SUB", "ADD broadcast",
    ]  # fmt: skip
    found = Predictor(planted()).predict(parse_artifact(made.content()))
    assert not found.abstentions


def test_int8_has_its_activations_inside_the_ops_before() -> None:
    """As TensorFlow's quantizer writes BlazeFace: RELU of 8 bits is none of XNNPACK's, and 27 ms were said of it."""
    made = layers("float32")
    x = made.conv(made.entry(1, 32, 32, 16), 16, act="NONE")
    for _ in range(3):
        y = made.conv(made.depthwise(x, 3, 1, "NONE"), 16, act="NONE")
        x = made.unary("RELU", made.binary("ADD", x, y))
    kept = made.unary("RELU", x)
    made.finish(x, kept)
    graph = parse_artifact(made.content()).main
    inside = with_activations_inside(graph)
    # The last two both read or are what leaves the file.
    assert [op.name for op in graph.ops].count("RELU") == 4
    assert [op.name for op in inside.ops].count("RELU") == 1
    assert inside.outputs == graph.outputs
    assert [op.index for op in inside.ops] == list(range(len(inside.ops)))
    helps = {one.precision: one for one in will_it_help(parse_artifact(made.content()), Predictor(planted()))}
    assert helps["int8"].answer == "faster"


def test_what_runs_behind_a_product_is_told_apart() -> None:
    made = layers("hybrid")
    x = made.depthwise(made.conv(made.entry(1, 16, 16, 8), 8), 3)
    x = made.depthwise(made.unary("HARD_SWISH", x), 3)
    made.finish(made.depthwise(x, 3))
    works = [one.work for one in workload(parse_artifact(made.content()), "ai-edge-litert", "2.1.0").ops if one.work]
    assert [(work.kind, work.behind_product) for work in works] == [
        ("pointwise", False),
        ("depthwise", True),
        ("HARD_SWISH", False),
        ("depthwise", False),
        ("depthwise", False),
    ]


def test_a_swish_in_8_bits_is_one_look_up() -> None:
    """Not one whose gate is of another value, nor in float."""
    made = layers("int8")
    x = made.entry(1, 8, 8, 16)
    own = made.binary("MUL", x, made.unary("LOGISTIC", x))
    made.finish(made.binary("MUL", own, made.unary("LOGISTIC", made.conv(x, 16))))
    load = workload(parse_artifact(made.content()), "ai-edge-litert", "2.1.0")
    assert [(one.op.name, one.work is None) for one in load.ops if one.op.name == "MUL"] == [
        ("MUL", True),
        ("MUL", False),
    ]
    made = layers("float32")
    x = made.entry(1, 8, 8, 16)
    made.finish(made.binary("MUL", x, made.unary("LOGISTIC", x)))
    assert all(one.work for one in workload(parse_artifact(made.content()), "ai-edge-litert", "2.1.0").ops)


def test_weights_of_float16_are_weights() -> None:
    """They are widened when the file is opened, and a run reads them in float32."""
    works = []
    modes: tuple[Mode, ...] = ("float32", "float16")
    for mode in modes:
        made = layers(mode)
        made.finish(made.conv(made.entry(1, 16, 16, 8), 24, 3))
        load = workload(parse_artifact(made.content()), "ai-edge-litert", "2.1.0")
        works.append([one.work for one in load.ops if one.work is not None])
    (plain,), (half,) = works
    assert half.weight_bytes == plain.weight_bytes == 4 * (24 * 9 * 8 + 24)
    assert half.read_bytes == plain.read_bytes


def test_a_kind_predicts_what_was_left_out() -> None:
    rows = np.array([[1.0, 2.0**n, 1, 1, 1, 1, 1, 1] for n in range(3, 14)])
    places = np.array([[float(n), 3.0, 3.0] for n in range(3, 14)])
    kind = fit_kind(rows, places, rows @ np.array([0.5, 0.01, 0, 0, 0, 0, 0, 0]))
    assert np.abs(kind.missed).max() < 0.02
    assert kind.distance(places[0] - 2) == 2.0


def test_a_table_is_written_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    table = replace(planted(), timed=planted().timed[-20:])
    write_table(table, path)
    assert read_table(path) == table
    assert json.loads(path.read_text())["timed"][0]["work"][0]["kind"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "it is not JSON"),
        ("[]", "expected 'edge-sdk-calibration/2'"),
        ('{"schema": "edge-sdk-benchmark/1"}', "expected 'edge-sdk-calibration/2'"),
        ('{"schema": "edge-sdk-calibration/2"}', "required field missing"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "table.json"
    path.write_text(content)
    with pytest.raises(MeasurementError, match=words):
        read_table(path)


def test_an_invalid_table_predicts_nothing(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    write_table(replace(planted(), valid=False, reasons=("busy-machine: others",), timed=()), path)
    with pytest.raises(MeasurementError, match=r"INVALID: busy-machine"):
        read_table(path)


def test_a_table_with_too_few_networks_is_refused() -> None:
    with pytest.raises(MeasurementError, match="networks, expected"):
        Model(replace(planted(), timed=tuple(one for one in planted().timed if not one.is_network)))


def test_a_table_of_another_device_engine_or_version_is_refused() -> None:
    profile = find_profile("raspberry-pi-4")
    with pytest.raises(MeasurementError, match=r"x86_64.*raspberry-pi-4 is aarch64"):
        check_belongs(planted(), profile, where="here.json")
    other = replace(planted(), subject=replace(SUBJECT, arch="aarch64", version="1.0.0"))
    with pytest.raises(MeasurementError, match=r"measured with ai-edge-litert 1.0.0"):
        check_belongs(other, profile, where="here.json")
    fitting = next(one for one in profile.device.runtimes if one.name == "ai-edge-litert")
    check_belongs(replace(other, subject=replace(other.subject, version=fitting.version)), profile, where="here.json")


def test_a_table_beside_a_profile_is_found(tmp_path: Path) -> None:
    (tmp_path / "calibration").mkdir()
    assert beside(str(tmp_path / "board.toml")) is None
    (tmp_path / "calibration" / "board.json").touch()
    assert beside(str(tmp_path / "board.toml")) == tmp_path / "calibration" / "board.json"
    assert beside("pixel-8") is None


def test_work_tells_kinds_apart() -> None:
    made = layers("float32")
    x = made.conv(made.entry(1, 32, 32, 3), 16, 3, 2)
    x = made.conv(made.conv(x, 16, 3), 32)
    made.finish(made.dense(made.mean(made.depthwise(x, 5), (1, 2), keep=False), 10))
    load = workload(artifact_of(made), "ai-edge-litert", None)
    works = [one.work for one in load.ops]
    assert [work.kind for work in works if work] == [
        "stem",
        "convolution",
        "pointwise",
        "depthwise 25",
        "MEAN",
        "dense",
    ]
    stem = works[0]
    assert isinstance(stem, Work)
    assert (stem.rows, stem.columns, stem.depth) == (256, 16, 27)
    assert stem.macs == 256 * 16 * 27
    assert stem.weight_bytes == 4 * (16 * 27 + 16)
