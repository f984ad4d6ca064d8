"""Ops that XNNPACK takes in float only compute in float between integers, with the scales that were there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.checks.runtimes import XnnpackEngine
from edge_sdk.converters.device import in_forms_of_delegate
from edge_sdk.converters.quantize.forms.islands import Islands, with_islands
from edge_sdk.profile.reading import find_profile
from edge_sdk.recipe import change_recipe, find_recipe
from tests.graphs import Graph, options

NEWEST = XnnpackEngine("ai-edge-litert 2.3.0", "xnnpack", "2.3.0", exact=True)
INT8 = find_recipe("int8")
WIDE, NARROW = ([0.05], [0]), ([0.02], [-100])


class Int8:
    """Graphs of int8 tensors of one shape."""

    def __init__(self) -> None:
        self.graph = Graph()

    def tensor(self, name: str, scale: tuple[list[float], list[int]] = WIDE, dtype: str = "int8") -> int:
        if dtype != "int8":
            return self.graph.tensor(name, (1, 4, 4, 8), dtype)
        return self.graph.tensor(name, (1, 4, 4, 8), "int8", scale=scale[0], zero_point=scale[1])

    def op(self, kind: str, inputs: tuple[int, ...], output: int, table: str | None = None) -> int:
        fields = {"beta": 1.0} if table == "SoftmaxOptions" else {}
        self.graph.op(kind, inputs, (output,), options(table, **fields) if table else None)
        return output


def sums_around(*kinds: str) -> bytes:
    """``x + x -> each kind in turn -> + x``."""
    made = Int8()
    x = made.tensor("x")
    last = made.op("ADD", (x, x), made.tensor("twice"), "AddOptions")
    for place, kind in enumerate(kinds):
        last = made.op(kind, (last,), made.tensor(f"{kind.lower()}_{place}", NARROW))
    y = made.op("ADD", (last, x), made.tensor("y"), "AddOptions")
    return made.graph.finish((x,), (y,))


def ended_by(kind: str, table: str) -> bytes:
    """``x + x -> kind -> DEQUANTIZE``."""
    made = Int8()
    x = made.tensor("x")
    twice = made.op("ADD", (x, x), made.tensor("twice"), "AddOptions")
    last = made.op(kind, (twice,), made.tensor("last", ([1 / 256], [-128])), table)
    return made.graph.finish((x,), (made.op("DEQUANTIZE", (last,), made.tensor("y", dtype="float32")),))


def with_constant(kind: str, table: str) -> bytes:
    """``kind(x, constant) -> + x``, the constant int8 as well."""
    made = Int8()
    x = made.tensor("x")
    values = np.full((1, 1, 1, 1), 40, np.int8)
    constant = made.graph.constant("c", values, scale=[0.05], zero_point=[0])
    last = made.op(kind, (x, constant), made.tensor("limited"), table)
    return made.graph.finish((x,), (made.op("ADD", (last, x), made.tensor("y"), "AddOptions"),))


def kinds_of(data: bytes) -> list[str]:
    return [op.name for op in parse_artifact(data).main.ops]


def islands(data: bytes) -> Islands:
    found = with_islands(data, NEWEST)
    assert found is not None
    return found


def outputs(data: bytes, path: Path) -> npt.NDArray[Any]:
    from edge_sdk.engines.runner import Runner

    path.write_bytes(data)
    x = np.arange(-64, 64, dtype=np.int8).reshape(1, 4, 4, 8)
    (result,) = Runner(path).run({"x": x}).values()
    return np.asarray(result)


def test_hard_swish_stands_between_conversions_in_one_partition() -> None:
    made = islands(sums_around("HARD_SWISH"))
    assert kinds_of(made.data) == ["ADD", "DEQUANTIZE", "HARD_SWISH", "QUANTIZE", "ADD"]
    assert (made.before, made.after) == (2, 1)
    assert "1 HARD_SWISH" in str(made.finding("r"))
    before, after = parse_artifact(sums_around("HARD_SWISH")).main, parse_artifact(made.data).main
    kept = {tensor.name: tensor for tensor in after.tensors}
    assert all(kept[tensor.name].quantization == tensor.quantization for tensor in before.tensors)


def test_two_in_a_row_are_not_rounded_between() -> None:
    made = islands(sums_around("HARD_SWISH", "RELU6"))
    assert kinds_of(made.data) == ["ADD", "DEQUANTIZE", "HARD_SWISH", "RELU6", "QUANTIZE", "ADD"]


def test_last_op_leaves_in_float() -> None:
    made = islands(ended_by("SOFTMAX", "SoftmaxOptions"))
    assert kinds_of(made.data) == ["ADD", "DEQUANTIZE", "SOFTMAX"]
    assert made.names == {"y"}


def test_constants_are_what_they_stand_for() -> None:
    made = islands(with_constant("MINIMUM", "MaximumMinimumOptions"))
    constants = [t for t in parse_artifact(made.data).main.tensors if t.constant is not None and t.dtype == "float32"]
    assert [float(t.values().reshape(-1)[0]) for t in constants] == [pytest.approx(2.0)]


@pytest.mark.runtime
@pytest.mark.parametrize(
    "data",
    [
        sums_around("HARD_SWISH"),
        sums_around("RELU6", "HARD_SWISH"),
        ended_by("SOFTMAX", "SoftmaxOptions"),
        with_constant("MINIMUM", "MaximumMinimumOptions"),
    ],
    ids=["hard_swish", "two", "softmax", "minimum"],
)
def test_computes_the_same_to_a_step(data: bytes, tmp_path: Path) -> None:
    before, after = outputs(data, tmp_path / "a.tflite"), outputs(islands(data).data, tmp_path / "b.tflite")
    # A rounding less, or one where the integer kernel has two; a step of the last sum, or of softmax's 1/256.
    step = 1.01 if before.dtype == np.int8 else 1.01 / 256
    assert np.max(np.abs(before.astype(np.float64) - after)) <= step
    assert np.unique(after).size > 3


@pytest.mark.parametrize("kind", ["LOGISTIC", "SIGN"])
def test_what_the_delegate_takes_stays(kind: str) -> None:
    """LOGISTIC has an integer kernel; ops that have none in float either stay where they are."""
    data = sums_around(kind)
    assert with_islands(data, NEWEST) is None


def clamped(scale: float, zero_point: int) -> bytes:
    """``x + x -> RELU_0_TO_1 -> + x``, whose result has a scale of its own."""
    made = Int8()
    x = made.tensor("x", ([0.02], [0]))
    twice = made.op("ADD", (x, x), made.tensor("twice", ([0.02], [0])), "AddOptions")
    last = made.op("RELU_0_TO_1", (twice,), made.tensor("clamped", ([scale], [zero_point])))
    y = made.op("ADD", (last, x), made.tensor("y", ([0.02], [0])), "AddOptions")
    return made.graph.finish((x,), (y,))


@pytest.mark.parametrize(
    ("scale", "zero_point", "between"),
    [(1 / 255, -128, 1), (0.7 / 255, -128, 1), (1.2 / 255, -128, 2), (0.02, -100, 2)],
)
def test_a_clamp_to_one_is_a_quantize(scale: float, zero_point: int, between: int, tmp_path: Path) -> None:
    data = clamped(scale, zero_point)
    made = islands(data)
    assert kinds_of(made.data) == ["ADD", *["QUANTIZE"] * between, "ADD"]
    assert (made.before, made.after, made.clamps, made.ops) == (2, 1, 1, ())
    assert "1 RELU_0_TO_1 written as QUANTIZE: XNNPACK of ai-edge-litert 2.3.0 has no integer form of it" in str(
        made.finding("r").message
    )
    before, after = outputs(data, tmp_path / "a.tflite"), outputs(made.data, tmp_path / "b.tflite")
    # One rounding more where a second QUANTIZE follows: half a step of 1/255, less than one of the last sum.
    assert np.max(np.abs(before.astype(int) - after)) <= 1
    assert np.unique(after).size > 30
    # Inputs go up to 2.56 after the sum: both ends are reached.
    assert not np.array_equal(after, outputs(sums_around(), tmp_path / "c.tflite"))


def test_clamps_and_hard_swishes_go_together() -> None:
    made = islands(sums_around("HARD_SWISH", "RELU_0_TO_1"))
    assert kinds_of(made.data) == ["ADD", "DEQUANTIZE", "HARD_SWISH", "QUANTIZE", "QUANTIZE", "QUANTIZE", "ADD"]
    assert (
        "1 HARD_SWISH computes in float between integers, 1 RELU_0_TO_1 written as QUANTIZE"
        in made.finding("r").message
    )


@pytest.mark.parametrize("kinds", [("HARD_SWISH",), ("RELU_0_TO_1",), ("HARD_SWISH", "RELU_0_TO_1")])
def test_a_file_without_float_stays_without_where_xnnpack_runs_it(kinds: tuple[str, ...], tmp_path: Path) -> None:
    data, recipe = sums_around(*kinds), change_recipe(INT8, io="int8")
    made = in_forms_of_delegate(data, recipe, find_profile("raspberry-pi-5"))
    assert made is not None
    assert {t.dtype for t in parse_artifact(made.data).main.tensors} == {"int8"}
    assert (made.after, made.names) == (1, frozenset())
    assert (made.swishes, made.clamps) == (kinds.count("HARD_SWISH"), kinds.count("RELU_0_TO_1"))
    before, after = outputs(data, tmp_path / "a.tflite"), outputs(made.data, tmp_path / "b.tflite")
    # x goes to 6.4 and the gate is off by half a step of 1/255: 0.0125, less than a step of the result (0.02), which is
    # two fifths of one of the last sum (0.05); each rounding adds half of its own step.
    assert np.max(np.abs(before.astype(int) - after)) <= 1
    assert "--forms plain" in made.finding("r").hint


def test_the_first_delegate_decides() -> None:
    data = sums_around("HARD_SWISH")
    assert in_forms_of_delegate(data, INT8, None) is not None
    assert in_forms_of_delegate(data, INT8, find_profile("raspberry-pi-5")) is not None
    assert in_forms_of_delegate(data, INT8, find_profile("imx93")) is None
    assert in_forms_of_delegate(data, change_recipe(INT8, io="int8"), None) is None
    assert in_forms_of_delegate(data, find_recipe("int16x8"), None) is None


def test_constants_of_an_island_are_the_float_files(tmp_path: Path) -> None:
    """PReLU's slopes, which int8 rounds: in float they are the float file's own, and pass for right."""
    from edge_sdk.parity.constants import constant_faults

    slopes = np.linspace(0.01, 1.27, 8, dtype=np.float32).reshape(1, 1, 8) + np.float32(0.004)
    files = []
    for dtype in ("float32", "int8"):
        made = Int8()
        x, twice, last = (made.tensor(name, dtype=dtype) for name in ("x", "twice", "last"))
        integers = np.rint(slopes / 0.02).astype(np.int8)
        grid: dict[str, Any] = {"scale": [0.02], "zero_point": [0]} if dtype == "int8" else {}
        constant = made.graph.constant("slopes", integers if grid else slopes, **grid)
        made.op("ADD", (x, x), twice, "AddOptions")
        made.op("PRELU", (twice, constant), last)
        y = made.op("ADD", (last, x), made.tensor("y", dtype=dtype), "AddOptions")
        files.append(made.graph.finish((x,), (y,)))
    reference, data = files
    found = with_islands(data, NEWEST, reference)
    assert found is not None
    artifact = parse_artifact(found.data)
    (prelu,) = (op for op in artifact.main.ops if op.name == "PRELU")
    assert np.array_equal(artifact.main.tensors[prelu.inputs[1]].values(), slopes)
    assert constant_faults(parse_artifact(reference), artifact) == []
    rounded = parse_artifact(islands(data).data)
    assert constant_faults(parse_artifact(reference), rounded), "rounded slopes would pass for the float file's"
