"""What files are measured by in a search: a number for each sample where there is one, else one for all of them.

A number for each sample allows the paired comparison to stop early; a metric of the user's own that gives one number
for all samples (mAP) is drawn again on resampled samples instead.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.search.paired import CONFIDENCE, Drop, Values, state_of
from edge_sdk.converters.train.metrics import alone, paired
from edge_sdk.data.functions import call, is_function_reference, load_function
from edge_sdk.errors import CalibrationError, nearest
from edge_sdk.parity.classes import is_class_like
from edge_sdk.signature import Arrays

Array = npt.NDArray[Any]
Goal = Literal["max", "min"]
_NAMES = ("accuracy", "top5", "agreement", "mse", "mae")
_RESAMPLES, _RESAMPLING_SECONDS, _FEWEST = 200, 20.0, 20


@dataclass(frozen=True)
class Metric:
    """A number for each sample, or for all.

    Attributes:
        name: as the user gave it.
        higher_is_better: whether large is good.
        share: whether values are shares of 1, told in points.
        needs_targets: whether it compares with targets, else with the reference's outputs.
        each: of (outputs, targets or the reference's outputs), a value for each row; None where all give one number.
        whole: of the same, one value.
    """

    name: str
    higher_is_better: bool
    share: bool
    needs_targets: bool
    each: Callable[[Arrays, Any], Values] | None
    whole: Callable[[Arrays, Any], float]

    @property
    def unit(self) -> str:
        """In words."""
        return "points" if self.share else ""

    @property
    def scale(self) -> float:
        """From values to the unit in which drops are given."""
        return 100.0 if self.share else 1.0

    def losses(self, reference: Values, candidate: Values) -> Values:
        """What each sample loses."""
        return reference - candidate if self.higher_is_better else candidate - reference


def find_metric(wanted: str | Callable[..., Any] | None, goal: Goal | None, *, labelled: bool) -> Metric:
    """The metric asked for; without a wish accuracy on labelled data, else agreement with the source.

    Args:
        wanted: ``accuracy``, ``top5`` (or another number), ``agreement``, ``mse``, ``mae``, ``file.py:function`` or a
            function of (outputs, targets); it returns a number, or an array with one for each sample.
        goal: of a function: whether it should be large or small; large where not said.
        labelled: whether the data has targets.

    Raises:
        CalibrationError: unknown, or it needs targets and the data has none.
    """
    name = wanted if wanted is not None else ("accuracy" if labelled else "agreement")
    if callable(name) or is_function_reference(name):
        return _own(name, goal or "max")
    if goal is not None:
        raise CalibrationError(f"metric {name} has its own goal", hint="--metric-goal is for a function of yours")
    top = re.fullmatch(r"top([1-9]\d*)", name)
    made = {
        "agreement": Metric("agreement", True, True, False, _agreement, _mean(_agreement)),  # noqa: FBT003
        "accuracy": _labelled("accuracy", lambda scores, targets: _among(scores, targets, 1)),
        "mse": _labelled("mse", lambda values, targets: _error(values, targets, 2), good="min"),
        "mae": _labelled("mae", lambda values, targets: _error(values, targets, 1), good="min"),
    }
    if top:
        made[name] = _labelled(name, lambda scores, targets: _among(scores, targets, int(top[1])))
    if name not in made:
        raise CalibrationError(
            f"unknown metric `{name}`{nearest(name, _NAMES)}", hint=f"{', '.join(_NAMES)}, or file.py:function"
        )
    if made[name].needs_targets and not labelled:
        raise CalibrationError(
            f"metric {name} needs targets, and the data has none",
            hint="give a folder with a subfolder for each class or a .npz with labels; `agreement` needs none",
        )
    return made[name]


def whole_drop(metric: Metric, reference: Arrays, candidate: Arrays, targets: Any, most: float | None) -> Drop:
    """The drop of a metric that is one number for all samples, with an interval from resampled ones where time allows.

    Args:
        metric: of the user's own.
        reference: its outputs, rows along the first axis.
        candidate: likewise.
        targets: likewise; arrays by output name, one array, or None.
        most: what may be lost.
    """
    count = len(next(iter(reference.values())))
    sign = metric.scale if metric.higher_is_better else -metric.scale
    begin = time.perf_counter()
    value = sign * (metric.whole(reference, targets) - metric.whole(candidate, targets))
    draws = min(_RESAMPLES, int(_RESAMPLING_SECONDS / max(1e-6, time.perf_counter() - begin)))
    low = high = confidence = needed = None
    if draws >= _FEWEST and count >= _FEWEST:
        chosen = np.random.default_rng(0).integers(0, count, (draws, count))
        found = [
            sign
            * (
                metric.whole(rows(reference, at), rows(targets, at))
                - metric.whole(rows(candidate, at), rows(targets, at))
            )
            for at in chosen
        ]
        low, high = (float(v) for v in np.quantile(found, [1 - CONFIDENCE, CONFIDENCE]))
        if most is not None:
            confidence = float(1 - np.mean((np.asarray(found) > most) != (value > most)))
            half = max(high - value, 0.0) if value < most else max(value - low, 0.0)
            undecided = state_of(low, high, most) == "undecided" and value != most
            needed = math.ceil(count * (half / (most - value)) ** 2) if undecided else None
    return Drop(value, low, high, count, count, state_of(low, high, most), confidence, needed)


def rows(values: Any, at: Any) -> Any:
    """Some rows of arrays by name, of an array, or of None."""
    if isinstance(values, Mapping):
        return {name: rows(part, at) for name, part in values.items()}
    return None if values is None else np.asarray(values)[at]


def _labelled(name: str, each: Callable[[Array, Array], Values], good: Goal = "max") -> Metric:
    def of_outputs(outputs: Arrays, targets: Any) -> Values:
        values = [each(np.asarray(v), np.asarray(t)) for v, t in paired(outputs, targets)]
        mean: Values = np.mean(values, axis=0)
        return mean

    return Metric(name, good == "max", good == "max", True, of_outputs, _mean(of_outputs))  # noqa: FBT003


def _mean(each: Callable[[Arrays, Any], Values]) -> Callable[[Arrays, Any], float]:
    return lambda outputs, others: float(each(outputs, others).mean())


def _own(wanted: str | Callable[..., Any], goal: Goal) -> Metric:
    function = load_function(wanted, error=CalibrationError) if isinstance(wanted, str) else wanted
    name = wanted if isinstance(wanted, str) else getattr(wanted, "__name__", "metric")

    def asked(outputs: Arrays, targets: Any) -> Array:
        one = alone(targets) if isinstance(targets, Mapping) else targets
        found = np.asarray(call(lambda: function(alone(outputs), one), name, CalibrationError), np.float64)  # type: ignore[call-arg]
        if not np.isfinite(found).all():
            raise CalibrationError(f"metric {name} returned a value that is not finite")
        return found

    return Metric(name, goal == "max", False, False, None, lambda o, t: float(asked(o, t).mean()))  # noqa: FBT003


def _class_axis(scores: Array, targets: Array) -> int:
    """Where the classes are: the axis without which scores have the targets' shape; the last, else the second."""
    if scores.shape[:-1] == targets.shape or scores.ndim < 3:
        return scores.ndim - 1
    return 1


def _among(scores: Array, targets: Array, count: int) -> Values:
    """Share of each sample's places whose target is among the best ``count``, ties for the earlier class."""
    axis = _class_axis(scores, targets)
    if scores.shape[axis] == 1:
        middle = 0.5 if scores.min() >= 0 and scores.max() <= 1 else 0.0
        right = (scores > middle).reshape(len(scores), -1) == (targets.reshape(len(scores), -1) > 0.5)
        return np.asarray(right.mean(1), np.float64)
    if targets.shape == scores.shape:
        targets = targets.argmax(axis)
    ranked = np.argsort(-scores, axis=axis, kind="stable").take(range(min(count, scores.shape[axis])), axis=axis)
    wanted = np.expand_dims(targets.reshape(np.delete(scores.shape, axis)), axis)
    right = (ranked == wanted).any(axis)
    return np.asarray(right.reshape(len(scores), -1).mean(1), np.float64)


def _error(values: Array, targets: Array, power: int) -> Values:
    error = np.abs(values.astype(np.float64) - targets.reshape(values.shape)) ** power
    return np.asarray(error.reshape(len(values), -1).mean(1), np.float64)


def _agreement(outputs: Arrays, reference: Any) -> Values:
    """Of each sample with the reference, the worst output's: the same best class, else the share of power that is kept.

    The share is ``1 - |difference|^2 / |reference|^2``, not below 0: 99 % are an SQNR of 20 dB.
    """
    each = [_agrees(np.asarray(outputs[name]), np.asarray(reference[name])) for name in reference]
    worst: Values = np.min(each, axis=0)
    return worst


def _agrees(got: Array, wanted: Array) -> Values:
    if is_class_like(wanted):
        return np.asarray(got.argmax(1) == wanted.argmax(1), np.float64)
    got, wanted = (v.reshape(len(v), -1).astype(np.float64) for v in (got, wanted))
    power = (wanted**2).sum(1)
    kept = 1 - ((got - wanted) ** 2).sum(1) / np.where(power > 0, power, 1)
    return np.asarray(np.clip(np.where(power > 0, kept, (got == wanted).all(1)), 0, 1), np.float64)


def stacked(parts: Sequence[Arrays]) -> Arrays:
    """Several runs' outputs as one, rows along the first axis."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
