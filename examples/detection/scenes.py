"""Scenes of handwritten digits, what a detector should say of them, and how well one does."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

SIZE, GRID, CLASSES = 64, 8, 10
Array = npt.NDArray[Any]


def scene(rng: np.random.Generator, digits: Any, pool: Array) -> tuple[Array, Array]:
    """An image (1, 64, 64) from 0 to 1, and its objects as rows of centre x, y, width, height, class."""
    image = rng.random((SIZE, SIZE), np.float32) * 0.2
    objects = []
    for corner in rng.permutation(4)[: rng.integers(1, 4)]:
        pick = rng.choice(np.flatnonzero(pool))
        side = 8 * int(rng.integers(2, 4))
        pixels = np.kron(digits.images[pick] / 16, np.ones((side // 8, side // 8))).astype(np.float32)
        left, top = (int(place * 32 + rng.integers(0, 33 - side)) for place in (corner % 2, corner // 2))
        image[top : top + side, left : left + side] = np.maximum(image[top : top + side, left : left + side], pixels)
        objects.append((left + side / 2, top + side / 2, side, side, digits.target[pick]))
    return image[None], np.array(objects, np.float32)


def targets(objects: Array) -> tuple[Array, Array, Array]:
    """Boxes, scores and presence for each cell; an object belongs to the cell of its centre."""
    box, score = np.zeros((GRID * GRID, 4), np.float32), np.zeros((GRID * GRID, CLASSES), np.float32)
    there = np.zeros(GRID * GRID, np.float32)
    for *place, kind in objects:
        cell = int(place[1] * GRID / SIZE) * GRID + int(place[0] * GRID / SIZE)
        box[cell], score[cell, int(kind)], there[cell] = place, 1, 1
    return box, score, there


def average_precision(boxes: Array, scores: Array, truth: list[Array]) -> float:
    """Mean over classes of the area under precision over recall, at an overlap of 0.5 and more."""
    return float(np.mean([_of_class(kind, boxes, scores[..., kind], truth) for kind in range(CLASSES)]))


def _of_class(kind: int, boxes: Array, scores: Array, truth: list[Array]) -> float:
    order = np.argsort(-scores, axis=None, kind="stable")
    wanted = [objects[objects[:, 4] == kind] for objects in truth]
    taken = [np.zeros(len(objects), bool) for objects in wanted]
    hits = np.zeros(len(order))
    for rank, flat in enumerate(order):
        image, cell = divmod(int(flat), scores.shape[1])
        overlap = np.array([_overlap(boxes[image, cell], one) for one in wanted[image]]) * ~taken[image]
        if overlap.size and overlap.max() >= 0.5:
            taken[image][overlap.argmax()] = True
            hits[rank] = 1
    found = hits.cumsum()
    precision = np.maximum.accumulate((found / np.arange(1, len(found) + 1))[::-1])[::-1]
    return float((precision * hits).sum() / max(1, sum(map(len, wanted))))


def _overlap(a: Array, b: Array) -> float:
    low = np.maximum(a[:2] - a[2:4] / 2, b[:2] - b[2:4] / 2)
    high = np.minimum(a[:2] + a[2:4] / 2, b[:2] + b[2:4] / 2)
    shared = np.prod(np.maximum(high - low, 0))
    return float(shared / (a[2] * a[3] + b[2] * b[3] - shared))
