"""Masks, shared weights, allocation: numbers alone, no toolchain."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.train.pruning.budget import allocate, layer_factors
from edge_sdk.converters.train.pruning.channels import Channels, Weight, blocks_of, cost_of
from edge_sdk.converters.train.pruning.sensitivity import Curve, Sensitivity
from edge_sdk.converters.train.pruning.sparse_kernels import sparse_kernel_obstacles, sparse_kernels_in_words
from edge_sdk.converters.train.weights.clusters import find_clusters
from edge_sdk.converters.train.weights.masks import pattern, ramp
from edge_sdk.errors import MissingDependencyError, OutputError, TrainingError
from edge_sdk.report.sensitivity import check_drawable, draw_sensitivity, sensitivity_lines
from tests.graphs import conv_model

RNG = np.random.default_rng(0)


@given(st.integers(1, 9), st.integers(1, 9), st.floats(0, 0.99))
@settings(max_examples=50, deadline=None)
def test_unstructured_takes_exactly_the_rounded_share_and_the_smallest(outputs: int, inputs: int, share: float) -> None:
    values = RNG.standard_normal((outputs, 3, inputs)).astype(np.float32)
    mask = pattern("unstructured").mask(values, share)  # type: ignore[union-attr]
    assert (~mask).sum() == round(share * values.size)
    if mask.any() and not mask.all():
        assert np.abs(values[~mask]).max() <= np.abs(values[mask]).min()


def test_equal_weights_lose_exactly_the_share_too() -> None:
    """A threshold would take all or none."""
    mask = pattern("unstructured").mask(np.ones((4, 8), np.float32), 0.5)  # type: ignore[union-attr]
    assert mask.sum() == 16


def test_a_mask_grows_and_never_gives_back() -> None:
    """What is zero is smallest at the next, larger ratio."""
    found = pattern("unstructured")
    assert found
    values = RNG.standard_normal((8, 16)).astype(np.float32)
    first = found.mask(values, 0.3)
    second = found.mask(np.where(first, values, 0), 0.6)
    assert not (second & ~first).any()


@pytest.mark.parametrize(("name", "zeros", "group"), [("2:4", 2, 4), ("1:4", 3, 4), ("4:8", 4, 8)])
def test_n_of_m_along_the_inputs(name: str, zeros: int, group: int) -> None:
    values = RNG.standard_normal((6, 3, 16)).astype(np.float32)
    mask = pattern(name).mask(values, zeros / group)  # type: ignore[union-attr]
    assert ((~mask).reshape(-1, group).sum(1) == zeros).all()
    half = pattern(name).mask(values, zeros / group / 2)  # type: ignore[union-attr]
    counts = (~half).reshape(-1, group).sum(1)
    assert set(counts.tolist()) == {0, zeros}
    assert (counts > 0).mean() == 0.5


def test_blocks_are_zero_as_a_whole() -> None:
    values = RNG.standard_normal((8, 2, 12)).astype(np.float32)
    mask = pattern("block_2x4").mask(values, 0.5)  # type: ignore[union-attr]
    blocks = mask.reshape(4, 2, 2, 3, 4).transpose(0, 2, 3, 1, 4).reshape(-1, 8)
    assert set(blocks.sum(1).tolist()) == {0, 8}
    assert mask.mean() == 0.5


@pytest.mark.parametrize(
    ("name", "shape", "why"),
    [("2:4", (8, 3, 3, 3), "3 inputs"), ("block_4x1", (6, 8), "6 outputs"), ("unstructured", (3, 3), None)],
)
def test_what_cannot_have_a_pattern_says_why(name: str, shape: tuple[int, ...], why: str | None) -> None:
    problem = pattern(name).problem(shape)  # type: ignore[union-attr]
    assert (problem is None) if why is None else (problem is not None and why in problem)


@pytest.mark.parametrize("name", ["4:4", "0:4", "2-4", "block_0x4", "magnitude"])
def test_no_pattern(name: str) -> None:
    assert pattern(name) is None


def test_the_ramp_rises_to_its_target_and_stays() -> None:
    shares = [ramp(i / 20, 0.8) for i in range(21)]
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert shares[15:] == [0.8] * 6


def test_clusters_cover_the_range_and_zeros_stay_zero() -> None:
    values = RNG.standard_normal((16, 32)).astype(np.float32)
    values[np.abs(values) < 0.5] = 0
    clusters = find_clusters(values, 16, keep_zeros=True)
    shared = clusters.share(values)
    assert len(np.unique(shared)) <= 16
    assert ((shared == 0) == (values == 0)).all()
    # Nearest centroid: within half of the widest gap that 15 evenly spread centroids would leave.
    assert np.abs(shared - values).max() <= (values.max() - values.min()) / 14


def test_k_means_finds_the_groups_that_are_there() -> None:
    centres = np.array([-2.0, 0.5, 3.0])
    values = (centres[RNG.integers(0, 3, 600)] + RNG.normal(0, 0.01, 600)).astype(np.float32)
    clusters = find_clusters(values, 3, keep_zeros=False)
    assert np.allclose(clusters.centroids(values), centres, atol=0.01)


def test_fewer_values_than_clusters_stay_as_they_are() -> None:
    values = np.array([0.0, 1.0, 1.0, -2.0], np.float32)
    for keep in (False, True):
        assert np.array_equal(find_clusters(values, 16, keep_zeros=keep).share(values), values)


def test_a_step_on_shared_weights_is_the_mean_gradient_on_the_centroid() -> None:
    values = np.repeat(np.array([1.0, -1.0], np.float32), 4)
    clusters = find_clusters(values, 2, keep_zeros=True)
    gradient = RNG.standard_normal(8).astype(np.float32)
    moved = clusters.share(values - 0.1 * gradient)
    expected = values - 0.1 * np.repeat([gradient[:4].mean(), gradient[4:].mean()], 4)
    assert np.allclose(moved, expected, atol=1e-6)


def sensitivity(**costs: float) -> Sensitivity:
    return Sensitivity("x", (0.5, 0.9), 1.0, tuple(Curve(n, (1 - c, 1 - c)) for n, c in costs.items()))


def test_the_budget_is_met_with_the_sensitive_layer_spared() -> None:
    analysis = sensitivity(robust=0.0, tender=0.4)

    def left(ratios: Mapping[str, float]) -> float:
        return 1 - sum(ratios.values()) / 2  # two layers of equal size

    ratios = allocate(analysis, left, 0.6, what="share")
    assert left(ratios) == pytest.approx(0.6, abs=1e-4)
    assert ratios["robust"] == pytest.approx(3 * ratios["tender"], rel=1e-3)
    assert layer_factors(sensitivity(a=0.1, b=0.1)) == {"a": 1.0, "b": 1.0}


def test_a_budget_out_of_reach_says_what_is_in_reach() -> None:
    with pytest.raises(TrainingError, match=r"5\.0% cannot be reached: 90% of every layer .* leaves 10\.0%"):
        allocate(sensitivity(a=0.0), lambda r: 1 - r["a"], 0.05, what="share")


def test_a_lucky_ratio_is_no_lower_cost() -> None:
    analysis = Sensitivity("x", (0.2, 0.5, 0.9), 0.9, (Curve("a", (0.5, 0.95, 0.4)),))
    assert analysis.drops(analysis.curves[0]) == pytest.approx((0.4, 0.4, 0.5))
    lower = Sensitivity("x", (0.5,), 0.1, (Curve("a", (0.3,)),), higher_is_better=False)
    assert lower.drops(lower.curves[0]) == pytest.approx((0.2,))


def test_channels_that_are_joined_are_one_block_and_cost_what_shapes_say() -> None:
    channels = Channels()
    image, wide, same, last = channels.new(3, kept=True), channels.new(8), channels.new(8), channels.new(5, kept=True)
    channels.join(wide, same)
    rng = np.random.default_rng(1)
    weights = [
        Weight(rng.random((3, 8)), (3, 8), {0: image, 1: wide}, 10),
        Weight(rng.random((8, 8)), (8, 8), {0: wide, 1: same}, 10),
        Weight(rng.random((8, 5)), (8, 5), {0: same, 1: last}, 1),
    ]
    (block,) = blocks_of([("a", wide), ("b", same), ("c", last)], weights, channels)
    assert block.layers == ("a", "b")
    assert len(block.channels) == 8
    cost = cost_of(weights, channels, frozenset(block.channels[:2]))
    assert (cost.macs, cost.parameters) == ((18 + 36) * 10 + 30, 18 + 36 + 30)


def test_what_stands_against_sparse_kernels_is_said() -> None:
    artifact = parse_artifact(conv_model())
    obstacles = sparse_kernel_obstacles(artifact)
    assert obstacles[0] == "the file stores weights dense, zeros included"
    assert any("3x3 of stride 1, not 1x1" in why for why in obstacles)
    assert sparse_kernels_in_words(artifact).startswith("predicted: XNNPACK would not use them: ")


def test_sensitivity_is_a_table_with_the_most_tender_layer_first() -> None:
    data = {"of": "channels", "whole": 0.9, "ratios": [0.5], "layers": {"robust": [0.89], "tender": [0.2]}}
    lines = sensitivity_lines(data)
    assert [line.split()[0] for line in lines[1:]] == ["tender", "robust"]
    assert "50%" in lines[0]


def test_a_picture_of_another_kind_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a picture is \.png, \.svg, \.pdf, got `\.gif`"):
        check_drawable(tmp_path / "curves.gif")


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_sensitivity_is_a_picture_or_names_the_extra(tmp_path: Path, suffix: str) -> None:
    data = {"of": "channels", "whole": 0.9, "ratios": [0.5], "layers": {"robust": [0.89], "tender": [0.2]}}
    path = tmp_path / f"curves{suffix}"
    if find_spec("matplotlib") is None:
        with pytest.raises(MissingDependencyError, match=r"drawing the sensitivity needs matplotlib"):
            draw_sensitivity(data, path)
        return
    draw_sensitivity(data, path, metric="accuracy")
    assert path.read_bytes()[:5] in (b"<?xml", b"\x89PNG\r")


@pytest.mark.parametrize("recipe", ["float32", "pruned_structured_30"])
def test_a_picture_of_a_recipe_that_does_not_analyse(tmp_path: Path, recipe: str) -> None:
    from click.testing import CliRunner

    from edge_sdk.cli import cli

    arguments = ["convert", "none.keras", "-o", str(tmp_path / "x.tflite"), "-r", recipe, "--sensitivity", "x.svg"]
    result = CliRunner().invoke(cli, arguments, prog_name="edge-sdk")
    assert result.exit_code == 1
    assert "does not prune by sensitivity" in result.stderr
