"""Values of a few results in the float file and in the file made from it, counted in the same bins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Subgraph, Tensor
from edge_sdk.engines.runner import Runner
from edge_sdk.engines.values import factors, to_raw, to_real
from edge_sdk.parity.localize import TensorParity, tensor_pairs
from edge_sdk.signature import Arrays

BINS = 64
WORST = 10


@dataclass(frozen=True)
class Histogram:
    """One result on both sides, over all samples. Values are real ones: integers times their scale.

    Attributes:
        tensor: its name.
        op: type of the op that computes it in the candidate.
        op_index: of that op.
        dtype: of the candidate's tensor.
        sqnr_db: of the candidate's values.
        low: where the first of the bins begins.
        high: where the last ends; what either side holds is between.
        reference: counts of the float file's values, one for each bin.
        candidate: of the candidate's.
        range_low: the least value that the candidate's type and scale can hold; None where it is float.
        range_high: the largest.
        clipped: share of the float file's values outside that range.
    """

    tensor: str
    op: str
    op_index: int
    dtype: str
    sqnr_db: float
    low: float
    high: float
    reference: tuple[int, ...]
    candidate: tuple[int, ...]
    range_low: float | None = None
    range_high: float | None = None
    clipped: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def worst_histograms(
    reference: str, candidate: str, samples: Callable[[], Iterable[Arrays]], rows: Sequence[TensorParity]
) -> tuple[Histogram, ...]:
    """Histograms of the results that add most noise, the worst first; none of results that are exact.

    Args:
        reference: the float .tflite.
        candidate: the file made from it.
        samples: real inputs by name; gone through twice.
        rows: what :func:`~edge_sdk.parity.localize.compare_tensors` found.
    """
    chosen = sorted((row for row in rows if row.added_noise > 0), key=lambda row: -row.added_noise)[:WORST]
    left, right = Runner(reference, preserve_all_tensors=True), Runner(candidate, preserve_all_tensors=True)
    names = {
        right.artifact.main.tensors[i].name: (i, o) for i, o in tensor_pairs(left.artifact, right.artifact).items()
    }
    wanted = [(row, *names[row.tensor]) for row in chosen]
    counters = [_Counter(row, _stored(right.artifact.main, index)) for row, index, _ in wanted]
    for see in (_Counter.see_range, _Counter.count):
        for values in _values(left, right, samples(), [(index, other) for _, index, other in wanted]):
            for counter, (expected, got) in zip(counters, values, strict=True):
                see(counter, expected, got)
    return tuple(counter.histogram() for counter in counters if counter.seen)


_Pair = tuple[npt.NDArray[Any], npt.NDArray[Any]]


def _values(
    left: Runner, right: Runner, samples: Iterable[Arrays], tensors: Sequence[tuple[int, int]]
) -> Iterator[list[_Pair]]:
    inputs = right.artifact.signature.inputs
    for sample in samples:
        left.run(sample)
        right.run({name: to_raw(values, inputs[name]) for name, values in sample.items()})
        yield [_pair(left, right, index, other) for index, other in tensors]


def _pair(left: Runner, right: Runner, index: int, other: int) -> _Pair:
    expected, got = left.tensor(other), right.tensor(index)
    if expected is None or got is None:
        return np.empty(0), np.empty(0)
    real = to_real(got, right.artifact.main.tensors[index]).astype(np.float64).ravel()
    wide = expected.astype(np.float64).ravel()
    return wide[np.isfinite(wide)], real[np.isfinite(real)]


class _Counter:
    """First the range of one result, then its counts."""

    def __init__(self, row: TensorParity, tensor: Tensor) -> None:
        self._row = row
        self._tensor = tensor
        self._low, self._high = np.inf, -np.inf
        self._reference = np.zeros(BINS, np.int64)
        self._candidate = np.zeros(BINS, np.int64)
        self._range = _held(tensor)
        self._outside = 0

    @property
    def seen(self) -> bool:
        return bool(self._reference.sum() and self._candidate.sum())

    def see_range(self, expected: npt.NDArray[Any], got: npt.NDArray[Any]) -> None:
        for values in (expected, got):
            if values.size:
                self._low = min(self._low, float(values.min()))
                self._high = max(self._high, float(values.max()))

    def count(self, expected: npt.NDArray[Any], got: npt.NDArray[Any]) -> None:
        if not self._low < self._high:
            return
        self._reference += np.histogram(expected, BINS, (self._low, self._high))[0]
        self._candidate += np.histogram(got, BINS, (self._low, self._high))[0]
        if self._range:
            low, high, step = self._range
            # What rounds to the last value is held by it.
            self._outside += int(np.sum((expected < low - step / 2) | (expected > high + step / 2)))

    def histogram(self) -> Histogram:
        row, held = self._row, self._range
        return Histogram(
            row.tensor,
            row.op,
            row.op_index,
            self._tensor.dtype,
            row.sqnr_db,
            self._low,
            self._high,
            tuple(self._reference.tolist()),
            tuple(self._candidate.tolist()),
            held[0] if held else None,
            held[1] if held else None,
            self._outside / int(self._reference.sum()) if held else None,
        )


def _stored(graph: Subgraph, index: int) -> Tensor:
    """The tensor itself, or the integers that a DEQUANTIZE made it of."""
    maker = next((op for op in graph.ops if index in op.outputs), None)
    return graph.tensors[maker.inputs[0] if maker and maker.name == "DEQUANTIZE" else index]


def _held(tensor: Tensor) -> tuple[float, float, float] | None:
    """Least and largest value of a tensor with one scale, and the scale."""
    if tensor.quantization is None or tensor.quantization.per_channel or np.dtype(tensor.dtype).kind not in "iu":
        return None
    scale, zero_point = factors(tensor, tensor.quantization)
    limits = np.iinfo(np.dtype(tensor.dtype))
    step = float(scale)
    return (limits.min - float(zero_point)) * step, (limits.max - float(zero_point)) * step, step
