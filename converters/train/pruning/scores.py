"""By what channels are judged where weights alone do not: gradients, activations, or the scales of batch norms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.train.pruning.channels import Block, Channels, Ids, Weight
from edge_sdk.converters.train.stage import Context
from edge_sdk.errors import TrainingError
from edge_sdk.recipe.training import Score

Array = npt.NDArray[Any]
# Means over some hundred samples: channels are ordered by them, no more.
_BATCHES = 16


@dataclass(frozen=True)
class Evidence:
    """What channels are judged by.

    Attributes:
        score: its name in a recipe.
        gradients: of the loss, by the name of a weight in the framework's state; for ``taylor``.
        layers: of each layer that reads channels, one value for each channel of its input (``activation``: mean
            absolute value; ``apoz``: share that is not zero), or of each batch norm its scales (``scale``); by the
            layer's ``id`` in Keras, by its name in PyTorch.
    """

    score: Score = "magnitude"
    gradients: Mapping[str, Array] = field(default_factory=dict)
    layers: Mapping[Any, Array] = field(default_factory=dict)


def evidence_for(context: Context, model: Any, score: Score) -> Evidence:
    """What a score needs, from training data.

    Raises:
        TrainingError: scores by gradients without a loss, by scales or zeros where there are none.
    """
    if score == "magnitude":
        return Evidence()
    if score == "taylor":
        if context.loss is None:
            raise TrainingError(
                "prune: score = taylor needs a loss, and a step or loop of your own has none that is seen",
                hint="give --loss, or take score = magnitude",
            )
        batches = islice(context.data.epoch(0), _BATCHES)
        return Evidence(score, gradients=context.framework.gradients(model, context.loss, batches))
    keras = context.framework.name == "keras"
    if score == "scale":
        scales = {key: np.abs(_array(values)) for key, values in (_keras_scales if keras else torch_scales)(model)}
        if not scales:
            raise TrainingError(
                "prune: score = scale needs batch norms with scales, and the model has none",
                hint="take score = activation, taylor or magnitude",
            )
        return Evidence(score, layers=scales)
    seen = _Seen()
    with (_keras_watched if keras else _torch_watched)(model, seen):
        for batch in islice(context.data.epoch(0), _BATCHES):
            context.framework.predict(model, batch.inputs)
    if score == "apoz" and all((values == 1).all() for values in seen.not_zero().values()):
        raise TrainingError(
            "prune: score = apoz counts zeros, and no channel that a layer reads is ever zero",
            hint="it is for models with ReLU; take score = activation",
        )
    return Evidence(score, layers=seen.not_zero() if score == "apoz" else seen.mean_absolute())


class _Seen:
    """Sums over all places of what layers read, for each channel."""

    def __init__(self) -> None:
        self._places: dict[Any, int] = {}
        self._absolute: dict[Any, Array] = {}
        self._not_zero: dict[Any, Array] = {}

    def add(self, key: Any, values: Array) -> None:
        """Values of one call, channels last."""
        rows = np.asarray(values, np.float64).reshape(-1, values.shape[-1])
        self._places[key] = self._places.get(key, 0) + len(rows)
        self._absolute[key] = self._absolute.get(key, 0) + np.abs(rows).sum(0)
        self._not_zero[key] = self._not_zero.get(key, 0) + (rows != 0).sum(0)

    def mean_absolute(self) -> dict[Any, Array]:
        """Of each channel."""
        return {key: total / self._places[key] for key, total in self._absolute.items()}

    def not_zero(self) -> dict[Any, Array]:
        """The share of values that are not zero: one less the average percentage of zeros (APoZ)."""
        return {key: total / self._places[key] for key, total in self._not_zero.items()}


def scored_by_gradients(
    gradients: Mapping[int, Array],
) -> Callable[[Sequence[Weight], Channels], Mapping[int, float]]:
    """By how much the loss is expected to change without a channel: the sum of weight times gradient in each slice.

    First order (Molchanov et al., CVPR 2019), the mean over all slices that go with a channel.

    Args:
        gradients: of the loss, by the ``id`` of a variable.
    """

    def judged(weights: Sequence[Weight], channels: Channels) -> Mapping[int, float]:
        sums: dict[int, list[float]] = {}
        for weight in weights:
            gradient = gradients.get(id(weight.variable))
            if not weight.counts or gradient is None:
                continue
            moved = np.asarray(weight.variable, np.float64) * gradient
            for axis, ids in weight.axes.items():
                found = np.abs(np.moveaxis(moved, axis, 0).reshape(len(ids), -1).sum(1))
                for root, value in zip(channels.roots(ids).tolist(), found.tolist(), strict=True):
                    sums.setdefault(root, []).append(value)
        return {root: float(np.mean(values)) for root, values in sums.items()}

    return judged


def scored_by_layers(
    evidence: Evidence, reads: Iterable[tuple[Any, Ids]], channels: Channels
) -> Callable[[Sequence[Weight], Channels], Mapping[int, float]]:
    """Scores of channels from what was seen of layers: the mean over all layers that tell of one.

    Args:
        evidence: by layer.
        reads: layers with the channels of their input, or of their scales.
        channels: where the numbers come from.
    """
    sums: dict[int, list[float]] = {}
    for key, ids in told_by(evidence, reads):
        values = evidence.layers[key]
        for root, value in zip(channels.roots(ids).tolist(), relative(evidence, values).tolist(), strict=True):
            sums.setdefault(root, []).append(value)
    return lambda weights, channels: {root: float(np.mean(values)) for root, values in sums.items()}


def told_by(evidence: Evidence, reads: Iterable[tuple[Any, Ids]]) -> list[tuple[Any, Ids]]:
    """Those of which something was seen, channel by channel."""
    known = evidence.layers
    return [(key, ids) for key, ids in reads if key in known and len(known[key]) == len(ids)]


def relative(evidence: Evidence, values: Array) -> Array:
    """Values over their mean, so that layers of any size count alike; shares are alike already."""
    found: Array = values if evidence.score == "apoz" else values / (values.mean() or 1.0)
    return found


def check_told(evidence: Evidence, blocks: Sequence[Block], told: Callable[[Block], bool]) -> None:
    """Raises where nothing tells of a block.

    Raises:
        TrainingError: names all such blocks.
    """
    silent = [block.name for block in blocks if not told(block)]
    if silent:
        what = "has a batch norm" if evidence.score == "scale" else "is read by a layer with weights"
        names = ", ".join(f"'^{name}$'" for name in silent)
        raise TrainingError(
            f"prune: score = {evidence.score}: nothing of {', '.join(silent)} {what}",
            hint=f"leave them whole by exclude = [{names}] under [train.prune], or take another score",
        )


def _array(values: Any) -> Array:
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, np.float64)


def _keras_layers(model: Any) -> Iterator[Any]:
    yield from (layer for layer in model._flatten_layers() if getattr(layer, "weights", None))


def _keras_scales(model: Any) -> Iterator[tuple[Any, Any]]:
    """Each batch norm's gamma, by the ``id`` of the layer."""
    for layer in _keras_layers(model):
        if type(layer).__name__ == "BatchNormalization" and layer.gamma is not None:
            yield id(layer), layer.gamma


