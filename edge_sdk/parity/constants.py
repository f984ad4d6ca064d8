"""Right, number by number: what a file stores against the float file it was made from, within a step of its scale."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.apart import expansions, real_constant
from edge_sdk.artifact.dtypes import READABLE, limits
from edge_sdk.artifact.model import Artifact, Op, Subgraph, Tensor
from edge_sdk.artifact.schema import schema
from edge_sdk.parity.folded import SHAPING, WHOLE, Range, clip_of
from edge_sdk.parity.pairing import OpPair, pair_ops

# Nearest rounding is off by half a step; rounding that learns which way to go, by one.
_STEPS, _NEAREST = 1.02, 0.52
# Only weights are learned, and biases with them; other constants are rounded to the nearest.
_LEARNED = frozenset({"BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "EMBEDDING_LOOKUP", "FULLY_CONNECTED", "GATHER",
                      "TRANSPOSE_CONV"})  # fmt: skip
_DIVIDED = 2.0**-22
# float16 keeps 11 bits.
_HALF = 2.0**-10
_FLOAT = 1e-6
# TFLite's kernels multiply with scale(input) * scale(weights) whatever the bias says of its own.
_SCALES = 1e-3
_MASKING = frozenset({"ADD", "MUL", "SELECT", "SELECT_V2"})
_MASK, _FAR = 1e3, 1e4
_ORDERING = frozenset({"CONCATENATION", "FILL", "MAXIMUM", "MINIMUM", "PACK", "SUB"})
_CLIPS: dict[str, Range] = {
    "NONE": WHOLE,
    "RELU": (0.0, np.inf),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}
_BIASED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
_NAMED = 60
# What a quantizer may write otherwise and mean the same.
_FREE_OPERANDS = frozenset({"RESHAPE", "QUANTIZE", "DEQUANTIZE"})
_PAD_VALUE = ("PADV2", 2)
_COMPARED = frozenset(
    {
        "axis",
        "begin_mask",
        "end_mask",
        "new_axis_mask",
        "shrink_axis_mask",
        "ellipsis_mask",
        "stride_w",
        "stride_h",
        "dilation_w_factor",
        "dilation_h_factor",
        "padding",
        "filter_width",
        "filter_height",
        "num_splits",
        "num",
        "block_size",
        "adj_x",
        "adj_y",
        "keep_dims",
        "batch_dims",
        "align_corners",
        "half_pixel_centers",
        "depth_multiplier",
    }
)


@dataclass(frozen=True)
class ConstantFault:
    """A constant, or an option, that is not what the float file holds.

    ``steps`` is by how many steps of its scale (1 for what must be equal), ``channels`` where along its scales' axis.
    """

    op: str
    index: int
    tensor: str
    what: str
    steps: float
    channels: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"kind": "constant", "text": str(self)}

    def __str__(self) -> str:
        where = f" in channels {', '.join(map(str, self.channels))}" if self.channels else ""
        return f"{self.op} {self.index} `{self.tensor[-_NAMED:]}`: {self.what}{where}"


def constant_faults(reference: Artifact, candidate: Artifact) -> list[ConstantFault]:
    """Everything stored in the candidate's main subgraph that the float file does not explain, op by op."""
    pairs = pair_ops(reference, candidate, past_folded=True)
    check = _Check(reference.main, candidate.main, {pair.reference.index for pair in pairs})
    return [fault for pair in pairs for fault in check.pair(pair)]


