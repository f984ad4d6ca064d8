"""Times of ops, each in a file of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import read_artifact
from edge_sdk.converters import Workers
from edge_sdk.converters.comparing import compare
from edge_sdk.converters.proving import alone
from edge_sdk.converters.proving.alone import conversion, each_in_turn_us, times_alone
from edge_sdk.engines.runner import Runner

pytestmark = pytest.mark.runtime


def test_the_costliest_ops_are_timed(tflite: Path, tmp_path: Path) -> None:
    graph = read_artifact(tflite).main
    found = times_alone(str(tflite), tmp_path / "work", most=len(graph.ops))
    assert list(found) == [op.index for op in graph.ops]
    assert all(taken >= 0 for taken in found.values())
    (one,) = times_alone(str(tflite), tmp_path / "work", most=1)
    assert macs(graph, graph.ops[one]) == max(macs(graph, op) for op in graph.ops) > 0


@pytest.mark.parametrize("at_once", [1 << 29, 1])
def test_ops_in_turn_are_the_same_ops_all_at_once_or_in_parts(
    tflite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(alone, "_AT_ONCE", at_once)
    ops = read_artifact(tflite).main.ops
    found = each_in_turn_us(str(tflite), list(ops), tmp_path)
    assert list(found) == [op.index for op in ops]
    assert all(taken >= 0 for taken in found.values())
    # What computes takes longer than what does nothing.
    assert max(found.values()) > 0


def test_conversions_side_by_side_are_as_many_ops(tmp_path: Path) -> None:
    path = tmp_path / "three.tflite"
    path.write_bytes(conversion(5, down=True, copies=3))
    assert [op.name for op in read_artifact(path).main.ops] == ["QUANTIZE"] * 3
    assert {spec.static_shape for spec in Runner(path).outputs} == {(1, 5)}


def test_a_comparison_with_details_has_them(tflite: Path, workers: Workers) -> None:
    details = compare(tflite, tflite, workers=workers, tensors=True).details
    assert details is not None
    assert [one.op for one in details.op_times] == [op.index for op in read_artifact(tflite).main.ops]
