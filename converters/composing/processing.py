"""What can stand before and behind a model inside its file; each step draws its ops, and computes the same by numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.composing.drawing import Drawing
from edge_sdk.converters.composing.suppressing import Nms
from edge_sdk.errors import SignatureError
from edge_sdk.signature import Arrays

Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Pixels:
    """The file takes pixels, and computes ``(pixel - mean) / std`` itself.

    Attributes:
        mean: one number, or one for each channel (the last axis).
        std: likewise.
        dtype: of the pixels.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    dtype: str = "uint8"

    def draw(self, drawing: Drawing, name: str, tensor: int, operators: range) -> int:
        """Draws the ops before a model's input; returns the new input."""
        shape = drawing.shape(tensor)
        for numbers in (self.mean, self.std):
            if len(numbers) not in (1, shape[-1]):
                raise SignatureError(f"input `{name}` has {shape[-1]} channels, {len(numbers)} numbers were given")
        pixels = drawing.tensor(name, shape, self.dtype)
        options = {"in_data_type": self.dtype, "out_data_type": "float32"}
        real = drawing.op("CAST", [pixels], [drawing.tensor("pixels", shape, "float32")], **options)
        for kind, operand in (("SUB", self._mean), ("MUL", self._factor)):
            constant = drawing.constant(operand, "float32")
            real = drawing.op(kind, [real, constant], [drawing.tensor("normalized", shape, "float32")])
        drawing.reroute(operators, tensor, drawing.like(real, tensor))
        return pixels

    def apply(self, values: Numbers) -> Numbers:
        """The same by numpy, in float32."""
        return np.asarray((values.astype(np.float32) - self._mean) * self._factor)

    @property
    def _mean(self) -> npt.NDArray[np.float32]:
        return np.array(self.mean, np.float32)

    @property
    def _factor(self) -> npt.NDArray[np.float32]:
        return np.float32(1) / np.array(self.std, np.float32)


class OutputStep(Protocol):
    """What becomes of an output."""

    def draw(self, drawing: Drawing, name: str, tensor: int, others: Mapping[str, int]) -> list[tuple[str, int]]:
        """Draws the ops behind an output; returns the outputs that stand in its place.

        Args:
            drawing: the graph.
            name: of the output.
            tensor: the output.
            others: all outputs, by name.
        """
        ...

    def apply(self, name: str, outputs: Arrays) -> Arrays:
        """The same by numpy, from all of the model's outputs."""
        ...


@dataclass(frozen=True)
class Softmax:
    """Probabilities along the last axis."""

    def draw(self, drawing: Drawing, name: str, tensor: int, others: Mapping[str, int]) -> list[tuple[str, int]]:
        """See :class:`OutputStep`."""
        real = drawing.as_float(tensor)
        made = drawing.tensor(name, drawing.shape(real), "float32")
        return [(name, drawing.op("SOFTMAX", [real], [made], beta=1.0))]

    def apply(self, name: str, outputs: Arrays) -> Arrays:
        """See :class:`OutputStep`."""
        grown = np.exp(outputs[name] - outputs[name].max(-1, keepdims=True))
        return {name: np.asarray(grown / grown.sum(-1, keepdims=True), np.float32)}


@dataclass(frozen=True)
class ArgMax:
    """The index of the largest value along the last axis, int32."""

    def draw(self, drawing: Drawing, name: str, tensor: int, others: Mapping[str, int]) -> list[tuple[str, int]]:
        """See :class:`OutputStep`."""
        *rest, _ = drawing.shape(tensor)
        axis = drawing.constant(len(rest), "int32")
        made = drawing.tensor(name, rest, "int32")
        return [(name, drawing.op("ARG_MAX", [tensor, axis], [made], output_type="int32"))]

    def apply(self, name: str, outputs: Arrays) -> Arrays:
        """See :class:`OutputStep`."""
        return {name: outputs[name].argmax(-1).astype(np.int32)}


@dataclass(frozen=True)
class TopK:
    """The ``k`` largest values along the last axis and their indices: ``<name>_values``, ``<name>_indices``."""

    k: int

    def draw(self, drawing: Drawing, name: str, tensor: int, others: Mapping[str, int]) -> list[tuple[str, int]]:
        """See :class:`OutputStep`."""
        real = drawing.as_float(tensor)
        *rest, size = drawing.shape(real)
        if not 0 < self.k <= size:
            raise SignatureError(
                f"output `{name}` has {size} values along its last axis, the top {self.k} were asked for"
            )
        values = drawing.tensor(f"{name}_values", [*rest, self.k], "float32")
        indices = drawing.tensor(f"{name}_indices", [*rest, self.k], "int32")
        drawing.op("TOPK_V2", [real, drawing.constant(self.k, "int32")], [values, indices])
        return [(f"{name}_values", values), (f"{name}_indices", indices)]

    def apply(self, name: str, outputs: Arrays) -> Arrays:
        """See :class:`OutputStep`."""
        indices = np.argsort(-outputs[name], axis=-1, kind="stable")[..., : self.k]
        values = np.take_along_axis(outputs[name], indices, -1)
        return {f"{name}_values": values, f"{name}_indices": indices.astype(np.int32)}


def expected_outputs(outputs: Arrays, steps: Mapping[str, OutputStep]) -> Arrays:
    """What the file with its steps shall give, from what the model gives."""
    used = {step.scores for step in steps.values() if isinstance(step, Nms)}
    made: Arrays = {}
    for name, values in outputs.items():
        if name in steps:
            made.update(steps[name].apply(name, outputs))
        elif name not in used:
            made[name] = values
    return made
