"""Times of ops, each in a file of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sdk.artifact.compute import macs
from edge_sdk.artifact.model import read_artifact
from edge_sdk.converters import Workers
from edge_sdk.converters.comparing import compare
from edge_sdk.converters.proving.alone import times_alone

pytestmark = pytest.mark.runtime


def test_the_costliest_ops_are_timed(tflite: Path, tmp_path: Path) -> None:
    graph = read_artifact(tflite).main
    found = times_alone(str(tflite), tmp_path / "work", most=len(graph.ops))
    assert list(found) == [op.index for op in graph.ops]
    assert all(taken >= 0 for taken in found.values())
    (one,) = times_alone(str(tflite), tmp_path / "work", most=1)
    assert macs(graph, graph.ops[one]) == max(macs(graph, op) for op in graph.ops) > 0


def test_a_comparison_with_details_has_them(tflite: Path, workers: Workers) -> None:
    details = compare(tflite, tflite, workers=workers, tensors=True).details
    assert details is not None
    assert [one.op for one in details.op_times] == [op.index for op in read_artifact(tflite).main.ops]
