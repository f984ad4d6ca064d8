"""What a stage of training is, and what it is told.

A stage is one class for each framework, in a file ``<stage>_<framework>.py``, and a line in :data:`STAGES`. A run::

    stage.check(model)          what it cannot do, all of it, before anything is trained
    model = stage.prepare(model)
    for each step:
        stage.before_step(model, moment)
        loss = stage.loss(loss, batch, outputs)     while the gradient is taped or traced
        stage.after_step(model, moment)
    model = stage.finish(model)

A later stage gets the model that the one before left; it must itself keep what that one won (zeros, shared values).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edge_sdk.findings import Finding
from edge_sdk.progress import Progress, Silent
from edge_sdk.recipe import Recipe
from edge_sdk.recipe.training import StageSettings
from edge_sdk.signature import Arrays, TensorSpec

_FLOOR = 0.01
State = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Batch:
    """Some samples along the first axis: tensors of the framework, or numpy arrays outside of a step.

    Attributes:
        inputs: by the source model's input names, in its layout.
        targets: one array, a dict by output name, or None for data without targets.
    """

    inputs: dict[str, Any]
    targets: Any


@dataclass(frozen=True)
class Moment:
    """Where in its run a stage is: steps done, and of how many."""

    step: int
    steps: int

    @property
    def share(self) -> float:
        """From 0 before the first step to 1 after the last."""
        return self.step / max(1, self.steps)


class Batches(Protocol):
    """Training data that can be gone through again and again."""

    @property
    def description(self) -> str:
        """Where they come from."""
        ...

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        ...

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of one epoch, as numpy arrays, in an order that the seed and the number give."""
        ...


