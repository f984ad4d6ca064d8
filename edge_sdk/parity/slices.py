"""Parts of an output by themselves: small values beside large ones vanish in a number for the whole."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Artifact, Op, Subgraph

# Below this share of its own size a value hardly depends on the input.
VARIES = 1e-3
# A channel that deviates by so many steps of its scale cannot come out constant by rounding.
_STEPS = 4.0
_MOST_CHANNELS = 8192
_BETWEEN = frozenset({"QUANTIZE", "DEQUANTIZE"})


@dataclass(frozen=True)
class Part:
    """What one operand of a final join gives to an output: from ``start`` to before ``stop`` along ``axis``."""

    axis: int
    start: int
    stop: int

    def __str__(self) -> str:
        last = self.stop - 1
        return f"{self.start}" if last == self.start else f"{self.start} to {last}"


@dataclass(frozen=True)
class SliceParity:
    """How far one part of an output moved; ``dead`` where it is constant though the reference varies."""

    name: str
    axis: int
    start: int
    stop: int
    sqnr_db: float
    dead: bool
    ok: bool = True

    def as_json(self) -> dict[str, Any]:
        """Plain data; an infinite SQNR is None."""
        return asdict(self) | {"sqnr_db": self.sqnr_db if math.isfinite(self.sqnr_db) else None}


def parts_of(artifact: Artifact, name: str, axes: Sequence[int] | None = None) -> tuple[Part, ...]:
    """The parts that a final CONCATENATION joins into an output; none where it ends otherwise.

    Args:
        artifact: the file.
        name: of the output.
        axes: how the source's output is transposed to the file's; parts are in the source's layout.
    """
    op = _last(artifact.main, artifact.signature.outputs[name].index)
    if op is None or op.name != "CONCATENATION" or len(op.inputs) < 2:
        return ()
    graph = artifact.main
    axis = int(op.options.get("axis") or 0) % max(1, len(graph.tensors[op.outputs[0]].shape))
    ends = np.cumsum([graph.tensors[index].shape[axis] for index in op.inputs]).tolist()
    place = axis if axes is None else axes[axis]
    return tuple(Part(place, start, stop) for start, stop in zip([0, *ends], ends, strict=False))


def step_of(artifact: Artifact, name: str) -> float:
    """The distance of two neighbouring values of an output; 0 where it is computed in float."""
    graph = artifact.main
    index = artifact.signature.outputs[name].index
    makers = graph.makers
    while graph.tensors[index].quantization is None and index in makers and makers[index].name in _BETWEEN:
        index = makers[index].inputs[0]
    quantization = graph.tensors[index].quantization
    return float(quantization.scale[0]) if quantization and graph.tensors[index].dtype != "float32" else 0.0


def _last(graph: Subgraph, index: int) -> Op | None:
    makers = graph.makers
    op = makers.get(index)
    while op is not None and op.name in _BETWEEN:
        op = makers.get(op.inputs[0])
    return op


class AxisSums:
    """Running sums for each index along one axis of an output."""

    def __init__(self, axis: int) -> None:
        self._axis = axis
        self._count = 0
        self._sum: npt.NDArray[np.float64] = np.zeros(1)
        self._power: npt.NDArray[np.float64] | None = None
        self._noise = self._low = self._high = self._got_low = self._got_high = np.zeros(0)

    def add(self, reference: npt.NDArray[Any], candidate: npt.NDArray[Any]) -> None:
        """One run's output of both sides."""
        want = np.moveaxis(reference, self._axis, 0).reshape(reference.shape[self._axis], -1).astype(np.float64)
        got = np.moveaxis(candidate, self._axis, 0).reshape(want.shape).astype(np.float64)
        power, noise = (want**2).sum(1), ((want - got) ** 2).sum(1)
        self._count += want.shape[1]
        self._sum = self._sum + want.sum(1)
        ends = (want.min(1), want.max(1), got.min(1), got.max(1))
        if self._power is None:
            self._power, self._noise = power, noise
            self._low, self._high, self._got_low, self._got_high = ends
            return
        self._power += power
        self._noise += noise
        self._low, self._got_low = np.minimum(self._low, ends[0]), np.minimum(self._got_low, ends[2])
        self._high, self._got_high = np.maximum(self._high, ends[1]), np.maximum(self._got_high, ends[3])

    def part(self, part: Part) -> SliceParity | None:
        """Sums over a part; None where its reference does not vary, so that nothing can be said."""
        chosen = slice(part.start, part.stop)
        if self._power is None or not self._varies(float(self._low[chosen].min()), float(self._high[chosen].max())):
            return None
        power, noise = float(self._power[chosen].sum()), float(self._noise[chosen].sum())
        sqnr = math.inf if noise == 0 else 10 * math.log10(power / noise) if power > 0 else -math.inf
        dead = float(self._got_low[chosen].min()) == float(self._got_high[chosen].max())
        return SliceParity(f"{part} along axis {part.axis}", part.axis, part.start, part.stop, sqnr, dead)

    def dead(self, step: float) -> list[int]:
        """Indices at which the candidate is constant, and the reference varies more than rounding or noise explain.

        That is by a deviation of four steps, and of twice the noise that the other indices show.
        """
        if self._power is None or self._count == 0:
            return []
        variance = np.maximum(self._power / self._count - (self._sum / self._count) ** 2, 0.0)
        others = (self._noise.sum() - self._noise) / self._count / max(1, len(self._noise) - 1)
        still = self._got_low == self._got_high
        sizes = np.maximum(np.abs(self._low), np.abs(self._high))
        moves = (variance > (_STEPS * step) ** 2) & (variance > 4 * others) & (variance > (VARIES * sizes) ** 2)
        return [int(i) for i in np.flatnonzero(still & moves)]

    @staticmethod
    def _varies(low: float, high: float) -> bool:
        return high - low > VARIES * max(abs(low), abs(high))


def watched_axes(shape: Sequence[int], parts: Sequence[Part]) -> Iterator[int]:
    """Axes along which an output is looked at index by index: its last, the second, and that of a final join."""
    wanted = {part.axis for part in parts}
    if len(shape) > 1:
        wanted |= {1, len(shape) - 1}
    return (axis for axis in sorted(wanted) if 1 < shape[axis] <= _MOST_CHANNELS)
