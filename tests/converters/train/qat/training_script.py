"""Quantization-aware training of one framework, run as a program: prints what it saw as one JSON object.

In a process of its own, for TensorFlow and PyTorch warn where pytest makes warnings errors.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk import Workers, convert
from edge_sdk.converters.train import train
from edge_sdk.errors import EdgeSdkError
from edge_sdk.runtime import Runner

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(96, 8, 8, 2)).astype(np.float32)
LABELS = (IMAGES[:, :4].mean((1, 2, 3)) > IMAGES[:, 4:].mean((1, 2, 3))).astype(np.int64)


def keras_net(keras: Any) -> Any:
    """Conv, BatchNorm, depthwise, residual, concatenation, squeeze-excite, nested model, attention and softmax."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = layers.Input((8, 8, 2), name="image")
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    y = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Add()([x, y])
    squeezed = layers.Dense(8, activation="sigmoid")(layers.GlobalAveragePooling2D()(x))
    x = layers.Multiply()([x, layers.Reshape((1, 1, 8))(squeezed)])
    up = layers.UpSampling2D(2, interpolation="bilinear")(layers.AveragePooling2D(2)(x))
    x = layers.Concatenate()([x, up])
    inner_in = layers.Input((8, 8, 16))
    inner = keras.Model(inner_in, layers.Conv2D(8, 1, activation="relu")(inner_in), name="inner")
    x = layers.Reshape((8, 64))(inner(x))
    x = layers.MultiHeadAttention(2, 4)(x, x)
    x = layers.Dense(2)(layers.Flatten()(x))
    return keras.Model(image, layers.Softmax(name="probabilities")(x))


def keras_lstm(keras: Any) -> Any:
    """An LSTM over rows."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = layers.Input((8, 8, 2), name="image")
    x = layers.LSTM(6)(layers.Reshape((8, 16))(image))
    return keras.Model(image, layers.Dense(2, name="scores")(x))


def torch_net() -> Any:
    """Conv-BatchNorm-ReLU6, depthwise, residual, transposed convolution, squeeze-excite, linear."""
    import torch
    from torch import nn

    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(2, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
            self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
            self.gate = nn.Conv2d(8, 8, 1)
            self.up = nn.ConvTranspose2d(8, 4, 2, 2)
            self.head = nn.Linear(8 + 4, 2)

        def forward(self, image: Any) -> Any:
            x = self.stem(image)
            x = x + self.depthwise(x)
            x = x * torch.sigmoid(self.gate(x.mean([2, 3], keepdim=True)))
            up = self.up(nn.functional.max_pool2d(x, 2))
            return self.head(torch.cat([x, up], 1).mean([2, 3]))

    return Net().eval()


def torch_sequence() -> Any:
    """A GRU and attention."""
    import torch
    from torch import nn

    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(16, 8, batch_first=True)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.head = nn.Linear(8, 2)

        def forward(self, image: Any) -> Any:
            x, _ = self.gru(image.permute(0, 2, 3, 1).reshape(-1, 8, 16))
            x, _ = self.attention(x, x, x, need_weights=False)
            return self.head(x.mean(1))

    return Net().eval()


def case(kind: str, which: str) -> tuple[Any, dict[str, Any], str]:
    """The source, its training data, and the loss."""
    if kind != "torch":
        keras = __import__(kind)
        model = keras_net(keras) if which == "net" else keras_lstm(keras)
        loss = "cross_entropy_probabilities" if which == "net" else "cross_entropy"
        return model, {"image": IMAGES, "labels": LABELS}, loss
    import torch

    moved = IMAGES.transpose(0, 3, 1, 2).copy()
    model = torch_net() if which == "net" else torch_sequence()
    return (model, {"image": torch.from_numpy(moved[:1])}), {"image": moved, "labels": LABELS}, "cross_entropy"


def weights(source: Any) -> Any:
    """To see that the caller's model is left as it is."""
    if isinstance(source, tuple):
        return [value.clone().numpy() for value in source[0].state_dict().values()]
    return source.get_weights()


