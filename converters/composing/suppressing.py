"""Suppression of boxes behind a model, inside its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.composing.drawing import Drawing
from edge_sdk.errors import SignatureError
from edge_sdk.signature import Arrays

Numbers = npt.NDArray[Any]
# Neighbours at twice the second number from each other are apart in float32.
_FAR, _APART = 1e15, 1e10


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
        score: boxes up to it are left out.

    Raises:
        SignatureError: limits of which the kernel takes none.
    """

    scores: str
    count: int = 100
    iou: float = 0.5
    score: float = 0.25

    def __post_init__(self) -> None:
        if self.count < 1 or not 0 <= self.iou < 1:
            raise SignatureError(
                f"nms: expected count from 1 on and iou from 0 to below 1, got count={self.count}, iou={self.iou:g}",
                hint="no two boxes overlap by more than 1: leave the step out to keep all",
            )

    def draw(self, drawing: Drawing, name: str, tensor: int, others: Mapping[str, int]) -> list[tuple[str, int]]:
        """See :class:`OutputStep`."""
        boxes, scores, classes = self._flat(drawing, name, tensor, others)
        places, ranks = self._sorted(drawing, scores)
        # The kernel leaves out what overlaps by its threshold.
        beyond = np.nextafter(np.float32(self.iou), np.float32(np.inf))
        limits = [drawing.constant(n, d) for n, d in ((self.count, "int32"), (beyond, "float32"), (0.0, "float32"))]
        found, valid = drawing.tensor("found", [self.count], "int32"), drawing.tensor("valid", [], "int32")
        laid = self._gathered(drawing, self._with_area(drawing, boxes), places)
        drawing.op("NON_MAX_SUPPRESSION_V4", [laid, ranks, *limits], [found, valid])
        chosen = self._gathered(drawing, places, found)
        made = []
        for label, source, shape in (("boxes", boxes, [4]), ("scores", scores, []), ("classes", classes, [])):
            result = drawing.tensor(label, [self.count, *shape], drawing.dtype(source))
            made.append((label, drawing.op("GATHER", [source, chosen], [result], axis=0)))
        return [*made, ("valid", valid)]

    def _sorted(self, drawing: Drawing, scores: int) -> tuple[int, int]:
        """Which box is where, the best first, and its rank for a score: the kernel takes equal scores in any order.

        TOPK_V2 takes the first of equal ones first. A rank is 0 where the score is too low.
        """
        (count,) = drawing.shape(scores)
        best, places = drawing.tensor("best", [count], "float32"), drawing.tensor("places", [count], "int32")
        drawing.op("TOPK_V2", [scores, drawing.constant(count, "int32")], [best, places])
        enough = drawing.tensor("enough", [count], "bool")
        drawing.op("GREATER", [best, drawing.constant(self.score, "float32")], [enough])
        ranks, none = np.arange(count, 0, -1), np.zeros(count)
        given = [enough, *(drawing.constant(one, "float32") for one in (ranks, none))]
        return places, drawing.op("SELECT_V2", given, [drawing.tensor("ranks", [count], "float32")])

    def _with_area(self, drawing: Drawing, boxes: int) -> int:
        """Boxes, those without an area far from all others: they overlap none, but the kernel keeps one again."""
        count, axis = drawing.shape(boxes)[0], drawing.constant(1, "int32")
        low, high, sides, size = (drawing.tensor(name, [count, 2], "float32") for name in ("low", "high", "d", "size"))
        drawing.op("SPLIT", [axis, boxes], [low, high], num_splits=2)
        drawing.op("ABS", [drawing.op("SUB", [high, low], [sides])], [size])
        area, empty = drawing.tensor("area", [count, 1], "float32"), drawing.tensor("empty", [count, 1], "bool")
        drawing.op("REDUCE_PROD", [size, drawing.constant([1], "int32")], [area], keep_dims=True)
        drawing.op("LESS_EQUAL", [area, drawing.constant(0.0, "float32")], [empty])
        begin = _FAR + 2 * _APART * np.arange(count)
        away = np.stack([np.zeros(count), begin, np.ones(count), begin + _APART], -1)
        given = [empty, drawing.constant(away, "float32"), boxes]
        return drawing.op("SELECT_V2", given, [drawing.tensor("apart", [count, 4], "float32")])

    def _gathered(self, drawing: Drawing, values: int, places: int) -> int:
        shape = [*drawing.shape(places), *drawing.shape(values)[1:]]
        made = drawing.tensor("gathered", shape, drawing.dtype(values))
        return drawing.op("GATHER", [values, places], [made], axis=0)

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
        best = scores.max(-1)
        chosen = self._chosen(boxes, best)
        places = np.array([*chosen, *[int(best.argmax())] * (self.count - len(chosen))], np.int64)
        classes = scores.argmax(-1).astype(np.int32)
        parts = {"boxes": boxes[places], "scores": scores.max(-1)[places], "classes": classes[places]}
        return {**parts, "valid": np.array(len(chosen), np.int32)}

    def _chosen(self, boxes: Numbers, scores: Numbers) -> list[int]:
        left = [int(i) for i in np.argsort(-scores, kind="stable") if scores[i] > self.score]
        kept: list[int] = []
        for i in left:
            if len(kept) < self.count and all(_overlap(boxes[i], boxes[j]) <= np.float32(self.iou) for j in kept):
                kept.append(i)
        return kept


def _overlap(a: Numbers, b: Numbers) -> float:
    """Intersection over union of two boxes, corners in any order; in float32 as the kernel: int8 boxes tie."""
    low = np.maximum(np.minimum(a[:2], a[2:]), np.minimum(b[:2], b[2:]))
    high = np.minimum(np.maximum(a[:2], a[2:]), np.maximum(b[:2], b[2:]))
    both = np.prod(np.maximum(high - low, 0))
    areas = [np.prod(np.abs(box[2:] - box[:2])) for box in (a, b)]
    return float(both / (areas[0] + areas[1] - both)) if min(areas) > 0 else 0.0