class Framework(Protocol):
    """What training needs of Keras or PyTorch; see ``framework_keras.py`` and ``framework_torch.py``.

    ``model`` is the source model; ``inputs`` (with a batch of 1) and ``outputs`` are its own and hold for what stages
    make of it. ``class_axis`` is where scores of classes lie.
    """

    name: str
    class_axis: int
    model: Any
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[str, ...]

    def copy(self, model: Any) -> Any:
        """A model with weights of its own."""
        ...

    def call(self, model: Any, inputs: Mapping[str, Any], *, training: bool) -> dict[str, Any]:
        """Runs tensors by input name, with a gradient where one is taped; returns outputs by name."""
        ...

    def predict(self, model: Any, inputs: Mapping[str, npt.NDArray[Any]]) -> Arrays:
        """Runs a batch of numpy arrays without training behaviour."""
        ...

    def state(self, model: Any) -> State:
        """Copies of all weights and other variables by name."""
        ...

    def load_state(self, model: Any, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Puts back what :meth:`state` gave.

        Raises:
            CheckpointError: other names or shapes.
        """
        ...

    def stepper(
        self, model: Any, loss: Callable[[dict[str, Any], Any], Any], stage: Stage, settings: StepSettings
    ) -> Stepper:
        """Makes what trains one batch at a time."""
        ...

    def gradients(
        self, model: Any, loss: Callable[[dict[str, Any], Any], Any], batches: Iterable[Batch]
    ) -> dict[str, npt.NDArray[Any]]:
        """The mean gradient of a loss over batches, by the names of weights in :meth:`state`; nothing is changed."""
        ...

    def convertible(self, model: Any) -> object:
        """The trained model as ``edge_sdk.convert`` takes it."""
        ...


@dataclass(frozen=True)
class StepSettings:
    """How a step changes the weights."""

    optimizer: str
    learning_rate: float
    steps: int

    def rate(self, step: int) -> float:
        """The learning rate at a step: along a cosine from the first value down to a hundredth of it."""
        share = min(1.0, step / max(1, self.steps))
        return self.learning_rate * (_FLOOR + (1 - _FLOOR) * 0.5 * (1 + math.cos(math.pi * share)))


class Stepper(Protocol):
    """One step of the optimizer, and the optimizer's own state."""

    def __call__(self, batch: Batch) -> float:
        """Trains one batch; returns the loss before the step."""
        ...

    def state(self) -> State:
        """For a checkpoint."""
        ...

    def load_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Puts it back."""
        ...


@dataclass(frozen=True)
class Context:
    """What a stage is told when it is made.

    Attributes:
        framework: Keras or PyTorch.
        recipe: the whole recipe.
        settings: the stage's own table in it.
        data: training data.
        evaluate: the user's metric of a model of this framework on the evaluation data.
        higher_is_better: of that metric.
        source_options: keyword arguments of ``edge_sdk.convert`` that say how to open and lower the source.
        teacher: for distillation: another model of the same framework; None for the source model itself.
        seed: of all random choices.
        progress: hears how far the work is.
        loss: of (outputs by name, targets); None where the user trains by a step or loop of his own.
    """

    framework: Framework
    recipe: Recipe
    settings: StageSettings
    data: Batches
    evaluate: Callable[[Any], float]
    higher_is_better: bool = True
    source_options: Mapping[str, Any] = field(default_factory=dict)
    teacher: Any = None
    seed: int = 0
    progress: Progress = field(default_factory=Silent)
    loss: Callable[[dict[str, Any], Any], Any] | None = None


class Stage(Protocol):
    """See the head of this file. Derive from :class:`PlainStage` and write what differs."""

    name: str

    def check(self, model: Any) -> list[Finding]:
        """What the stage cannot do to this model, all of it; before any stage is trained."""
        ...

    def prepare(self, model: Any) -> Any:
        """The model to train: a copy (``framework.copy``) or another that takes and gives the same.

        The model that comes in is left as it is: it may be the caller's, or a teacher.
        """
        ...

    def loss(self, loss: Any, batch: Batch, outputs: Mapping[str, Any]) -> Any:
        """The loss with the stage's own part; tensors in, tensor out (traced once in Keras)."""
        ...

    def before_step(self, model: Any, moment: Moment) -> None:
        """Before the optimizer's step."""
        ...

    def after_step(self, model: Any, moment: Moment) -> None:
        """After the optimizer's step: weights that must stay what they are are put back here."""
        ...

    def reached(self, moment: Moment) -> bool:
        """Whether the model is by now what the stage is to make of it: only such an epoch can be the best."""
        ...

    def finish(self, model: Any) -> Any:
        """The trained model, without what only training needed."""
        ...

    def facts(self) -> dict[str, Any]:
        """What the report says of this stage alone, as plain data."""
        ...

    def state(self) -> State:
        """What :meth:`prepare` cannot make again from the model: for a checkpoint."""
        ...

    def load_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Puts it back: before :meth:`prepare`, for a stage that makes another model, and again after it."""
        ...


class PlainStage:
    """Does nothing to a model: what a stage inherits where it has nothing to do.

    Args:
        context: see :class:`Context`.
    """

    name = "plain"

    def __init__(self, context: Context) -> None:
        self.context = context

    def check(self, model: Any) -> list[Finding]:  # noqa: ARG002 - for those that have something to say
        """No finding."""
        return []

    def prepare(self, model: Any) -> Any:
        """The model itself."""
        return model

    def loss(self, loss: Any, batch: Batch, outputs: Mapping[str, Any]) -> Any:  # noqa: ARG002
        """The loss itself."""
        return loss

    def before_step(self, model: Any, moment: Moment) -> None:
        """Nothing."""

    def after_step(self, model: Any, moment: Moment) -> None:
        """Nothing."""

    def reached(self, moment: Moment) -> bool:  # noqa: ARG002
        """Always."""
        return True

    def finish(self, model: Any) -> Any:
        """The model itself."""
        return model

    def facts(self) -> dict[str, Any]:
        """None."""
        return {}

    def state(self) -> State:
        """None."""
        return {}

    def load_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Nothing."""


def whole_arrays(batches: Iterator[Batch], limit: int) -> Arrays:
    """Inputs of the first samples of some batches as whole arrays, for calibration."""
    parts: dict[str, list[npt.NDArray[Any]]] = {}
    count = 0
    for batch in batches:
        for name, values in batch.inputs.items():
            parts.setdefault(name, []).append(np.asarray(values))
        count += len(next(iter(batch.inputs.values())))
        if count >= limit:
            break
    return {name: np.concatenate(found)[:limit] for name, found in parts.items()}
