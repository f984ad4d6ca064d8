"""Slower than float: which ops are outside the delegate, and what they take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.converters.proving.latency import Outside, is_slower, latency_findings, outside, refuse_slow, untimed
from edge_sdk.errors import SlowError
from edge_sdk.measure.side_by_side import Timing
from edge_sdk.profile.reading import find_profile
from edge_sdk.recipe import Int16, find_recipe
from tests.converters.quantize.test_islands import sums_around
from tests.graphs import conv_model

INT8 = find_recipe("int8")


def test_int16_that_was_not_timed_is_told() -> None:
    (found,) = untimed(find_recipe("int16x8"), None)
    assert (found.rule, found.severity) == ("int16-not-timed", "warning")
    assert untimed(find_recipe("int16x8"), find_profile("imx93")) == []
    assert untimed(find_recipe("int8"), None) == []


def timing(us: float, ratio: float, spread: float = 0.01) -> Timing:
    return Timing("f", us, ratio, ratio - spread, ratio + spread, 50, 1, "ai-edge-litert 2.1.0")


class Here:
    """A worker that is this process."""

    def function(self, place: str, doing: str, **arguments: Any) -> Any:
        from edge_sdk.converters.proving import candidate

        return getattr(candidate, place.split(":")[1])(**arguments)


def test_a_slow_file_names_what_is_outside() -> None:
    left = Outside({"HARD_SWISH": 18, "RELU_0_TO_1": 9}, "2.1.0", 0.61)
    (found,) = latency_findings([timing(100, 1.0), timing(154, 1.54)], INT8, left)
    assert found.rule == "slower-than-float"
    assert found.message.endswith(
        "18 HARD_SWISH, 9 RELU_0_TO_1 take 61% of its time (each measured alone) and stay outside XNNPACK (predicted "
        "for ai-edge-litert 2.1.0)"
    )
    everything = str(Outside({}, "2.1.0", None))
    assert everything == "XNNPACK takes every op (predicted for ai-edge-litert 2.1.0): its kernels are slow here"


def test_16_bits_on_a_cpu_are_told_what_they_are_for() -> None:
    rows = [timing(100, 1.0), timing(3000, 30.0)]
    (found,) = latency_findings(rows, find_recipe("int16x8"))
    assert "are for NPUs with kernels for them (Ethos-U, Hexagon), not for CPUs" in found.hint
    assert [one.hint for one in latency_findings(rows, INT8)] == ["the device may differ"]


@pytest.mark.parametrize("device", [None, "raspberry-pi-4"])
def test_16_bits_are_refused_where_no_accelerator_is_and_float_is_faster(device: str | None) -> None:
    rows, recipe = [timing(100, 1.0), timing(3000, 30.0)], find_recipe("int16x8")
    profile = find_profile(device) if device else None
    with pytest.raises(
        SlowError, match=r"recipe static_wi8_ai16 refused: takes 30\.00x the time of the float"
    ) as caught:
        refuse_slow(rows, recipe, profile, latency_findings(rows, recipe))
    assert (device or "no device was named") in str(caught.value)
    assert caught.value.as_json()["ratio"] == 30.0
    assert "--allow-slow" in str(caught.value.hint)


def test_single_ops_in_16_bits_are_held_to_the_same() -> None:
    rows, recipe = [timing(100, 1.0), timing(300, 3.0)], replace(INT8, int16=Int16(ops=("SOFTMAX",)))
    with pytest.raises(SlowError, match=r"refused: takes 3\.00x"):
        refuse_slow(rows, recipe, None, latency_findings(rows, recipe))


@pytest.mark.parametrize(
    ("recipe", "device", "ratio", "count"),
    [
        ("int16x8", "imx93", 30.0, 2),
        ("int16x8", None, 0.9, 2),
        ("int16x8", None, 30.0, 0),
        ("int8", None, 30.0, 2),
    ],
)
def test_nothing_is_refused_for_an_npu_nor_without_a_measured_ratio(
    recipe: str, device: str | None, ratio: float, count: int
) -> None:
    rows, wanted = [timing(100, 1.0), timing(100 * ratio, ratio)][:count], find_recipe(recipe)
    found = latency_findings(rows, wanted) if rows else []
    refuse_slow(rows, wanted, find_profile(device) if device else None, found)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.05])
def test_a_file_within_the_noise_is_not_slower(ratio: float) -> None:
    rows = [timing(100, 1.0), timing(100 * ratio, ratio)]
    assert not is_slower(rows)
    assert latency_findings(rows, INT8) == []


@pytest.mark.runtime
def test_ops_outside_are_timed_alone(tmp_path: Path) -> None:
    """HARD_SWISH in int8, of which XNNPACK has no kernel; what it takes is more than nothing and at most everything."""
    path = tmp_path / "model.tflite"
    path.write_bytes(sums_around("HARD_SWISH", "HARD_SWISH"))
    worker: Any = Here()
    found = outside(worker, path, tmp_path / "alone", timing(1e6, 2.0), path)
    assert dict(found.ops) == {"HARD_SWISH": 2}
    assert found.engine == "2.1.0"
    assert found.share is not None
    assert 0 < found.share <= 1


@pytest.mark.runtime
def test_a_slow_file_without_ops_outside_names_what_lost_most_inside(tmp_path: Path) -> None:
    """The float file has no op at all of the kind, so that any time is more."""
    path, base = tmp_path / "model.tflite", tmp_path / "base.tflite"
    path.write_bytes(sums_around())
    base.write_bytes(conv_model())
    worker: Any = Here()
    found = outside(worker, path, tmp_path / "alone", timing(1e6, 2.0), base)
    assert (found.ops, found.share) == ({}, None)
    assert set(found.inside) == {"ADD"}
    there, here = found.inside["ADD"]
    assert there == 0 < here
    assert "its kernels are slow here, most at ADD" in str(found)