def trained(kind: str, which: str, folder: Path, workers: Any) -> dict[str, Any]:
    """One model trained and converted."""
    source, data, loss = case(kind, which)
    before = weights(source)
    made = train(
        source, data, recipe="qat", loss=loss, epochs=2, batch_size=16, measure=False, options={"workers": workers}
    )
    (row,) = made.model.agreement
    path = folder / f"{kind}_{which}.tflite"
    report = convert(
        made.convertible,
        path,
        recipe="qat",
        forms="plain",
        data={"image": data["image"]},
        samples=64,
        workers=workers,
        timing=False,
        min_sqnr_db=30.0,
    )
    scales = {
        tensor.name: [tensor.quantization.scale[0], tensor.quantization.zero_point[0]]
        for tensor in Runner(path).artifact.main.tensors
        if tensor.name in made.ranges and tensor.quantization
    }
    return {
        "within_one": row.within_one,
        "largest": row.largest,
        "verified": report.verified,
        "ops": dict(report.summary.ops),
        "losses": made.report.stages[0].losses,
        "facts": dict(made.report.stages[0].facts),
        "untouched": all(np.array_equal(a, b) for a, b in zip(before, weights(source), strict=True)),
        "scales_as_learned": all(scales[n] == list(made.ranges[n]) for n in scales) and len(scales) > 5,
        "inputs": [spec.name for spec in Runner(path).inputs],
    }


def refused(kind: str, workers: Any) -> dict[str, str]:
    """What is refused before anything is trained."""
    source, data, loss = case(kind, "net")
    wrong = {"cross_entropy": "cross_entropy_probabilities", "cross_entropy_probabilities": "cross_entropy"}[loss]
    asked: dict[str, Any] = {
        "loss": {"loss": wrong},
        "no loss": {},
        "two losses": {"loss": loss, "fit": lambda model, data, hooks: None},
        "unknown loss": {"loss": "cross_entropie"},
    }
    found = {}
    for name, options in asked.items():
        try:
            train(source, data, recipe="qat", measure=False, options={"workers": workers}, **options)
        except EdgeSdkError as error:
            found[name] = f"{type(error).__name__}: {error}"
    for name, changed in (("shape", {**data, "image": data["image"][:, :1]}), ("targets", {"image": data["image"]})):
        try:
            train(source, changed, recipe="qat", loss=loss, measure=False)
        except EdgeSdkError as error:
            found[name] = f"{type(error).__name__}: {error}"
    return found


def own_loop(kind: str, workers: Any) -> dict[str, Any]:
    """The user's own loop trains the stand-in, with some ops left in float."""
    from dataclasses import replace

    from edge_sdk.recipe import KeepFloat, find_recipe

    source, data, _ = case(kind, "net")
    recipe = replace(find_recipe("qat"), keep_float=KeepFloat(ops=("LOGISTIC",)))
    fit = torch_fit if kind == "torch" else keras_fit
    made = train(source, data, recipe=recipe, fit=fit, metric="accuracy", measure=False, options={"workers": workers})
    (row,) = made.model.agreement
    facts = made.report.stages[0].facts
    return {
        "within_one": row.within_one,
        "largest": row.largest,
        "facts": dict(facts),
        "epochs": made.report.stages[0].epochs,
    }


def torch_fit(model: Any, data: Any, hooks: Any) -> None:
    """A loop as users write it."""
    import torch

    optimizer = torch.optim.SGD(model.parameters(), 1e-2)
    model.train()
    for batch in data.epoch(0):
        hooks.before_step()
        optimizer.zero_grad()
        scores = model(torch.from_numpy(batch.inputs["image"]))
        torch.nn.functional.cross_entropy(scores, torch.from_numpy(batch.targets)).backward()
        optimizer.step()
        hooks.after_step()


def keras_fit(model: Any, data: Any, hooks: Any) -> None:
    """compile() and fit()."""
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(data.inputs["image"], data.targets, batch_size=32, epochs=1, verbose=0)


def main() -> None:
    """Everything for one framework."""
    kind = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder, Workers() as workers:
        models = {which: trained(kind, which, Path(folder), workers) for which in sys.argv[2].split(",")}
        found = {"models": models, "refused": refused(kind, workers), "own": own_loop(kind, workers)}
    print(json.dumps(found, default=str))


if __name__ == "__main__":
    main()