def torch_scales(model: Any) -> Iterator[tuple[str, Any]]:
    """Each batch norm's weight, by its name."""
    import torch

    for name, part in model.named_modules():
        if isinstance(part, torch.nn.modules.batchnorm._BatchNorm) and part.weight is not None:
            yield name, part.weight


def scales_of(framework: str, model: Any) -> list[Any]:
    """The scales of all batch norms, as the framework's variables."""
    found = _keras_scales(model) if framework == "keras" else torch_scales(model)
    return [values for _, values in found]


@contextmanager
def _keras_watched(model: Any, seen: _Seen) -> Iterator[None]:
    """Layers with kernels tell what they are called with; run eagerly."""
    watched = [layer for layer in _keras_layers(model) if any(len(v.shape) > 1 for v in layer.weights)]
    watched = [layer for layer in watched if not hasattr(layer, "layers")]

    def telling(layer: Any) -> Callable[..., Any]:
        call = layer.call

        def told(inputs: Any, *rest: Any, **named: Any) -> Any:
            if not isinstance(inputs, list | tuple | dict) and len(inputs.shape) > 1:
                seen.add(id(layer), np.asarray(inputs))
            return call(inputs, *rest, **named)

        return told

    for layer in watched:
        # Not the layer's own setter: it would track the function as a part of the model.
        object.__setattr__(layer, "call", telling(layer))
    try:
        yield
    finally:
        for layer in watched:
            object.__delattr__(layer, "call")


@contextmanager
def _torch_watched(model: Any, seen: _Seen) -> Iterator[None]:
    import torch

    def telling(name: str, axis: int) -> Callable[..., None]:
        def told(_: Any, inputs: Any) -> None:
            seen.add(name, np.moveaxis(inputs[0].detach().cpu().numpy(), axis, -1))

        return told

    hooks = []
    for name, part in model.named_modules():
        if isinstance(part, torch.nn.modules.conv._ConvNd | torch.nn.Linear):
            axis = -1 if isinstance(part, torch.nn.Linear) else 1
            hooks.append(part.register_forward_pre_hook(telling(name, axis)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
