"""Quantization-aware training: what plain int8 loses, what training gives back, and what it costs."""

from __future__ import annotations

import importlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models import hard
from edge_sdk.converters import Workers, convert
from edge_sdk.converters.sources.source import SourceOptions
from edge_sdk.converters.train import PlainStage, train
from edge_sdk.converters.train.data import ArrayBatches
from edge_sdk.converters.train.frameworks import open_framework
from edge_sdk.converters.train.metrics import find_metric
from edge_sdk.converters.train.stage import Context, StepSettings
from edge_sdk.converters.train.training import evaluate
from edge_sdk.recipe import find_recipe
from edge_sdk.runtime import Runner

FRAMEWORKS = ("keras", "tf_keras", "torch")
EPOCHS, RATE, BATCH = 20, 3e-3, 32
_FLOAT_EPOCHS = {"digits": 30, "blobs": 12}
_ROUNDS = 5


def rows(seeds: int, only: str | None = None) -> Iterator[dict[str, Any]]:
    """One for each data set and framework: every seed's figures, and the worst."""
    with Workers() as workers:
        for data in hard.DATA:
            for framework in FRAMEWORKS:
                if only in (None, f"{data}-{framework}"):
                    runs = [_run(data, framework, seed, workers) for seed in range(seeds)]
                    yield {"data": data, "framework": framework, "runs": runs, "worst": _worst(runs)}


def _worst(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "int8_loss_points": min(run["int8_loss_points"] for run in runs),
        "qat_loss_points": max(run["qat_loss_points"] for run in runs),
        "within_one_lsb": min(run["within_one_lsb"] for run in runs),
        "largest_lsb": max(run["largest_lsb"] for run in runs),
        "epoch_ratio": max(run["epoch_ratio"] for run in runs),
    }


def _run(data_name: str, framework: str, seed: int, workers: Workers) -> dict[str, Any]:
    data = hard.DATA[data_name](seed)
    source, name, laid = _source(framework, data, seed, _FLOAT_EPOCHS[data_name])
    images, labels, test_images, test_labels = laid
    with tempfile.TemporaryDirectory() as folder:
        plain, trained_file = Path(folder) / "int8.tflite", Path(folder) / "qat.tflite"
        calibration = {name: images[:256]}
        options: dict[str, Any] = {"timing": False, "workers": workers, "keep_unverified": True}
        convert(source, plain, recipe="int8", calibration=calibration, **options)
        trained = train(
            source,
            {name: images, "labels": labels},
            recipe="qat",
            loss="cross_entropy",
            epochs=EPOCHS,
            learning_rate=RATE,
            batch_size=BATCH,
            seed=seed,
            measure=False,
            options={"workers": workers},
        )
        convert(trained.convertible, trained_file, recipe=trained.recipe, data=calibration, **options)
        int8 = _accuracy(plain, data[2], data[3])
        qat = _accuracy(trained_file, data[2], data[3])
    float_accuracy = _float_accuracy(source, {name: test_images}, test_labels)
    (row,) = trained.model.agreement
    return {
        "seed": seed,
        "float": round(float_accuracy, 4),
        "int8": round(int8, 4),
        "qat": round(qat, 4),
        "int8_loss_points": round(100 * (float_accuracy - int8), 2),
        "qat_loss_points": round(100 * (float_accuracy - qat), 2),
        "within_one_lsb": round(row.within_one, 5),
        "largest_lsb": row.largest,
        "epoch_ratio": round(_epoch_ratio(source, trained.model, {name: images}, labels), 2),
    }


def _source(framework: str, data: hard.Data, seed: int, epochs: int) -> tuple[Any, str, hard.Data]:
    """The model, the name of its input, and the data in its layout."""
    if framework != "torch":
        keras = importlib.import_module(framework)
        return hard.keras_model(keras, data, seed, epochs=epochs), "image", data
    import torch

    images, labels, test_images, test_labels = data
    moved = images.transpose(0, 3, 1, 2).copy(), labels, test_images.transpose(0, 3, 1, 2).copy(), test_labels
    model = hard.torch_model(data, seed, epochs=epochs)
    return (model, torch.from_numpy(moved[0][:1])), "input", moved


def _float_accuracy(source: Any, inputs: dict[str, Any], labels: Any) -> float:
    framework = open_framework(source, SourceOptions())
    metric = find_metric("accuracy", loss=None, class_axis=framework.class_axis)
    return evaluate(framework, framework.model, ArrayBatches("", inputs, labels, 256, 0), metric)


def _accuracy(path: Path, images: Any, labels: Any) -> float:
    """Of the file itself, in the interpreter."""
    runner = Runner(path)
    (spec,) = runner.inputs
    right = 0
    for image, label in zip(images, labels, strict=True):
        (scores,) = runner.run_real({spec.name: image.reshape(spec.static_shape)}).values()
        right += int(scores.argmax()) == int(label)
    return right / len(labels)


def _epoch_ratio(source: Any, engine: Any, inputs: dict[str, Any], labels: Any) -> float:
    """Time of a training epoch with rounding to one of the float source, both in the shared step, taken in turn."""
    framework = open_framework(source, SourceOptions())
    batches = ArrayBatches("", inputs, labels, BATCH, 0)
    recipe = find_recipe("qat")
    stage = PlainStage(Context(framework, recipe, recipe.train.stages["qat"], batches, lambda model: 0.0))  # type: ignore[union-attr]
    settings = StepSettings("adam", 1e-6, 10_000)
    copies = (framework.copy(framework.model), engine)
    steppers = [framework.stepper(model, framework.loss("cross_entropy"), stage, settings) for model in copies]
    times: list[list[float]] = []
    for number in range(_ROUNDS + 1):
        times.append([])
        for stepper in steppers:
            begin = time.perf_counter()
            for batch in batches.epoch(number):
                stepper(batch)
            times[-1].append(time.perf_counter() - begin)
    return float(np.median([rounded / plain for plain, rounded in times[1:]]))
