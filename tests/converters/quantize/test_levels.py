"""Inputs with few levels, as pictures have: int8 holds them exactly, whatever the other ranges are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.converters.quantize.ranging.clipping import rounded
from edge_sdk.converters.quantize.ranging.levels import Levels, grid_ends
from tests.graphs import Graph, options

BYTES = np.arange(256, dtype=np.float32)


def pixels(low: int, high: int) -> npt.NDArray[np.float32]:
    """Bytes of a picture that does not use all of them."""
    return BYTES[low : high + 1]


@pytest.mark.parametrize(
    "values",
    [
        pixels(0, 255),
        pixels(0, 200),
        pixels(3, 200) / np.float32(255),
        (pixels(10, 240) - 127) / np.float32(128),
        (pixels(0, 255) - 128) / np.float32(128),
        -pixels(0, 99)[::-1] * np.float32(0.3),
        np.delete((pixels(10, 240) - 120) / np.float32(58.4), [3, 77, 78]),
    ],
    ids=["bytes", "dark", "unit", "lite", "signed", "below", "gaps"],
)
def test_every_level_is_held_exactly(values: npt.NDArray[np.float32]) -> None:
    ends = grid_ends(values)
    assert ends is not None
    assert ends[0] <= values[0] + 1e-6
    assert values[-1] <= ends[1] + 1e-6
    step = (ends[1] - ends[0]) / 255
    # Float32's last place, and no step of the grid.
    assert np.max(np.abs(rounded(values, ends) - values)) < 1e-4 * step


@pytest.mark.parametrize(
    "values",
    [
        (pixels(0, 255) - np.float32(127.5)) / np.float32(127.5),
        np.sort(np.random.default_rng(0).standard_normal(200)).astype(np.float32),
        pixels(0, 20),
        np.concatenate([BYTES[100:], BYTES[-1] + 256 + BYTES[:10]]),
        np.append(pixels(0, 100), np.float32(np.inf)),
    ],
    ids=["zero between two", "continuous", "few", "too wide", "infinite"],
)
def test_others_have_no_grid(values: npt.NDArray[np.float32]) -> None:
    assert grid_ends(values) is None


def test_one_value_more_than_there_are_levels_ends_the_looking() -> None:
    levels = Levels()
    samples = [{"x": BYTES, "y": BYTES}, {"x": np.array([0.5], np.float32), "y": BYTES[:9]}]
    assert [sample["x"].size for sample in levels.watched(samples)] == [256, 1]
    assert list(levels.ends()) == ["y"]
    assert levels.ends()["y"] == pytest.approx((0.0, 255.0))


@pytest.mark.runtime
def test_range_of_an_input_is_its_grid_and_of_what_is_padded_too(tmp_path: Path) -> None:
    from edge_sdk.converters.quantize.ranging.ranges import find_ranges
    from edge_sdk.converters.quantize.ranging.readers import Group, reading_costs

    graph = Graph()
    x, padded, y = (graph.tensor(name, (1, side, side, 3)) for name, side in (("x", 16), ("p", 18), ("y", 18)))
    pads = graph.constant("pads", np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))
    graph.op("PAD", (x, pads), (padded,), options("PadOptions"))
    half = graph.constant("half", np.full((1, 1, 1, 1), 0.37, np.float32))
    graph.op("MUL", (padded, half), (y,), options("MulOptions"))
    path = tmp_path / "f.tflite"
    path.write_bytes(graph.finish((x,), (y,)))
    rng = np.random.default_rng(0)
    drawn = [(rng.integers(10, 240, (1, 16, 16, 3)) - 127).astype(np.float32) / 128 for _ in range(3)]
    found = find_ranges(str(path), lambda: ({"x": one} for one in drawn))
    names = {one.tensor: one for one in found.chosen}
    assert (names["x"].method, names["p"].method) == ("levels", "levels")
    assert (names["x"].maximum - names["x"].minimum) * 128 == pytest.approx(255)
    assert names["x"].minimum == names["p"].minimum
    assert names["y"].method != "levels"
    # The first group has the number 0, and is tried by what reads it as any other.
    inputs, trials = {"x": drawn[0]}, ({0: (-1.0, 1.0)}, {0: (-0.1, 0.1)})
    (costs,) = reading_costs(str(path), [inputs], [Group((0,), trials)])
    assert costs is not None
    assert costs[0] < costs[1]
    plain = find_ranges(str(path), lambda: ({"x": one} for one in drawn), "minmax")
    assert {one.method for one in plain.chosen} == {"minmax"}
    assert parse_artifact(found.data).main.ops
