"""Equalized channels: the float file computes what it did, and the two layers' ranges are alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.quantize.weights.equalizing import equalized
from edge_sdk.runtime import Runner
from tests.graphs import conv_model, padded_pool_model

pytestmark = pytest.mark.runtime


def spoiled() -> bytes:
    """``conv_model`` with each channel of its convolution scaled, and scaled back in the layer behind it."""
    factor = np.array([1, 10, 100, 1000], np.float32)
    data = conv_model()
    root, _ = parse_tree(data)
    changes: dict[str, Any] = {"kernel": factor.reshape(-1, 1, 1, 1), "bias": factor, "weights": 1 / factor}
    for tensor in parse_artifact(data).main.tensors:
        if tensor.name in changes:
            values = (tensor.values() * changes[tensor.name]).astype(np.float32)
            root.buffers[tensor.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
    return pack_tree(root)


def constants(data: bytes) -> dict[str, Any]:
    return {t.name: t.values() for t in parse_artifact(data).main.tensors if t.constant is not None}


def scores(path: Path, data: bytes, image: Any) -> Any:
    path.write_bytes(data)
    return Runner(path).run({"image": image})["scores"]


def test_ranges_become_alike_and_results_stay(tmp_path: Path) -> None:
    data = spoiled()
    made, count = equalized(data)
    assert count == 1
    values = constants(made)
    np.testing.assert_allclose(
        np.abs(values["kernel"]).max(axis=(1, 2, 3)), np.abs(values["weights"]).max(axis=0), rtol=0.05
    )
    image = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype(np.float32)
    before, after = scores(tmp_path / "a.tflite", data, image), scores(tmp_path / "b.tflite", made, image)
    # 27 products, 64 values of a mean and 4 products more, each rounded to 24 bits.
    np.testing.assert_allclose(after, before, atol=100 * 2**-24 * np.abs(before).max())


def test_no_factor_passes_an_output_or_a_pad_of_another_value() -> None:
    data = padded_pool_model()
    same, count = equalized(data)
    assert count == 0
    assert same is data
