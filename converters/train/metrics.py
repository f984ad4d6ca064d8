"""What a user measures a model by: a number for all evaluation data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import TrainingError, nearest
from edge_sdk.signature import Arrays

Array = npt.NDArray[Any]
LOSSES = ("cross_entropy", "cross_entropy_probabilities", "binary_cross_entropy", "mse", "mae", "huber")
"""Names of losses; ``cross_entropy`` and ``binary_cross_entropy`` take logits."""


@dataclass(frozen=True)
class Metric:
    """A named number; ``measure`` takes outputs by name and targets, both of all evaluation samples."""

    name: str
    measure: Callable[[Arrays, Any], float]
    higher_is_better: bool = True

    def better(self, value: float, than: float) -> bool:
        """Whether a value is the better one; a NaN never is."""
        return value > than if self.higher_is_better else value < than

    def text(self, value: float) -> str:
        """The value as a report shows it."""
        return f"{value:.2%}" if self.name == "accuracy" else f"{value:.5g}"


def find_metric(
    wanted: str | Callable[..., Any] | None, *, loss: object, class_axis: int, goal: Literal["max", "min"] | None = None
) -> Metric:
    """The metric asked for, or the one that goes with a loss.

    Args:
        wanted: ``accuracy``, ``mse``, ``mae``, a function of (outputs, targets) that returns a number (outputs are
            one array where the model has one output, else a dict), or None.
        loss: name of the loss, or a function.
        class_axis: of outputs with scores: 1 for PyTorch, -1 for Keras.
        goal: whether a user's function should be large or small; large where not said.

    Raises:
        TrainingError: unknown, or none was given and none goes with the loss.
    """
    if callable(wanted):
        function = wanted
        name = getattr(wanted, "__name__", "metric")
        return Metric(name, lambda outputs, targets: float(function(alone(outputs), targets)), goal != "min")
    name = wanted or _metric_of(loss)
    known: dict[str, Metric] = {
        "accuracy": Metric("accuracy", lambda outputs, targets: _accuracy(outputs, targets, class_axis)),
        "mse": Metric("mse", lambda outputs, targets: _mean_error(outputs, targets, np.square), higher_is_better=False),
        "mae": Metric("mae", lambda outputs, targets: _mean_error(outputs, targets, np.abs), higher_is_better=False),
    }
    if name not in known:
        raise TrainingError(
            f"unknown metric `{name}`{nearest(name, known)}", hint=f"{', '.join(known)}, or file.py:function"
        )
    return known[name]


def _metric_of(loss: object) -> str:
    if isinstance(loss, str):
        return {"mae": "mae", "mse": "mse", "huber": "mae"}.get(loss, "accuracy")
    raise TrainingError(
        "no metric was given, and none goes with a loss or loop of your own",
        hint="give a metric: accuracy, mse, mae, or a function of (outputs, targets)",
    )


def alone(values: Mapping[str, Any]) -> Any:
    """The value itself where there is one, else the dict."""
    return next(iter(values.values())) if len(values) == 1 else dict(values)


def paired(outputs: Mapping[str, Any], targets: Any) -> list[tuple[Any, Any]]:
    """Outputs with their targets; outputs that have none are left out."""
    if not isinstance(targets, Mapping):
        return [(next(iter(outputs.values())), targets)]
    return [(outputs[name], target) for name, target in targets.items()]


def _accuracy(outputs: Arrays, targets: Any, class_axis: int) -> float:
    rates = [np.mean(_is_right(scores, np.asarray(t), class_axis)) for scores, t in paired(outputs, targets)]
    return float(np.mean(rates))


def _is_right(scores: Array, target: Array, class_axis: int) -> Array:
    if scores.shape[class_axis] == 1:
        right: Array = (scores > _middle(scores)).reshape(len(scores), -1) == (target.reshape(len(scores), -1) > 0.5)
        return right
    if target.shape == scores.shape:
        target = target.argmax(class_axis)
    found = scores.argmax(class_axis)
    return np.asarray(found == target.reshape(found.shape))


def _middle(scores: Array) -> float:
    """Where yes begins: 0.5 for probabilities, 0 for logits."""
    return 0.5 if scores.min() >= 0 and scores.max() <= 1 else 0.0


def _mean_error(outputs: Arrays, targets: Any, of: Callable[[Array], Array]) -> float:
    errors = [np.mean(of(values - np.asarray(t).reshape(values.shape))) for values, t in paired(outputs, targets)]
    return float(np.mean(errors))
