"""What quantized activations do on data: values at the ends of their range, levels that are never used. *Measured*."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Artifact, Tensor
from edge_sdk.artifact.schema import schema
from edge_sdk.checks.lint.linting import finding_of
from edge_sdk.checks.lint.ranges import MOVERS
from edge_sdk.checks.lint.scene import LIMITS, LintFinding, Mark, Scene, named, one_scale, scene_of
from edge_sdk.signature import Arrays, TensorSpec

SATURATED = 0.01
FEW_LEVELS = 16
_ENOUGH_VALUES = 1024
CLIPPED, SATURATES, COARSE = "clipped-input", "saturated-activation", "coarse-activation"
HINTS = {
    CLIPPED: "feed the app's own preprocessing; calibrate on the same",
    SATURATES: "calibrate on more data, with min-max ranges",
    COARSE: "look for an outlier in the calibration data, or a large constant",
}
"""Rules that need data, with their hints."""
_BOUNDED = frozenset({"LOGISTIC", "SOFTMAX", "TANH", "RELU6", "RELU_N1_TO_1", "L2_NORMALIZATION", "LOG_SOFTMAX"})
_BOUNDING = frozenset({"RELU6", "RELU_N1_TO_1", "TANH"})


class Running(Protocol):
    """A file that runs with its intermediate tensors readable, as :class:`edge_sdk.engines.runner.Runner` does it."""

    @property
    def artifact(self) -> Artifact:
        """The file."""
        ...

    @property
    def engine(self) -> object:
        """What runs it; name and version as a string."""
        ...

    def run_real(self, inputs: Arrays) -> Arrays:
        """Runs real values."""
        ...

    def tensor(self, index: int) -> npt.NDArray[Any] | None:
        """The values of a tensor of the main subgraph after a run; None where they are not kept."""
        ...


@dataclass
class Use:
    """How one tensor used its range: a count for each stored value, from the lowest on."""

    counts: npt.NDArray[np.int64]

    @property
    def values(self) -> int:
        """How many values were seen."""
        return int(self.counts.sum())

    @property
    def levels(self) -> int:
        """How many different ones."""
        return int((self.counts > 0).sum())


def input_specs(artifact: Artifact) -> tuple[TensorSpec, ...]:
    """Inputs as data gives them: real values also where the file takes quantized ones."""
    inputs = artifact.signature.inputs.items()
    return tuple(TensorSpec(n, t.shape, "float32" if t.quantization else t.dtype) for n, t in inputs)


def measure(
    runner: Running, samples: Iterable[Arrays], *, progress: Callable[[int], None] = lambda done: None
) -> tuple[LintFinding, ...]:
    """Runs a file over samples and looks at every quantized activation of 8 or 16 bits of its main subgraph.

    Args:
        runner: opened with ``preserve_all_tensors``; the engine's own kernels run, not XNNPACK's.
        samples: real inputs by name.
        progress: called with the number of samples done.
    """
    scene = scene_of(runner.artifact, runner.artifact.main)
    watched = [t for t in scene.graph.tensors if one_scale(t) and t.index in scene.producers]
    uses = {t.index: Use(np.zeros(LIMITS[t.dtype][1] - LIMITS[t.dtype][0] + 1, np.int64)) for t in watched}
    beyond = dict.fromkeys(runner.artifact.signature.inputs, 0.0)
    done = 0
    for done, sample in enumerate(samples, 1):
        runner.run_real(sample)
        for tensor in watched:
            _count(uses[tensor.index], tensor, runner.tensor(tensor.index))
        for name, values in sample.items():
            beyond[name] += _beyond(scene, runner.artifact.signature.inputs[name], values)
        progress(done)
    words = f"measured on {done} samples, {runner.engine}"
    marks = [*_clipped(runner.artifact, beyond, max(1, done)), *_judged(scene, watched, uses)]
    return tuple(finding_of(scene, rule, HINTS[rule], _said(mark, words)) for rule, mark in marks)


def _said(mark: Mark, words: str) -> Mark:
    return replace(mark, message=f"{mark.message} ({words})")


def _count(use: Use, tensor: Tensor, values: npt.NDArray[Any] | None) -> None:
    if values is not None:
        low = LIMITS[tensor.dtype][0]
        use.counts += np.bincount(values.ravel().astype(np.int64) - low, minlength=len(use.counts))


def _beyond(scene: Scene, tensor: Tensor, values: npt.NDArray[Any]) -> float:
    """Share of real input values that lie outside of what the file's input, or the QUANTIZE behind it, can hold."""
    behind = [op.outputs[0] for op in scene.readers_of(tensor) if op.name == "QUANTIZE"]
    stored = tensor if one_scale(tensor) else scene.graph.tensors[behind[0]] if behind else tensor
    quantization = one_scale(stored)
    if quantization is None or values.dtype.kind != "f" or not values.size:
        return 0.0
    low, high = ((edge - quantization.zero_point[0]) * quantization.scale[0] for edge in LIMITS[stored.dtype])
    slack = quantization.scale[0]
    return float(((values < low - slack) | (values > high + slack)).mean())


def _clipped(artifact: Artifact, beyond: dict[str, float], samples: int) -> Iterator[tuple[str, Mark]]:
    for name, total in beyond.items():
        share = total / samples
        if share > SATURATED:
            tensor = artifact.signature.inputs[name]
            message = f"{share:.1%} of its values lie outside of the range of its scale"
            found, where = f"{share:.1%}", f"input `{name}`"
            yield CLIPPED, Mark("warning", message, None, tensor, found, f"{SATURATED:.0%}", share, where=where)


def _judged(scene: Scene, watched: list[Tensor], uses: dict[int, Use]) -> Iterator[tuple[str, Mark]]:
    for tensor in watched:
        use, op = uses[tensor.index], scene.producers[tensor.index]
        if not use.values or op.name in MOVERS or op.name == "QUANTIZE":
            continue
        low, high = _natural(scene, tensor)
        at_low, at_high = (float(use.counts[place] / use.values) for place in (0, -1))
        share = max(0.0 if low else at_low, 0.0 if high else at_high)
        if share > SATURATED:
            end = "upper" if not high and share == at_high else "lower"
            message = (
                f"{share:.1%} of the values of {named(tensor)} stand at the {end} end of its range: they were cut off"
            )
            mark = Mark("warning", message, op, tensor, f"{share:.1%}", f"{SATURATED:.0%}", scene.share(op))
            yield SATURATES, mark
        if use.levels < FEW_LEVELS and use.values >= _ENOUGH_VALUES:
            message = f"{named(tensor)} takes {use.levels} different values in {use.values}"
            found, limit = f"{use.levels} levels", f"{FEW_LEVELS} or more"
            yield COARSE, Mark("warning", message, op, tensor, found, limit, scene.share(op))


def _natural(scene: Scene, tensor: Tensor) -> tuple[bool, bool]:
    """Whether values at the lower and the upper end are what the op gives, not what the range cuts off."""
    op, quantization = scene.producers[tensor.index], one_scale(tensor)
    number = int(op.options.get("fused_activation_function") or 0)
    activation = schema().enums["ActivationFunctionType"].get(number, "NONE")
    bounded = op.name in _BOUNDED or activation in _BOUNDING
    starts_at_zero = quantization is not None and quantization.zero_point[0] == LIMITS[tensor.dtype][0]
    return bounded or starts_at_zero or activation == "RELU", bounded