class _Check:
    def __init__(self, reference: Subgraph, candidate: Subgraph, paired: Collection[int]) -> None:
        self._left, self._right, self._paired = reference, candidate, paired
        self._stored = (expansions(reference), expansions(candidate))
        self._makers = reference.makers

    def pair(self, pair: OpPair) -> Iterator[ConstantFault]:
        op = pair.candidate
        yield from self._options(pair)
        yield from self._bias_scale(op)
        if op.name in _FREE_OPERANDS:
            return
        for place, (one, other) in enumerate(zip(pair.reference.inputs, op.inputs, strict=False)):
            if one < 0 or other < 0 or (op.name, place) == _PAD_VALUE:
                continue
            left = self._stored[0].get(one, self._left.tensors[one])
            right = self._stored[1].get(other, self._right.tensors[other])
            if _readable(left) and _readable(right) and left.elements == right.elements:
                yield from self._constant(pair, place, left, right)

    def _options(self, pair: OpPair) -> Iterator[ConstantFault]:
        for name in _COMPARED & pair.reference.options.keys() & pair.candidate.options.keys():
            want, got = pair.reference.options[name], pair.candidate.options[name]
            if want != got and name != "axis":
                yield self._fault(pair.candidate, f"{name} is {got}, in the float file {want}", 1.0)
            elif want != got and (want - got) % self._rank(pair.candidate):
                yield self._fault(pair.candidate, f"axis is {got}, in the float file {want}", 1.0)
        yield from self._activation(pair)

    def _activation(self, pair: OpPair) -> Iterator[ConstantFault]:
        """A fused activation may be missing where the range of integers ends where it would clip, and nowhere else."""
        want, got = (_activation_of(op) for op in (pair.reference, pair.candidate))
        clip = self._folded_clip(pair.reference)
        if want == got and clip == WHOLE:
            return
        result = self._right.tensors[pair.candidate.outputs[0]]
        known = {want, got} <= _CLIPS.keys()
        if not known or not _clips_alike(_both(_CLIPS[want], clip), _CLIPS[got], result):
            behind = "" if clip == WHOLE else f" with a clip to {clip[0]:g} .. {clip[1]:g} behind it"
            yield self._fault(pair.candidate, f"its fused activation is {got}, in the float file {want}{behind}", 1.0)

    def _folded_clip(self, op: Op) -> Range:
        """What the only ops that read a float op's result clip it to, where the candidate has no such op."""
        clip, readers = WHOLE, self._left.readers.get(op.outputs[0], ())
        while len(readers) == 1 and readers[0].index not in self._paired:
            reader = readers[0]
            own = clip_of(self._left, reader)
            if own is None and reader.name not in SHAPING:
                break
            clip, readers = _both(clip, own or WHOLE), self._left.readers.get(reader.outputs[0], ())
        return clip

    def _rank(self, op: Op) -> int:
        return max(1, len(self._right.tensors[op.inputs[0]].shape))

    def _bias_scale(self, op: Op) -> Iterator[ConstantFault]:
        tensors = [self._right.tensors[index] for index in op.inputs if index >= 0]
        if op.name not in _BIASED or len(tensors) < 3 or any(t.quantization is None for t in tensors):
            return
        data, weights, bias = (np.asarray(t.quantization.scale) for t in tensors[:3] if t.quantization)
        expected = data[0] * weights
        if len(bias) not in (1, len(expected)):
            return
        off = np.abs(bias / expected - 1)
        if np.any(off > _SCALES):
            worst = float(np.max(off))
            what = f"the scale of its bias is {worst:.1%} off scale(input) x scale(weights), which is what kernels use"
            yield self._fault(op, what, worst, _where(off > _SCALES))

    def _constant(self, pair: OpPair, place: int, left: Tensor, right: Tensor) -> Iterator[ConstantFault]:
        op, want, got = pair.candidate, left.values().reshape(right.shape), real_constant(right)
        if want.dtype.kind != "f":
            same = np.array_equal(want, got) or self._same_axes(op, want, got) or self._are_summed(pair.reference, got)
            if not same:
                places = np.argwhere(want != got)
                first = tuple(int(i) for i in places[0])
                what = f"operand {place} holds {got[first]} at {list(first)}, the float file {want[first]}"
                yield self._fault(op, what, 1.0)
            return
        off = self._steps(op, want, right)
        most = _STEPS if op.name in _LEARNED or right.quantization is None else _NEAREST
        if np.any(off > most):
            yield self._fault(op, *_words(place, off, right, most))

    def _are_summed(self, op: Op | None, got: npt.NDArray[Any]) -> bool:
        """Whether a converter has made one ADD of several in a row: its integers are the sum of theirs."""
        total = np.zeros((), np.int64)
        while op is not None and op.name == "ADD":
            running = [index for index in op.inputs if self._left.tensors[index].constant is None]
            if len(running) != 1:
                return False
            (stored,) = (index for index in op.inputs if index != running[0])
            total = total + self._left.tensors[stored].values()
            if total.size == got.size and np.array_equal(total.reshape(got.shape), got):
                return True
            op = self._makers.get(running[0])
        return False

    def _same_axes(self, op: Op, want: npt.NDArray[Any], got: npt.NDArray[Any]) -> bool:
        """Axes counted from the end are the same axes."""
        return op.name.startswith(("MEAN", "SUM", "REDUCE_")) and not np.any((want - got) % self._rank(op))

    def _steps(self, op: Op, want: npt.NDArray[Any], tensor: Tensor) -> npt.NDArray[np.float64]:
        got = real_constant(tensor).astype(np.float64)
        if tensor.quantization is None or tensor.dtype.startswith("float"):
            relative = _HALF if tensor.dtype == "float16" else _FLOAT
            off = np.asarray(np.abs(want - got) / np.maximum(relative * np.abs(want), 1e-7))
            return np.where(_masked(op, want, got) | (want == got), 0.0, off)
        step = _spread(tensor, np.asarray(tensor.quantization.scale))
        if tensor.dtype == "int32":
            # A bias that was corrected may move by what the op's own result cannot show.
            result = self._right.tensors[op.outputs[0]].quantization
            step = np.maximum(step, result.scale[0] if result else 0.0)
        if tensor.dtype in ("int32", "int64"):
            # Quantizers divide in float32: of a bias of 2^30 steps the last bits are that division's.
            step = np.maximum(step, _DIVIDED * np.abs(want))
        off = np.where(_masked(op, want, got) | _is_lost(op, want, tensor), 0.0, np.abs(want - got) / step)
        # The range of weights may be chosen smaller than they are; that of other constants is their own.
        return np.where(_clipped(want, got, tensor), 0.0, off) if op.name in _LEARNED else off

    def _fault(self, op: Op, what: str, steps: float, channels: tuple[int, ...] = ()) -> ConstantFault:
        return ConstantFault(op.name, op.index, self._right.tensors[op.outputs[0]].name, what, steps, channels)


