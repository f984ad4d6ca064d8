"""Times of single ops, from LiteRT's own profiler where it has one."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import edge_sdk
from edge_sdk.artifact import read_artifact
from edge_sdk.errors import TargetError
from edge_sdk.measure.ops import op_profile
from edge_sdk.measure.plan import Plan
from edge_sdk.report.benchmark import as_text
from tests.graphs import conv_model

_LINES = (
    "========================== Run Order ==========================",
    "      [node type]    [start]    [first]   [avg ms]        [%]     [cdf%]   [mem KB] [times called]   [Name]",
    "   Delegate/Fully Connected (NC, QS8, QC8W) GEMM  0.000  0.032  0.518  33.893%  45.375%  0.000  20   [Delegate]:3",
    "         CONV_2D      0.025      0.059      0.074     1.815%     2.375%      0.000       20   [features;a b]:12",
    "",
    "========================== Top by Computation Time ==========================",
    "         CONV_2D      0.025      0.059      0.074     1.815%     2.375%      0.000       20   [features;a b]:12",
)
SUMMARY = "\n".join(_LINES)
NO_TIMES = SUMMARY.replace("0.518", "0.000").replace("0.074", "0.000")
SHORT = Plan("custom", min_queries=20, min_seconds=0.1, patience_s=0.5)


def _times_ops() -> bool:
    try:
        return version("ai-edge-litert").startswith("2.3.")
    except PackageNotFoundError:
        return False


def test_the_engines_table_is_read() -> None:
    first, second = op_profile(SUMMARY, "x 1", 20).ops
    assert first.name == "Delegate/Fully Connected (NC, QS8, QC8W) GEMM #3"
    assert (first.mean_ms, second.mean_ms) == (0.518, 0.074)
    assert second.name == "CONV_2D #12"
    assert first.share == pytest.approx(0.518 / 0.592)


def test_ops_that_all_take_less_than_the_profilers_unit_have_no_share() -> None:
    assert [(op.mean_ms, op.share) for op in op_profile(NO_TIMES, "x 1", 20).ops] == [(0.0, 0.0)] * 2


@pytest.mark.parametrize("text", ["", "Run Order ===\nnothing"])
def test_a_profile_without_times_is_an_error(text: str) -> None:
    with pytest.raises(TargetError, match="holds no times of ops"):
        op_profile(text, "x 1", 20)


@pytest.mark.accelerators
@pytest.mark.skipif(not _times_ops(), reason="needs LiteRT 2.3: make test-accelerators")
@pytest.mark.parametrize("delegate", ["xnnpack", "cpu"])
def test_ops_of_a_real_model_are_timed(tmp_path: Path, delegate: str) -> None:
    path = tmp_path / "conv.tflite"
    path.write_bytes(conv_model(side=160))
    found = edge_sdk.benchmark(path, delegates=delegate, plan=SHORT, ops=True)
    profile = found.results[0].op_profile
    assert profile is not None
    names = " ".join(op.name for op in profile.ops)
    assert "Conv" in names if delegate == "xnnpack" else "CONV_2D" in names
    assert sum(op.share for op in profile.ops) == pytest.approx(1)
    # One convolution does all but a few of the MACs.
    slowest = max(profile.ops, key=lambda op: op.mean_ms)
    assert "conv" in slowest.name.lower()
    assert len(profile.ops) == len(read_artifact(path).main.ops) or delegate == "xnnpack"
    assert "own profiler" in as_text(found)
