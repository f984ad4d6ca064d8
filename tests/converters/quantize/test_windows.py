"""Wide depthwise windows as sums of narrow ones: every tap once, the same numbers, and only for XNNPACK."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import Subgraph, parse_artifact
from edge_sdk.converters import convert
from edge_sdk.converters.device import in_narrow_windows
from edge_sdk.converters.quantize.forms.window_parts import MOST_TAPS, parts_of_window
from edge_sdk.converters.quantize.forms.windows import parts_of_sums, wide_windows, with_narrow_windows
from edge_sdk.profile.reading import find_profile
from edge_sdk.recipe import find_recipe
from edge_sdk.runtime import Runner
from tests.graphs import depthwise_model as wide

CHANNELS, SIDE = 6, 15
FLOAT, INT8 = find_recipe("float32"), find_recipe("int8")
VALID = 1
# Unit roundoff of float32: a sum of so many products is off by at most one of it for each.
ROUNDOFF = 2.0**-24


def kinds(graph: Subgraph) -> Counter[str]:
    return Counter(op.name for op in graph.ops)


def narrow(data: bytes) -> bytes:
    return with_narrow_windows(data, wide_windows(parse_artifact(data).main, {0}))


@pytest.mark.parametrize("sliced", [False, True])
@pytest.mark.parametrize("kernel", [(7, 7), (8, 8), (9, 9), (5, 7), (1, 31), (13, 13), (31, 31)])
def test_every_tap_is_in_one_part(kernel: tuple[int, int], sliced: bool) -> None:
    parts = parts_of_window(*kernel, sliced=sliced)
    taps = [(row, column) for part in parts for row in part.rows.places for column in part.columns.places]
    assert sorted(taps) == [(row, column) for row in range(kernel[0]) for column in range(kernel[1])]
    assert all(part.rows.count * part.columns.count <= MOST_TAPS for part in parts)
    assert len(parts) >= kernel[0] * kernel[1] / MOST_TAPS


def test_seven_by_seven_takes_three_parts_that_read_the_operand_itself() -> None:
    graph = parse_artifact(narrow(wide())).main
    assert kinds(graph) == {"DEPTHWISE_CONV_2D": 3, "ADD": 2, "MUL": 1}
    assert {op.inputs[0] for op in graph.ops if op.name == "DEPTHWISE_CONV_2D"} == set(graph.inputs)
    assert [op.index for op in parts_of_sums(graph)] == [0, 1, 2, 3, 4]
    read = {index for op in graph.ops for index in op.inputs}
    assert all(tensor.index in read for tensor in graph.tensors if tensor.constant is not None)
    assert len(narrow(wide())) < len(wide()) + 1000  # four ops and tensors more, of the same weights


@pytest.mark.runtime
@pytest.mark.parametrize(
    "form",
    [
        {},
        {"stride": 2},
        {"stride": 2, "side": 14},
        {"stride": 3, "side": 7},
        {"padding": VALID},
        {"padding": VALID, "stride": 2},
        {"kernel": (5, 7)},
        {"kernel": (8, 8), "stride": 2},
        {"kernel": (9, 9)},
        {"dilation": 2},
        {"kernel": (6, 6), "dilation": 2, "padding": VALID},
        {"kernel": (31, 31)},
    ],
    ids=str,
)
def test_sums_are_the_same_but_for_their_order(form: dict[str, int], tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.tflite", tmp_path / "parts.tflite"
    whole.write_bytes(wide(**form))  # type: ignore[arg-type]
    parts.write_bytes(narrow(whole.read_bytes()))
    assert kinds(parse_artifact(parts.read_bytes()).main)["DEPTHWISE_CONV_2D"] > 1
    side = form.get("side", SIDE)
    x = np.random.default_rng(1).standard_normal((1, side, side, CHANNELS)).astype(np.float32)
    wanted, got = (Runner(path).run({"x": x})["z"] for path in (whole, parts))
    weights = next(t for t in parse_artifact(whole.read_bytes()).main.tensors if t.name == "w").values()
    # Twice for both ways of summing, twice for the MUL behind it.
    bound = 4 * weights[..., 0].size * ROUNDOFF * np.abs(weights).sum((0, 1, 2)).max() * np.abs(x).max()
    assert np.abs(wanted - got).max() <= bound
    assert wanted.any()


def test_narrow_ones_and_several_results_of_a_channel_stay() -> None:
    data = wide((5, 5))
    assert wide_windows(parse_artifact(data).main, {0}) == []
    assert wide_windows(parse_artifact(wide()).main, set()) == []
    assert wide_windows(parse_artifact(wide((31, 31))).main, {0}, most_parts=4) == []
    assert wide_windows(parse_artifact(wide((9, 9))).main, {0}, most_parts=4) == [0]


def test_the_target_decides() -> None:
    data = wide()
    whole = replace(INT8, io="int8")
    assert in_narrow_windows(data, FLOAT, None) is not None
    assert in_narrow_windows(data, INT8, None) is not None
    assert in_narrow_windows(data, INT8, find_profile("raspberry-pi-5")) is not None
    assert in_narrow_windows(data, whole, find_profile("raspberry-pi-5")) is not None
    assert in_narrow_windows(data, whole, None) is None
    assert in_narrow_windows(data, FLOAT, find_profile("pixel-8")) is None
    assert in_narrow_windows(data, INT8, find_profile("imx93")) is None
    assert in_narrow_windows(data, replace(INT8, forms="plain"), None) is None
    assert in_narrow_windows(data, find_recipe("dynamic"), None) is None


@pytest.mark.keras
def test_an_int8_file_rounds_the_sum_once_and_is_right(tmp_path: Path) -> None:
    source, target = tmp_path / "f.tflite", tmp_path / "q.tflite"
    source.write_bytes(wide())
    data = tmp_path / "d.npz"
    np.savez(data, x=np.random.default_rng(2).standard_normal((8, SIDE, SIDE, CHANNELS)).astype(np.float32))
    report = convert(source, target, recipe="int8", calibration=str(data), timing=False)
    assert report.right.ok
    assert [one for one in report.findings if one.rule == "windows-in-parts"]
    graph = parse_artifact(target.read_bytes()).main
    assert kinds(graph) == {"DEPTHWISE_CONV_2D": 3, "ADD": 2, "MUL": 1, "QUANTIZE": 1, "DEQUANTIZE": 1}
    assert all(graph.tensors[op.outputs[0]].dtype == "float32" for op in parts_of_sums(graph))
