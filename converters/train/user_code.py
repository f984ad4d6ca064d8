"""What of the user's own code takes part in training: a loss, a step, a whole loop, a metric."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edge_sdk.converters.train.stage import Batch, Batches, Framework, Moment, Stage, State
from edge_sdk.data.functions import load_function
from edge_sdk.errors import TrainingError


class Hooks:
    """What a user's own loop calls: ``before_step()`` and ``after_step()`` around each step of its optimizer.

    Attributes:
        epochs: what the recipe asks for.
        steps: batches in an epoch.
    """

    def __init__(self, stage: Stage, model: Any, data: Batches, epochs: int) -> None:
        self._stage, self._model, self._done = stage, model, 0
        self.epochs, self.steps = epochs, data.steps

    def before_step(self) -> None:
        """Call it before each step."""
        self._stage.before_step(self._model, self._moment())

    def after_step(self) -> None:
        """Call it after each step: pruned weights are set to zero again here."""
        self._stage.after_step(self._model, self._moment())
        self._done += 1

    def loss(self, loss: Any, inputs: Any, targets: Any, outputs: Any) -> Any:
        """The loss with the stage's own part (distillation)."""
        return self._stage.loss(loss, Batch(inputs, targets), outputs)

    def _moment(self) -> Moment:
        return Moment(self._done, max(1, self.epochs * self.steps))


class UserStepper:
    """A user's ``train_step(model, batch)``: the optimizer and its state are its own."""

    def __init__(self, model: Any, step: Callable[[Any, Any], Any]) -> None:
        self._model, self._function = model, step

    def __call__(self, batch: Batch) -> float:
        """One step of the user's; returns its loss."""
        return float(self._function(self._model, batch))

    def state(self) -> State:
        """None: it is the user's."""
        return {}

    def load_state(self, state: Any) -> None:
        """Nothing."""


def user_function(given: Any, what: str) -> Any:
    """A function as it is, or ``file.py:function`` loaded; None stays None.

    Raises:
        TrainingError: not callable, or the file fails to import.
    """
    if given is None or (callable(given) and not isinstance(given, str)):
        return given
    if isinstance(given, str):
        return load_function(given, error=TrainingError)
    raise TrainingError(f"{what} is a {type(given).__name__}, not a function")


def check_outputs(loss: str, framework: Framework, batch: Batch) -> None:
    """A common loss against what the model really gives.

    Raises:
        TrainingError: the data has no targets, or a loss of logits was asked for probabilities, or the other way.
    """
    if batch.targets is None:
        raise TrainingError(f"loss {loss} needs targets, and the training data has none")
    outputs = framework.predict(framework.model, batch.inputs)
    for name, values in outputs.items():
        sums = values.sum(axis=framework.class_axis)
        probabilities = values.shape[-1] > 1 and values.min() >= 0 and bool(np.allclose(sums, 1, atol=1e-3))
        if loss == "cross_entropy" and probabilities:
            raise TrainingError(
                f"output `{name}` holds probabilities, and loss cross_entropy takes logits",
                hint="use cross_entropy_probabilities",
            )
        if loss == "cross_entropy_probabilities" and not probabilities:
            raise TrainingError(
                f"output `{name}` does not sum to one over the classes, and loss {loss} takes probabilities",
                hint="use cross_entropy",
            )
