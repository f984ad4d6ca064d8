"""What pages are drawn from: memory over time as the planner has it, pictures that another reader reads."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.checks.memory.need import plan_memory
from edge_sdk.checks.timeline import timeline
from edge_sdk.data.png import picture_of, png_bytes
from edge_sdk.report.html.svg import bars, runs, steps
from tests.core.report.html.results import long_model
from tests.graphs import conv_model, padded_pool_model


@pytest.mark.parametrize("data", [conv_model(), padded_pool_model(), long_model(12)], ids=["conv", "pool", "long"])
def test_live_memory_peaks_where_the_planner_says(data: bytes) -> None:
    artifact = parse_artifact(data, path=Path("model.tflite"))
    found, peak = timeline(artifact), plan_memory(artifact).subgraphs[0].peak
    assert peak is not None
    live = [op.live_bytes for op in found.ops]
    assert max(live) == peak.live_bytes == sum(size for _, size in found.peak_alive)
    assert live.index(max(live)) == found.peak_op
    assert max(live) <= found.arena_bytes
    assert [op.name for op in found.ops] == [op.name for op in artifact.main.ops]


@pytest.mark.images
@pytest.mark.parametrize("channels", [1, 3])
def test_another_reader_reads_the_png(channels: int) -> None:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    read = np.asarray(Image.open(io.BytesIO(png_bytes(pixels))))
    assert np.array_equal(read.reshape(pixels.shape), pixels)


def test_a_picture_of_values_goes_from_least_to_largest() -> None:
    values = np.linspace(-1, 3, 300, dtype=np.float32).reshape(1, 10, 10, 3)
    for layout in (values, values.transpose(0, 3, 1, 2)):
        pixels = picture_of(layout, most=72)
        assert pixels is not None
        assert pixels.shape == (10, 10, 3)
        assert (pixels.min(), pixels.max()) == (0, 255)
    assert picture_of(values[:, :, :, :2], most=72) is None
    assert picture_of(np.zeros((1, 16), np.float32), most=72) is None
    tall = picture_of(np.zeros((1, 500, 100, 1), np.float32), most=72)
    assert tall is not None
    assert tall.shape == (72, 15, 1)


def test_shapes_are_where_their_values_say() -> None:
    assert runs([None, 1, 1, None], 0, 10) == "M250 0h499.4v10h-499.4z"
    assert bars([0, 2], 4, 0, 40) == "M500 20h499.2v20h-499.2z"
    assert steps([1, 1, 2], 2, 0, 10) == "M0 5V5H333.3H666.7V0H1000"