def _activation_of(op: Op) -> str:
    return schema().enums["ActivationFunctionType"].get(int(op.options.get("fused_activation_function") or 0), "?")


def _both(one: Range, other: Range) -> Range:
    return max(one[0], other[0]), min(one[1], other[1])


def _clips_alike(want: Range, got: Range, result: Tensor) -> bool:
    known = result.quantization
    if known is None or result.dtype.startswith("float"):
        return want == got
    scale, point = known.scale[0], known.zero_point[0]
    low, high = ((value - point) * scale for value in limits(result.dtype))
    kept = [[min(max(end, low), high) for end in ends] for ends in (want, got)]
    return all(abs(one - other) <= _STEPS * scale for one, other in zip(*kept, strict=True))


def _words(place: int, off: npt.NDArray[np.float64], tensor: Tensor, most: float) -> tuple[str, float, tuple[int, ...]]:
    worst = float(np.max(off))
    axis = tensor.quantization.axis if tensor.quantization and tensor.quantization.per_channel else -1
    beyond = np.moveaxis(off > most, axis, 0).reshape(off.shape[axis], -1).any(1) if off.ndim else np.zeros(1, bool)
    unit = "steps" if tensor.quantization else "roundings"
    return f"operand {place} is {worst:.3g} {unit} from the float file's (at most {most:.1g})", worst, _where(beyond)


def _where(beyond: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    return () if beyond.all() else tuple(int(i) for i in np.flatnonzero(beyond)[:8])


def _clipped(want: npt.NDArray[Any], got: npt.NDArray[Any], tensor: Tensor) -> npt.NDArray[np.bool_]:
    """Values that a range smaller than the weights cuts off: at the end of the scale, further out in float."""
    low, high = limits(tensor.dtype)
    stored = tensor.values()
    at_end = (stored >= high) | (stored <= low + 1)
    return np.asarray(at_end & (np.sign(want) == np.sign(got)) & (np.abs(want) > np.abs(got)))


def _masked(op: Op, want: npt.NDArray[Any], got: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Masks of attention, which a quantizer may clamp: any value does that a softmax takes for nothing."""
    if op.name not in _MASKING:
        return np.zeros(want.shape, np.bool_)
    return np.asarray((np.abs(want) >= _MASK) & (np.sign(want) == np.sign(got)) & (np.abs(got) <= np.abs(want)))


def _is_lost(op: Op, want: npt.NDArray[Any], tensor: Tensor) -> npt.NDArray[np.bool_]:
    """Masks that stand for nothing but the end of the scale: no value loses more."""
    if op.name not in _MASKING | _ORDERING:
        return np.zeros(want.shape, np.bool_)
    low, high = limits(tensor.dtype)
    stored = tensor.values()
    return np.asarray(((want <= -_FAR) & (stored <= low + 1)) | ((want >= _FAR) & (stored >= high)))


def _spread(tensor: Tensor, scale: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if len(scale) == 1 or tensor.quantization is None:
        return scale.reshape([1] * len(tensor.shape))
    shape = [1] * len(tensor.shape)
    shape[tensor.quantization.axis] = len(scale)
    return scale.reshape(shape)


def _readable(tensor: Tensor) -> bool:
    if tensor.constant is None or tensor.dtype not in READABLE or tensor.is_sparse or tensor.blockwise:
        return False
    return tensor.constant.nbytes == tensor.size_bytes
