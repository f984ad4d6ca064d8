"""Biases corrected for what rounding the weights does to the mean of each channel (Nagel et al. 2019, section 4.2).

A weight that is rounded up makes every result larger by the same share of its input's mean. The means are taken where
the int8 file itself leaves them: over calibration data, of what each of its dot products reads. A dot product is
linear, so that the float op on the mean input less the op with the int8 weights on the same is exactly the mean
error; it goes into the int32 bias, at its scale of scale(input) * scale(weights). So the means need one pass, and no op
waits for the correction of an earlier one.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.apart import has_twin, leading_to
from edge_sdk.artifact.constants import ConstantEdit
from edge_sdk.artifact.model import Op, Subgraph, parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.quantize.weights.outputs import output_sqnr_db
from edge_sdk.engines.runner import Runner
from edge_sdk.folders import temporary_folder
from edge_sdk.parity.ops import open_twins
from edge_sdk.parity.pairing import OpPair, pair_ops
from edge_sdk.signature import Arrays

Floats = npt.NDArray[np.float64]
# Input, weights and bias among an op's operands.
_PLACES = {
    "CONV_2D": (0, 1, 2),
    "DEPTHWISE_CONV_2D": (0, 1, 2),
    "FULLY_CONNECTED": (0, 1, 2),
    "TRANSPOSE_CONV": (2, 1, 3),
}


@dataclass(frozen=True)
class Correction:
    """What became of the biases.

    Attributes:
        ops: dot products whose bias was corrected.
        left: those with integer weights that have no bias of their own to correct.
        largest_steps: by how much the mean of a channel was off at most, in steps of its result.
        samples: that were looked at.
        sqnr_db: of the outputs against the float file's on some calibration samples, before and after; measured
            in-sample.
        kept: whether the corrected file is the one that was taken: not where it is further from the float file.
    """

    ops: int
    left: int
    largest_steps: float
    samples: int
    sqnr_db: tuple[float, float]
    kept: bool

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"sqnr_db": list(self.sqnr_db)}


def correct_biases(reference: bytes, quantized: bytes, samples: Callable[[], Iterable[Arrays]]) -> Corrected:
    """Corrects the biases of an int8 file.

    Args:
        reference: the float file that it was made from.
        quantized: the int8 file.
        samples: calibration data, inputs by name in the files' layout; called more than once, a few are enough.

    Raises:
        ModelError: the engine refuses a file.
    """
    pairs = [pair for pair in pair_ops(parse_artifact(reference), parse_artifact(quantized)) if _is_dot(pair)]
    with temporary_folder("biases") as name:
        return _Biases(reference, quantized, pairs, Path(name)).corrected(samples)


@dataclass(frozen=True)
class Corrected:
    """The int8 file, and the float file whose biases explain its own."""

    quantized: bytes
    reference: bytes
    correction: Correction


def _is_dot(pair: OpPair) -> bool:
    return pair.candidate.name in _PLACES


class _Biases:
    def __init__(self, reference: bytes, quantized: bytes, pairs: Sequence[OpPair], folder: Path) -> None:
        self._reference, self._quantized, self._folder = reference, quantized, folder
        self._floats, self._ints = parse_artifact(reference).main, parse_artifact(quantized).main
        readers = Counter(index for op in self._ints.ops for index in op.inputs)
        both = [p for p in pairs if has_twin(self._floats, p.reference) and has_twin(self._ints, p.candidate)]
        dots = [p for p in both if self._is_integer(p.candidate)]
        self._pairs = [p for p in dots if self._own_bias(p.candidate, readers)]
        self._left = len(dots) - len(self._pairs)

    def _is_integer(self, op: Op) -> bool:
        data, weights, _ = _PLACES[op.name]
        kernel = self._ints.tensors[op.inputs[weights]].dtype
        return self._ints.tensors[op.inputs[data]].dtype == "int8" and kernel in ("int8", "int4")

    def _own_bias(self, op: Op, readers: Mapping[int, int]) -> bool:
        place = _PLACES[op.name][2]
        index = op.inputs[place] if place < len(op.inputs) else -1
        bias = self._ints.tensors[index] if index >= 0 else None
        return bias is not None and bias.dtype == "int32" and bias.constant is not None and readers[index] == 1

    def corrected(self, samples: Callable[[], Iterable[Arrays]]) -> Corrected:
        means, count = self._means(samples())
        shifts = self._shifts(means)
        steps = [float(np.max(np.abs(shift)) / self._step(pair.candidate)) for pair, shift in shifts]
        made = self._written(shifts)
        before = output_sqnr_db(self._reference, self._quantized, samples())
        after = output_sqnr_db(self._reference, made[0], samples())
        kept = after >= before and bool(shifts)
        files = made if kept else (self._quantized, self._reference)
        largest = max(steps, default=0.0)
        return Corrected(*files, Correction(len(shifts), self._left, largest, count, (before, after), kept))

    def _step(self, op: Op) -> float:
        known = self._ints.tensors[op.outputs[0]].quantization
        return known.scale[0] if known else 1.0

    def _means(self, samples: Iterable[Arrays]) -> tuple[dict[int, npt.NDArray[np.float32]], int]:
        """Tensor of the int8 file to its mean over samples, real; and how many there were."""
        path = self._folder / "int8.tflite"
        wanted = {pair.candidate.inputs[_PLACES[pair.candidate.name][0]] for pair in self._pairs}
        path.write_bytes(leading_to(self._quantized, wanted))
        runner = Runner(path, threads=os.cpu_count() or 1, preserve_all_tensors=True)
        sums: dict[int, npt.NDArray[np.int32]] = {}
        count = 0
        for count, sample in enumerate(samples, 1):  # noqa: B007 - used after the loop
            runner.run_real(sample)
            for index in wanted:
                values = runner.tensor(index)
                if values is not None:
                    total = sums.setdefault(index, np.zeros(values.shape, np.int32))
                    np.add(total, values, out=total)
        return {index: self._real(total / count, index) for index, total in sums.items()}, count

    def _real(self, mean: Floats, index: int) -> npt.NDArray[np.float32]:
        known = self._ints.tensors[index].quantization
        scale, zero = (known.scale[0], known.zero_point[0]) if known else (1.0, 0)
        return ((mean - zero) * scale).astype(np.float32)

    def _shifts(self, means: Mapping[int, Any]) -> list[tuple[OpPair, Floats]]:
        """What each channel's mean lacks."""
        data = {p.candidate.index: p.candidate.inputs[_PLACES[p.candidate.name][0]] for p in self._pairs}
        want = self._linear(self._reference, [(p.reference, means[data[p.candidate.index]]) for p in self._pairs])
        got = self._linear(self._quantized, [(p.candidate, means[data[p.candidate.index]]) for p in self._pairs])
        return [
            (pair, (_rows(one) - _rows(other)).astype(np.float64).mean(0))
            for pair, one, other in zip(self._pairs, want, got, strict=True)
        ]

    def _linear(self, data: bytes, fed: Sequence[tuple[Op, Any]]) -> list[Any]:
        """Float twins of ops without their fused activation, on values for their inputs."""
        if not fed:
            return []
        root, _ = parse_tree(data)
        for op, _ in fed:
            root.subgraphs[0].operators[op.index].builtin_options.fused_activation_function = 0
        linear = pack_tree(root)
        graph: Subgraph = parse_artifact(linear).main
        results = {}
        # An op at a time: two may read one tensor, and have other values for it in the two files.
        kept, twin = open_twins(linear, [graph.ops[op.index] for op, _ in fed], self._folder)
        given = {}
        for op, values in fed:
            index = op.inputs[_PLACES[op.name][0]]
            # TensorFlow's quantizer drops a RESHAPE that a dense layer does not need: the same values in another shape.
            given[f"in_{index}"] = values.astype(np.float32).reshape(graph.tensors[index].shape)
        out = twin.run({spec.name: given[spec.name] for spec in twin.inputs})
        for op in kept:
            results[op.index] = out[f"out_{op.outputs[0]}"]
        return [results[op.index] for op, _ in fed]

    def _written(self, shifts: Sequence[tuple[OpPair, Floats]]) -> tuple[bytes, bytes]:
        ints, floats = parse_tree(self._quantized)[0], parse_tree(self._reference)[0]
        new, old = ConstantEdit(ints), ConstantEdit(floats)
        limits = np.iinfo(np.int32)
        for pair, shift in shifts:
            place = _PLACES[pair.candidate.name][2]
            index = pair.candidate.inputs[place]
            tensor = self._ints.tensors[index]
            step = np.asarray(tensor.quantization.scale if tensor.quantization else (1.0,))
            values = np.clip(np.rint(tensor.values() + shift / step), limits.min, limits.max).astype(np.int32)
            new.set_values(index, values)
            other = pair.reference.inputs[place] if place < len(pair.reference.inputs) else -1
            if other >= 0 and self._floats.tensors[other].constant is not None:
                bias = self._floats.tensors[other].values()
                # Equal biases are one tensor in the float file, and get different corrections.
                own = old.own(pair.reference.index, place)
                old.set_values(own, (bias.reshape(-1) + shift).astype(np.float32).reshape(bias.shape))
        return pack_tree(ints), pack_tree(floats)


def _rows(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """One row for each place, channels last."""
    return values.reshape(-1, values.shape[-1])


def with_biases(data: bytes, plain: bytes, corrected: bytes, only: Collection[int] | None = None) -> bytes:
    """A file with those operands that differ between two others: corrected biases, of their own where they were one.

    ``only`` are indices of ops, where not all are meant.
    """
    before, after = parse_artifact(plain).main, parse_artifact(corrected).main
    root, _ = parse_tree(data)
    edit = ConstantEdit(root)
    for one, other in zip(before.ops, after.ops, strict=True):
        if only is not None and one.index not in only:
            continue
        for place, (old, new) in enumerate(zip(one.inputs, other.inputs, strict=True)):
            was, now = (graph.tensors[at] if at >= 0 else None for graph, at in ((before, old), (after, new)))
            if was is None or now is None or was.constant is None or now.constant is None:
                continue
            if not np.array_equal(was.constant, now.constant):
                edit.set_values(edit.own(one.index, place), now.values())
    return pack_tree(root)
