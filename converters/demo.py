"""The main job on real data: a CNN on scikit-learn's digits, in Keras and in PyTorch, to four precisions each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters import convert_all
from edge_sdk.converters.reports.conversion import ConversionReport
from edge_sdk.converters.workers.child import report_progress
from edge_sdk.converters.workers.workshop import Workshop
from edge_sdk.engines.runner import Runner
from edge_sdk.errors import MissingDependencyError
from edge_sdk.progress import Progress

RECIPES = ("float32", "float16", "dynamic_wi8_afp32", "static_wi8_ai8")
_EPOCHS = 12
_CALIBRATION = 200
Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class DemoRow:
    """One file: its accuracy on the test images, and what the conversion reported."""

    model: str
    source_accuracy: float
    accuracy: float
    report: ConversionReport

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "model": self.model,
            "source_test_accuracy": self.source_accuracy,
            "test_accuracy": self.accuracy,
            **self.report.as_json(),
        }


def run_demo(folder: Path, progress: Progress) -> Iterator[DemoRow]:
    """Trains, converts and tests; everything is written to ``folder``.

    Yields:
        A row for each file, after it was proven and written.
    """
    images, labels = _test_set()
    for model in ("keras", "torch"):
        progress.stage(f"train a CNN on digits in {model}")
        with Workshop() as shop:
            trained = shop.worker("train").function(
                f"edge_sdk.converters.demo:train_{model}",
                "training the demo model",
                progress=lambda done: progress.count(done, _EPOCHS),
                folder=str(folder),
            )
        outputs = {recipe: folder / f"digits_{model}_{recipe}.tflite" for recipe in RECIPES}
        arguments: Mapping[str, Any] = {"calibration": trained["calibration"], "data": trained["test"], "samples": 540}
        for report in convert_all(trained["path"], outputs, progress=progress, **arguments):
            accuracy = _accuracy(str(report.output), images, labels)
            yield DemoRow(model, trained["accuracy"], accuracy, report)


def digits() -> tuple[Images, Labels, Images, Labels]:
    """scikit-learn's 1,797 handwritten digits: 1,257 to train, 540 to test, ``(count, 8, 8, 1)`` in [0, 1]."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingDependencyError("scikit-learn", extra="demo", why="the demo") from error
    bunch = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    images = (bunch.images[order, :, :, np.newaxis] / 16.0).astype(np.float32)
    labels = bunch.target[order].astype(np.int64)
    return images[:1257], labels[:1257], images[1257:], labels[1257:]


def train_keras(folder: str) -> dict[str, Any]:
    """Trains the Keras model; runs in a worker."""
    import keras

    keras.utils.set_random_seed(0)
    train_x, train_y, test_x, test_y = digits()
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1), name="image"),
            layers.Conv2D(32, 3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(6.0),
            layers.DepthwiseConv2D(3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(6.0),
            layers.Conv2D(64, 1, activation="relu"),
            layers.Conv2D(96, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(128, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax", name="scores"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    told = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: report_progress(epoch + 1))
    model.fit(train_x, train_y, batch_size=32, epochs=_EPOCHS, verbose=0, callbacks=[told])
    path = Path(folder) / "digits_keras.keras"
    model.save(path)
    accuracy = float((model.predict(test_x, verbose=0).argmax(1) == test_y).mean())
    return {"path": str(path), "accuracy": accuracy, **_save_data(folder, "keras", train_x, test_x)}


def train_torch(folder: str) -> dict[str, Any]:
    """Trains the PyTorch model; runs in a worker."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    train_x, train_y, test_x, test_y = digits()
    train_images, test_images = (torch.from_numpy(x.transpose(0, 3, 1, 2).copy()) for x in (train_x, test_x))
    targets = torch.from_numpy(train_y)
    model = _torch_model(nn)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for epoch in range(_EPOCHS):
        for picks in torch.randperm(len(targets)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(train_images[picks]), targets[picks]).backward()
            optimizer.step()
        report_progress(epoch + 1)
    model.eval()
    with torch.no_grad():
        accuracy = float((model(test_images).argmax(1).numpy() == test_y).mean())
    batch = torch.export.Dim("batch")
    program = torch.export.export(model, (test_images[:2],), dynamic_shapes=({0: batch},))
    path = Path(folder) / "digits_torch.pt2"
    torch.export.save(program, path)
    data = _save_data(folder, "torch", train_images.numpy(), test_images.numpy())
    return {"path": str(path), "accuracy": accuracy, **data}


def _torch_model(nn: Any) -> Any:
    """Convolution, depthwise convolution, residual addition: the usual parts of a phone network."""

    class Digits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(1, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU6())
            self.block = nn.Sequential(
                nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False),
                nn.BatchNorm2d(64),
                nn.ReLU6(),
                nn.Conv2d(64, 64, 1),
            )
            self.down = nn.Sequential(
                nn.ReLU(), nn.Conv2d(64, 96, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(96, 128, 3)
            )
            self.head = nn.Linear(128, 10)

        def forward(self, image: Any) -> Any:
            x = self.stem(image)
            return self.head(self.down(x + self.block(x)).relu().mean((2, 3)))

    return Digits()


def _save_data(folder: str, model: str, train: Images, test: Images) -> dict[str, str]:
    """Calibration and test images in the model's own layout."""
    paths = {part: str(Path(folder) / f"digits_{model}_{part}.npz") for part in ("calibration", "test")}
    np.savez_compressed(paths["calibration"], image=train[:_CALIBRATION])
    np.savez_compressed(paths["test"], image=test)
    return paths


def _test_set() -> tuple[Images, Labels]:
    _, _, images, labels = digits()
    return images, labels


def _accuracy(path: str, images: Images, labels: Labels) -> float:
    """Share of test images whose largest score is the label; the files take (1, 8, 8, 1)."""
    runner = Runner(path)
    name = runner.inputs[0].name
    scores = [next(iter(runner.run_real({name: image[np.newaxis]}).values())) for image in images]
    return float((np.concatenate(scores).argmax(1) == labels).mean())
