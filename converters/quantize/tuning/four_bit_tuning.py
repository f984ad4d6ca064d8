"""Weights of 4 bits, rounded one layer after the other, each to make up for what those before it lost.

A step is a seventh of the largest weight: nearest rounding ruins a deep network, and what its layers then read is no
longer what they were trained on. So each layer is first fitted, in float, to give on what the integer file hands to it
what the float layer gives in the float file (ridge regression towards its own weights); its steps are made smaller
where cutting off a large weight costs less than rounding the others finer saves; then its weights are rounded so that
errors cancel (:mod:`..weights.rounding`), and its bias takes up what is left of the mean. All of it per result, kept
where it is nearer on rows held out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.constants import ConstantEdit
from edge_sdk.artifact.model import parse_artifact
from edge_sdk.artifact.tree import pack_tree, parse_tree
from edge_sdk.converters.quantize.tuning.budget import save_arrays
from edge_sdk.converters.quantize.tuning.inner import inner_values
from edge_sdk.converters.quantize.weights.dot_layers import DotLayer, dot_layers
from edge_sdk.converters.quantize.weights.four_bits import put_bias
from edge_sdk.converters.quantize.weights.rounding import round_channels, round_weights
from edge_sdk.signature import Arrays

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.float32]
# A layer with more weights to a result than this would take longer than all others.
_WIDEST = 4608
# How many times the files are run, at most about; layers between two runs do not see each other's rounding.
_RUNS = 48
# Share of the mean power that is added to every input: how far few samples may pull a layer from its own weights.
_RIDGE = 0.03
_NARROWER = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
_ROOM = 2**30


def has_four_bits(data: bytes) -> bool:
    """Whether a file stores weights in int4."""
    return any(tensor.dtype == "int4" and tensor.is_stored for tensor in parse_artifact(data).main.tensors)


@dataclass(frozen=True)
class Fitted:
    """A layer as it is written: ``weights`` is what its integers were rounded from, ``shift`` what its bias gains."""

    integers: npt.NDArray[np.int8]
    steps: Floats
    weights: Floats
    shift: Floats


class Chain:
    """The layers of an integer file with 4-bit weights, rounded in order."""

    def __init__(self, reference: bytes, plain: bytes, stored: Callable[[int], Path | None] | None, seed: int) -> None:
        """``stored`` is where the layer of an op is kept for a run that goes on, if anywhere."""
        self._reference, self._plain, self._stored, self._seed = reference, plain, stored, seed
        every = list(dot_layers(reference, plain))
        self.layers = [layer for layer in every if layer.depth <= _WIDEST]
        self.too_wide = len(every) - len(self.layers)
        self._ints = parse_artifact(plain).main

    def rounded(
        self,
        samples: Callable[[], Iterable[Arrays]],
        progress: Callable[[int], None],
        is_over: Callable[[], bool] = lambda: False,
    ) -> tuple[bytes, bytes, int]:
        """The file, the float file that explains its constants, and how many layers were rounded anew.

        Layers that are not stored stay as they are from where ``is_over`` says so on.
        """
        found: dict[int, Fitted] = {}
        at_once = -(-len(self.layers) // _RUNS)
        for begin in range(0, len(self.layers), at_once):
            part = self.layers[begin : begin + at_once]
            fresh = [layer for layer in part if not self._is_stored(layer)]
            if fresh and is_over():
                break
            rows = self._rows(fresh, self._written(found)[0], samples) if fresh else {}
            for layer in part:
                made = self._one(layer, rows.get(layer.op.index))
                if made is not None:
                    found[layer.op.index] = made
            progress(min(begin + at_once, len(self.layers)))
        return *self._written(found), len(found)

    def _rows(
        self, layers: Sequence[DotLayer], current: bytes, samples: Callable[[], Iterable[Arrays]]
    ) -> dict[int, tuple[Rows, Rows]]:
        """What results of each layer read in the float file and in the integer file, at the same places."""
        every = list(samples())
        wanted = self._read(layers, self._reference, {one.op.index: one.reference.inputs[0] for one in layers}, every)
        given = self._read(layers, current, {one.op.index: one.data for one in layers}, every)
        return {index: (rows, given[index]) for index, rows in wanted.items()}

    def _read(
        self, layers: Sequence[DotLayer], data: bytes, tensors: Mapping[int, int], samples: Sequence[Arrays]
    ) -> dict[int, Rows]:
        """Of one file, with its delegate; ``tensors`` are what each layer reads there."""
        rngs = {layer.op.index: np.random.default_rng(self._seed + layer.op.index) for layer in layers}
        found: dict[int, list[Rows]] = {layer.op.index: [] for layer in layers}
        for values in inner_values(data, set(tensors.values()), samples):
            for layer in layers:
                tensor, raw = values[tensors[layer.op.index]]
                each = -(-layer.count // len(samples))
                found[layer.op.index].append(layer.read(raw, tensor, each, rngs[layer.op.index]))
        return {index: np.concatenate(parts, axis=-2) for index, parts in found.items()}

    def _one(self, layer: DotLayer, rows: tuple[Rows, Rows] | None) -> Fitted | None:
        path = self._stored(layer.op.index) if self._stored else None
        if path is not None and path.exists():
            with np.load(path) as arrays:
                return Fitted(**arrays) if "integers" in arrays else None
        made = None if rows is None else fitted(layer, *rows, self._least_steps(layer), biased=self._has_bias(layer))
        if path is not None:
            save_arrays(path, {} if made is None else vars(made))
        return made

    def _is_stored(self, layer: DotLayer) -> bool:
        path = self._stored(layer.op.index) if self._stored else None
        return path is not None and path.exists()

    def _has_bias(self, layer: DotLayer) -> bool:
        return len(layer.op.inputs) > 2 and layer.op.inputs[2] >= 0

    def _least_steps(self, layer: DotLayer) -> Floats:
        """Steps in which an integer bias fits; 0 where it is in float."""
        known = self._ints.tensors[layer.data].quantization
        if known is None or not self._has_bias(layer):
            return np.zeros((len(layer.steps), 1))
        return np.abs(self._bias(layer)).reshape(-1, 1) / (known.scale[0] * _ROOM)

    def _bias(self, layer: DotLayer) -> Floats:
        """The real bias in the float file; zeros where it has none."""
        operands = layer.reference.inputs
        index = operands[2] if len(operands) > 2 else -1
        tensor = parse_artifact(self._reference).main.tensors[index] if index >= 0 else None
        if tensor is None or tensor.constant is None:
            return np.zeros(len(layer.steps))
        return np.asarray(np.broadcast_to(tensor.values().reshape(-1), (len(layer.steps),)), np.float64)

    def _written(self, found: Mapping[int, Fitted]) -> tuple[bytes, bytes]:
        ints, floats = parse_tree(self._plain)[0], parse_tree(self._reference)[0]
        new, old = ConstantEdit(ints), ConstantEdit(floats)
        for layer in self.layers:
            made = found.get(layer.op.index)
            if made is not None:
                self._write(layer, made, new)
                self._explain(layer, made, old)
        return pack_tree(ints), pack_tree(floats)

    def _write(self, layer: DotLayer, made: Fitted, edit: ConstantEdit) -> None:
        kernel = layer.kernel
        edit.set_values(kernel.index, layer.back(made.integers))
        if kernel.blockwise is None:
            edit.set_scale(kernel.index, made.steps[:, 0])
        else:
            scales = made.steps[:, :: kernel.blockwise.block_size].astype(np.float16)
            edit.set_values(kernel.blockwise.scales, scales)
        if not self._has_bias(layer):
            return
        bias = self._bias(layer) + made.shift
        stored = self._ints.tensors[layer.op.inputs[2]]
        if stored.dtype == "float32":
            edit.set_values(edit.own(layer.op.index, 2), bias.astype(np.float32).reshape(stored.shape))
        else:
            put_bias(edit, self._ints, layer.op, bias, made.steps[:, 0])

    def _explain(self, layer: DotLayer, made: Fitted, edit: ConstantEdit) -> None:
        edit.set_values(layer.original, layer.back(made.weights).astype(np.float32))
        operands = layer.reference.inputs
        if self._has_bias(layer) and len(operands) > 2 and operands[2] >= 0:
            stored = parse_artifact(self._reference).main.tensors[operands[2]]
            bias = (self._bias(layer) + made.shift).astype(np.float32)
            edit.set_values(edit.own(layer.reference.index, 2), bias.reshape(stored.shape))


def fitted(layer: DotLayer, wanted: Rows, given: Rows, least: Floats, *, biased: bool) -> Fitted | None:
    """A layer that gives on ``given`` what the float one gives on ``wanted``; None where nothing is nearer.

    Args:
        layer: the layer.
        wanted: what its results read in the float file, ``[rows, depth]``, depthwise ``[channels, rows, depth]``.
        given: likewise in the integer file.
        least: its steps may not be smaller, ``[results, 1]``.
        biased: whether a bias takes up means.
    """
    weights = layer.rows_of(layer.weights).astype(np.float64)
    stored = layer.rows_of(layer.kernel.values())
    fifth = np.arange(given.shape[-2]) % 5 == 0
    made = _fitted(layer, weights, wanted[..., ~fifth, :], given[..., ~fifth, :], least, biased=biased)
    held = wanted[..., fifth, :], given[..., fifth, :]
    none = np.zeros(len(weights))
    before = _miss(weights, stored * layer.steps, none, *held)
    nearer = _miss(weights, made.integers * made.steps, made.shift, *held) < before
    if not nearer.any():
        return None
    column = nearer[:, np.newaxis]
    return Fitted(
        np.where(column, made.integers, stored).astype(np.int8),
        np.where(column, made.steps, layer.steps),
        np.where(column, made.weights, weights),
        np.where(nearer, made.shift, none),
    )


def _fitted(layer: DotLayer, weights: Floats, wanted: Rows, given: Rows, least: Floats, *, biased: bool) -> Fitted:
    means = [rows.mean(-2, dtype=np.float64) * biased for rows in (wanted, given)]
    centred = [
        (rows - mean[..., np.newaxis, :]).astype(np.float32) for rows, mean in zip((wanted, given), means, strict=True)
    ]
    spread, shared = _products(centred[1], centred[1]), _products(centred[0], centred[1])
    target = _ridge(weights, shared, spread)
    steps = _steps(layer, target, spread, least)
    if layer.is_depthwise:
        made = round_channels(target, steps[:, 0], spread, layer.largest)
    else:
        made = round_weights(target, steps, spread, layer.largest)
    shift = _sums(weights, means[0]) - _sums(made.integers * steps, means[1])
    return Fitted(made.integers, steps, made.weights, shift)


def _products(one: Rows, other: Rows) -> Floats:
    found: Floats = np.matmul(np.swapaxes(one, -1, -2), other).astype(np.float64) / one.shape[-2]
    return found


def _ridge(weights: Floats, shared: Floats, spread: Floats) -> Floats:
    """Weights whose products with the integer file's values are nearest to those with the float file's."""
    depth = weights.shape[-1]
    power = np.diagonal(spread, axis1=-2, axis2=-1).mean(-1)[..., np.newaxis, np.newaxis]
    ridge = np.eye(depth) * np.maximum(_RIDGE * power, 1e-12)
    if spread.ndim == 2:
        return np.asarray(np.linalg.solve(spread + ridge, (weights @ (shared + ridge)).T).T)
    right = np.matmul(weights[:, np.newaxis], shared + ridge)
    return np.asarray(np.linalg.solve(spread + ridge, np.swapaxes(right, -1, -2))[..., 0])


def _steps(layer: DotLayer, weights: Floats, spread: Floats, least: Floats) -> Floats:
    """For each result, or each block of its row, the step that costs its results least when weights are rounded."""
    block = layer.kernel.blockwise.block_size if layer.kernel.blockwise else weights.shape[1]
    parts = [_narrowed(layer, weights[:, b], _part(spread, b)) for b in _slices(weights.shape[1], block)]
    steps = np.maximum(np.concatenate(parts, axis=1), least)
    if layer.kernel.blockwise:
        return steps.astype(np.float16).astype(np.float64)
    return steps[:, :1].astype(np.float32).astype(np.float64)


def _slices(depth: int, block: int) -> Iterator[slice]:
    return (slice(begin, begin + block) for begin in range(0, depth, block))


def _part(spread: Floats, part: slice) -> Floats:
    return spread[..., part, part]


def _narrowed(layer: DotLayer, weights: Floats, spread: Floats) -> Floats:
    largest = np.abs(weights).max(axis=1, keepdims=True)
    plain = np.where(largest > 0, largest, 1.0) / layer.largest
    best, cost = plain, np.full(len(weights), np.inf)
    for factor in _NARROWER if layer.largest < 127 else _NARROWER[:1]:
        step = plain * factor
        errors = weights - np.clip(np.rint(weights / step), -layer.largest, layer.largest) * step
        found = _powers(errors, spread)
        best = np.where((found < cost)[:, np.newaxis], step, best)
        cost = np.minimum(cost, found)
    return np.broadcast_to(best, weights.shape)


def _powers(errors: Floats, spread: Floats) -> Floats:
    products = errors @ spread if spread.ndim == 2 else np.matmul(errors[:, np.newaxis], spread)[:, 0]
    return np.asarray(np.sum(products * errors, axis=1))


def _sums(weights: Floats, values: Floats) -> Floats:
    """Products of each result's weights with one row, or with a row of its own."""
    return np.asarray(weights @ values if values.ndim == 1 else np.sum(weights * values, axis=1))


def _miss(weights: Floats, rounded: Floats, shift: Floats, wanted: Rows, given: Rows) -> Floats:
    """Mean square error of each result."""
    if wanted.ndim == 2:
        want, got = (rows @ kernel.T.astype(np.float32) for rows, kernel in ((wanted, weights), (given, rounded)))
        return np.asarray(np.mean(np.square(want - got - shift), axis=0))
    want = np.matmul(wanted, weights[..., np.newaxis])[..., 0]
    got = np.matmul(given, rounded[..., np.newaxis])[..., 0]
    return np.asarray(np.mean(np.square(want - got - shift[:, np.newaxis]), axis=1))
