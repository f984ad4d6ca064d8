"""What can stand before and behind a model inside its file; each step draws its ops, and computes the same by numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.composing.drawing import Drawing
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


@dataclass(frozen=True)
class Nms:
    """Non-maximum suppression over all classes together.

    The output that it is put on holds boxes ``[1, N, 4]`` as ``y1, x1, y2, x2``; ``scores`` names the one with scores
    ``[1, N]`` or ``[1, N, classes]``. In their place come ``boxes [count, 4]``, ``scores [count]``, ``classes [count]``
    (int32) and ``valid []``, how many of them count; the rest is not to be read.

    Attributes:
        scores: name of the output with scores.
        count: boxes to keep at most.
        iou: boxes that overlap more than this are one.
        score: boxes below it are left out.
    """

    scores: str
    count: int = 100
    iou: float = 0.5
    score: float = 0.25

    def draw(self, drawing: Drawing, name: str, tensor: int, others: Mapping[str, int]) -> list[tuple[str, int]]:
        """See :class:`OutputStep`."""
        boxes, scores, classes = self._flat(drawing, name, tensor, others)
        limits = [
            drawing.constant(n, d) for n, d in ((self.count, "int32"), (self.iou, "float32"), (self.score, "float32"))
        ]
        chosen = drawing.tensor("chosen", [self.count], "int32")
        valid = drawing.tensor("valid", [], "int32")
        drawing.op("NON_MAX_SUPPRESSION_V4", [boxes, scores, *limits], [chosen, valid])
        made = []
        for label, source, shape in (("boxes", boxes, [4]), ("scores", scores, []), ("classes", classes, [])):
            result = drawing.tensor(label, [self.count, *shape], drawing.dtype(source))
            made.append((label, drawing.op("GATHER", [source, chosen], [result], axis=0)))
        return [*made, ("valid", valid)]

    def _flat(self, drawing: Drawing, name: str, tensor: int, others: Mapping[str, int]) -> tuple[int, int, int]:
        """Boxes ``[N, 4]``, and the best score and class of each ``[N]``."""
        if self.scores not in others:
            raise SignatureError(f"output `{self.scores}` does not exist", hint=f"the names are: {', '.join(others)}")
        boxes, scores = drawing.as_float(tensor), drawing.as_float(others[self.scores])
        shape, count = drawing.shape(boxes), drawing.shape(scores)[1:2]
        if len(shape) != 3 or shape[0] != 1 or shape[2] != 4 or count != shape[1:2]:
            found = f"`{name}` {list(shape)} and `{self.scores}` {list(drawing.shape(scores))}"
            raise SignatureError(f"{found} are not [1, N, 4] and [1, N, ...]")
        flat = self._reshaped(drawing, boxes, [shape[1], 4])
        scores = self._reshaped(drawing, scores, [shape[1], -1])
        axis = drawing.constant(1, "int32")
        best = drawing.op(
            "REDUCE_MAX", [scores, axis], [drawing.tensor("best", [shape[1]], "float32")], keep_dims=False
        )
        label = drawing.tensor("label", [shape[1]], "int32")
        return flat, best, drawing.op("ARG_MAX", [scores, axis], [label], output_type="int32")

    def _reshaped(self, drawing: Drawing, tensor: int, shape: Sequence[int]) -> int:
        size = int(np.prod(drawing.shape(tensor)))
        whole = [size // shape[0] if extent == -1 else extent for extent in shape]
        made = drawing.tensor("flat", whole, "float32")
        return drawing.op("RESHAPE", [tensor, drawing.constant(whole, "int32")], [made], new_shape=whole)

    def apply(self, name: str, outputs: Arrays) -> Arrays:
        """See :class:`OutputStep`."""
        boxes = outputs[name][0]
        scores = outputs[self.scores].reshape(len(boxes), -1)
        chosen = self._chosen(boxes, scores.max(-1))
        places = np.array([*chosen, *[0] * (self.count - len(chosen))], np.int64)
        classes = scores.argmax(-1).astype(np.int32)
        parts = {"boxes": boxes[places], "scores": scores.max(-1)[places], "classes": classes[places]}
        return {**parts, "valid": np.array(len(chosen), np.int32)}

    def _chosen(self, boxes: Numbers, scores: Numbers) -> list[int]:
        left = [int(i) for i in np.argsort(-scores, kind="stable") if scores[i] > self.score]
        kept: list[int] = []
        for i in left:
            if len(kept) < self.count and all(_overlap(boxes[i], boxes[j]) <= self.iou for j in kept):
                kept.append(i)
        return kept


def _overlap(a: Numbers, b: Numbers) -> float:
    """Intersection over union of two boxes, corners in any order."""
    low = np.maximum(np.minimum(a[:2], a[2:]), np.minimum(b[:2], b[2:]))
    high = np.minimum(np.maximum(a[:2], a[2:]), np.maximum(b[:2], b[2:]))
    both = float(np.prod(np.maximum(high - low, 0)))
    areas = [float(np.prod(np.abs(box[2:] - box[:2]))) for box in (a, b)]
    return both / (areas[0] + areas[1] - both) if min(areas) > 0 else 0.0


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
