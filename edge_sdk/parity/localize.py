"""Where an error begins: the tensors of two files that compute the same thing, compared one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge_sdk.artifact.compute import CONVERT_OPS
from edge_sdk.artifact.model import Artifact, Op
from edge_sdk.engines.runner import Runner
from edge_sdk.engines.values import to_raw, to_real
from edge_sdk.signature import Arrays

_PADDING = 1e30


@dataclass(frozen=True)
class TensorParity:
    """One intermediate result that both files hold under the same name.

    ``loss_db`` is by how much its SQNR is below the lowest among the results it is computed from (infinite SQNR
    counts as 100 dB). ``added_noise`` is the same as a difference of noise-to-signal ratios, which add up on the way
    to an output: the op with the largest spoils the result, rather than inheriting the damage, or being the first to
    round at all.
    """

    tensor: str
    op: str
    op_index: int
    sqnr_db: float
    loss_db: float

    @property
    def added_noise(self) -> float:
        """Noise-to-signal ratio of the result less that of the worst operand."""
        return float(10 ** (-self.sqnr_db / 10) - 10 ** (-(self.sqnr_db + self.loss_db) / 10))

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"added_noise": self.added_noise}


def compare_tensors(reference: str, candidate: str, samples: Iterable[Arrays]) -> list[TensorParity]:
    """Runs both files without XNNPACK and compares results of equal name, in the candidate's op order.

    Args:
        reference: the float .tflite.
        candidate: the file made from it.
        samples: real inputs by name; rounded for a candidate with quantized inputs.
    """
    left = Runner(reference, preserve_all_tensors=True)
    right = Runner(candidate, preserve_all_tensors=True)
    pairs = tensor_pairs(left.artifact, right.artifact)
    signal = dict.fromkeys(pairs, 0.0)
    noise = dict.fromkeys(pairs, 0.0)
    for sample in samples:
        left.run(sample)
        right.run({n: to_raw(v, right.artifact.signature.inputs[n]) for n, v in sample.items()})
        for index, other in pairs.items():
            expected, got = left.tensor(other), right.tensor(index)
            if expected is None or got is None or expected.shape != got.shape:
                continue
            real = to_real(got, right.artifact.main.tensors[index]).astype(np.float64)
            # Padding with the lowest float is made to lose against anything: what stands for it does not matter.
            kept = np.abs(expected) < _PADDING
            signal[index] += float(np.sum(expected[kept].astype(np.float64) ** 2))
            noise[index] += float(np.sum((expected[kept] - real[kept]) ** 2))
    sqnr = {i: _sqnr(signal[i], noise[i]) for i in pairs if signal[i] > 0}
    return _rows(right.artifact, sqnr)


def tensor_pairs(reference: Artifact, candidate: Artifact) -> dict[int, int]:
    """Candidate tensor index to the reference's, for computed tensors with a name that is unique on both sides."""
    expected = _computed(reference)
    return {index: expected[name] for name, index in _computed(candidate).items() if name in expected}


def _computed(artifact: Artifact) -> dict[str, int]:
    graph = artifact.main
    names = [(graph.tensors[i].name, i) for op in graph.ops for i in op.outputs if i >= 0]
    seen = Counter(name for name, _ in names)
    return {name: index for name, index in names if seen[name] == 1}


def _sqnr(signal: float, noise: float) -> float:
    return 100.0 if noise == 0 else float(min(100.0, 10 * np.log10(signal / noise)))


def _rows(artifact: Artifact, sqnr: dict[int, float]) -> list[TensorParity]:
    graph = artifact.main
    producer = graph.makers
    # What no pair exists for (layout ops, conversions) passes on the quality of its own operands.
    quality = dict(sqnr)
    rows = []
    for op in graph.ops:
        before = min((quality.get(i, 100.0) for i in op.inputs if i >= 0), default=100.0)
        for index in op.outputs:
            if index in sqnr:
                maker = _computing(op, producer)
                name = graph.tensors[index].name
                rows.append(TensorParity(name, maker.name, maker.index, sqnr[index], before - sqnr[index]))
            quality.setdefault(index, before)
    return rows


def _computing(op: Op, producer: Mapping[int, Op]) -> Op:
    """The op itself; of a conversion between types, the op whose result it converts."""
    return producer.get(op.inputs[0], op) if op.name in CONVERT_OPS else op
