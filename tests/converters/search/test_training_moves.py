"""``optimize`` with training data: the trained file is proven, made again by ``convert``, and gone on with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_sdk
from edge_sdk.errors import RecipeError, TrainingError

pytestmark = [pytest.mark.keras, pytest.mark.runtime]

_SIDE, _CLASSES = 6, 4


def _model(path: Path) -> Path:
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((_SIDE, _SIDE, 1), name="x"), layers.Conv2D(32, 3, activation="relu"), layers.Flatten(),
         layers.Dense(_CLASSES, name="y")]
    )  # fmt: skip
    model.save(path)
    return path


def _data(path: Path, seed: int, count: int) -> Path:
    """Images with a bright quarter, which is their class."""
    draws = np.random.default_rng(seed)
    labels = draws.integers(0, _CLASSES, count)
    images = draws.normal(0, 0.3, (count, _SIDE, _SIDE, 1)).astype(np.float32)
    for image, label in zip(images, labels, strict=True):
        image[3 * (label // 2) : 3 * (label // 2) + 3, 3 * (label % 2) : 3 * (label % 2) + 3] += 1
    np.savez(path, x=images, labels=labels)
    return path


@pytest.mark.slow
def test_a_trained_file_is_the_answer_made_again_and_gone_on_with(tmp_path: Path) -> None:
    source, folder = _model(tmp_path / "m.keras"), tmp_path / "out"
    training: dict[str, Any] = {"train_data": _data(tmp_path / "t.npz", 0, 200), "loss": "cross_entropy", "epochs": 6}
    told = {"evaluation": _data(tmp_path / "v.npz", 1, 120), "moves": ("prune",), "timing": False, **training}
    # The source is not trained at all: what learns is better than it by far.
    result = edge_sdk.optimize(source, folder, budgets=edge_sdk.Budgets(max_size_mib=1), **told)
    best = result.best
    assert best is not None
    assert best.recipe.train is not None
    assert best.score is not None
    assert best.score.drop.high is not None
    assert best.score.drop.high < 0
    assert best.file is not None
    assert best.file.int8_macs == 1

    held = (folder / "best.tflite").read_bytes()
    again = tmp_path / "again.tflite"
    edge_sdk.convert(
        source,
        again,
        recipe=folder / "recipe.toml",
        calibration=folder / "calibration.npz",
        timing=False,
        **{name: training[name] for name in ("train_data", "loss")},
    )
    assert again.read_bytes() == held
    told_so = (folder / "recipe.toml").read_text()
    assert "--train-data" in told_so
    assert "--loss cross_entropy" in told_so

    resumed = edge_sdk.optimize(source, folder, budgets=edge_sdk.Budgets(max_size_mib=1), resume=True, **told)
    assert resumed.samples_run == 0
    assert resumed.best is not None
    assert resumed.best.as_json() == best.as_json()
    assert json.loads((folder / "front.json").read_text())["chosen"] == best.order


def test_what_training_needs_is_asked_before_anything_is_made(tmp_path: Path) -> None:
    source, data = tmp_path / "m.onnx", tmp_path / "absent.npz"
    source.write_bytes(b"never read")
    with pytest.raises(TrainingError, match="needs one of loss, train_step, fit, got none"):
        edge_sdk.optimize(source, tmp_path / "a", evaluation=data, train_data=data)
    with pytest.raises(TrainingError, match="onnx source cannot be trained"):
        edge_sdk.optimize(source, tmp_path / "b", evaluation=data, train_data=data, loss="mse")
    with pytest.raises(TrainingError, match="epochs was given, and nothing to train on"):
        edge_sdk.optimize(source, tmp_path / "c", evaluation=data, epochs=3)
    with pytest.raises(RecipeError, match="unknown move"):
        edge_sdk.optimize(source, tmp_path / "d", evaluation=data, moves=("quant",))
