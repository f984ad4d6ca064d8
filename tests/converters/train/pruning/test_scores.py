"""By what channels are judged: a channel with large weights that never reaches the loss goes first by gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edge_sdk.converters.sources.source import SourceOptions
from edge_sdk.converters.train.pruning.structure import structure_of
from edge_sdk.converters.train.stage import Batch, Context
from edge_sdk.errors import RecipeError, TrainingError
from edge_sdk.recipe import find_recipe, parse_recipe

_DEAD, _WIDTH = 3, 16
_RECIPE = find_recipe("pruned_structured_30")


def _weights() -> tuple[Any, ...]:
    """Kernels and biases of two dense layers; one channel is ten times the others, and its ReLU never opens."""
    draws = np.random.default_rng(0)
    first, bias = draws.standard_normal((6, _WIDTH)).astype(np.float32), np.zeros(_WIDTH, np.float32)
    first[:, _DEAD] *= 10
    bias[_DEAD] = -1e4
    second = draws.standard_normal((_WIDTH, 3)).astype(np.float32)
    second[_DEAD] *= 10
    return first, bias, second, np.zeros(3, np.float32)


class _Data:
    def epoch(self, number: int) -> Any:
        draws = np.random.default_rng(1)
        for _ in range(3):
            yield Batch({"x": draws.standard_normal((8, 6)).astype(np.float32)}, draws.integers(0, 3, 8))


def _context(framework: Any, *, loss: bool = True) -> Context:
    settings = _RECIPE.train.prune if _RECIPE.train else None
    assert settings is not None
    own = framework.loss("cross_entropy") if loss else None
    return Context(framework, _RECIPE, settings, _Data(), lambda model: 0.0, loss=own)  # type: ignore[arg-type]


def _check(framework: Any) -> None:
    context = _context(framework)
    (block,) = structure_of(context, framework.model).blocks
    assert int(np.argmax(block.scores)) == _DEAD
    (block,) = structure_of(context, framework.model, "taylor").blocks
    assert block.scores[_DEAD] == 0
    assert sorted(block.scores)[1] > 0
    with pytest.raises(TrainingError, match="taylor needs a loss"):
        structure_of(_context(framework, loss=False), framework.model, "taylor")
    # Nothing that its readers see of it is ever there, whatever its weights.
    for score in ("activation", "apoz"):
        (block,) = structure_of(context, framework.model, score).blocks
        assert block.scores[_DEAD] == 0
        assert sorted(block.scores)[1] > 0
    with pytest.raises(TrainingError, match="scale needs batch norms"):
        structure_of(context, framework.model, "scale")


def _check_activity(framework: Any, values: Any) -> None:
    """Against what the second layer is called with, counted here."""
    inputs = np.concatenate([batch.inputs["x"] for batch in _Data().epoch(0)])
    first, bias, *_ = values
    read = np.maximum(inputs @ first + bias, 0)
    for score, expected in (("activation", np.abs(read).mean(0)), ("apoz", (read > 0).mean(0))):
        (block,) = structure_of(_context(framework), framework.model, score).blocks  # type: ignore[arg-type]
        np.testing.assert_allclose(block.scores, expected / expected.mean(), rtol=1e-4)


def _check_slim(framework: Any) -> None:
    """The price draws scales to zero, and the cut goes by them."""
    from edge_sdk.converters.train.pruning.slim import SlimStage
    from edge_sdk.converters.train.stage import StepSettings
    from edge_sdk.recipe.training import Slim

    (block,) = structure_of(_context(framework), framework.model, "scale").blocks
    assert int(np.argmin(block.scores)) == _DEAD
    settings = Slim(strength=1.0)
    loss = framework.loss("cross_entropy")
    stage = SlimStage(Context(framework, _RECIPE, settings, _Data(), lambda model: 0.0, loss=loss))  # type: ignore[arg-type]
    assert stage.check(framework.model) == []
    model = stage.prepare(framework.model)
    stepper = framework.stepper(model, loss, stage, StepSettings("sgd", 0.02, 12))
    for _ in range(4):
        for batch in _Data().epoch(0):
            stepper(batch)
    stage.finish(model)
    told = stage.facts()
    assert told["scales"] == _WIDTH
    assert told["small scales"][0] <= told["small scales"][1]
    before, after = (
        sum(np.abs(v).sum() for n, v in framework.state(m).items() if _is_scale(n, v)) for m in (framework.model, model)
    )
    # 12 steps of 0.02 down a slope of one, the rate falling along a cosine: 0.1 of each scale at least.
    assert after < before - 0.1 * _WIDTH


def _is_scale(name: str, values: Any) -> bool:
    return values.shape == (_WIDTH,) and ("gamma" in name or name == "norm.weight")


@pytest.mark.keras
def test_keras() -> None:
    import keras
    import tensorflow as tf

    from edge_sdk.converters.train.framework_keras import KerasFramework

    layers = keras.layers
    model = keras.Sequential([keras.Input((6,), name="x"), layers.Dense(_WIDTH, activation="relu"), layers.Dense(3)])
    model.set_weights(list(_weights()))
    framework = KerasFramework(model, SourceOptions())
    _check(framework)
    _check_activity(framework, _weights())
    # First order, against the loss itself: one weight moved a little.
    name = next(name for name in framework.state(model) if name.startswith("2:"))
    loss, batches = framework.loss("cross_entropy"), list(_Data().epoch(0))
    gradient = framework.gradients(model, loss, batches)[name][0, 0]
    values = model.get_weights()
    found = []
    for step in (-1e-2, 1e-2):
        moved = [np.array(v) for v in values]
        moved[2][0, 0] += step
        model.set_weights(moved)
        outputs = [framework.call(model, b.inputs, training=False) for b in batches]
        pairs = zip(outputs, batches, strict=True)
        found.append(np.mean([float(loss(o, tf.convert_to_tensor(b.targets))) for o, b in pairs]))
    np.testing.assert_allclose(gradient, (found[1] - found[0]) / 2e-2, rtol=0.02, atol=1e-4)


@pytest.mark.torch
def test_torch() -> None:
    import torch
    from torch import nn

    from edge_sdk.converters.train.framework_torch import TorchFramework

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(6, _WIDTH), nn.Linear(_WIDTH, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(torch.relu(self.first(x)))

    model = Net()
    with torch.no_grad():
        own = (model.first.weight, model.first.bias, model.last.weight, model.last.bias)
        for parameter, values in zip(own, _weights(), strict=True):
            parameter.copy_(torch.from_numpy(values.T.copy()))
    _check(TorchFramework((model.eval(), {"x": torch.zeros(1, 6)}), SourceOptions()))
    assert all(parameter.grad is None for parameter in model.parameters())
    _check_activity(TorchFramework((model.eval(), {"x": torch.zeros(1, 6)}), SourceOptions()), _weights())


@pytest.mark.keras
def test_scales_in_keras() -> None:
    import keras

    from edge_sdk.converters.train.framework_keras import KerasFramework

    layers = keras.layers
    norm = layers.BatchNormalization(name="norm")
    model = keras.Sequential([keras.Input((6,), name="x"), layers.Dense(_WIDTH), norm, layers.ReLU(), layers.Dense(3)])
    norm.gamma.assign(np.where(np.arange(_WIDTH) == _DEAD, 0.01, 1.0))
    _check_slim(KerasFramework(model, SourceOptions()))


@pytest.mark.torch
def test_scales_in_torch() -> None:
    import torch
    from torch import nn

    from edge_sdk.converters.train.framework_torch import TorchFramework

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.norm, self.last = nn.Linear(6, _WIDTH), nn.BatchNorm1d(_WIDTH), nn.Linear(_WIDTH, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(torch.relu(self.norm(self.first(x))))

    model = Net()
    with torch.no_grad():
        model.norm.weight[_DEAD] = 0.01
    _check_slim(TorchFramework((model.eval(), {"x": torch.zeros(1, 6)}), SourceOptions()))


@pytest.mark.torch
def test_what_nothing_tells_of_is_an_error_with_its_names() -> None:
    import torch
    from torch import nn

    from edge_sdk.converters.train.framework_torch import TorchFramework
    from edge_sdk.converters.train.pruning.prune_channels import ChannelStage

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.norm = nn.Linear(6, _WIDTH), nn.BatchNorm1d(_WIDTH)
            self.middle, self.last = nn.Linear(_WIDTH, _WIDTH), nn.Linear(_WIDTH, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(torch.relu(self.middle(torch.relu(self.norm(self.first(x))))))

    framework = TorchFramework((Net().eval(), {"x": torch.zeros(1, 6)}), SourceOptions())
    context = _context(framework)
    wanted = replace(context, settings=replace(context.settings, score="scale"))  # type: ignore[call-arg]
    with pytest.raises(TrainingError, match=r"score = scale: nothing of middle has a batch norm"):
        ChannelStage(wanted).check(framework.model)
    excluded = replace(context, settings=replace(context.settings, score="scale", exclude=("^middle$",)))  # type: ignore[call-arg]
    assert ChannelStage(excluded).check(framework.model) == []


def test_scores_are_of_channels() -> None:
    text = 'description = "x"\nmode = "float"\n[train.prune]\npattern = "2:4"\nscore = "taylor"\n'
    with pytest.raises(RecipeError, match="score: taylor is for pattern structured"):
        parse_recipe("own", text, where="own")
