"""Right, op by op: every op of a file, fed what the file itself feeds it, against the float op it stands for.

Whatever a network does to errors on their way to its outputs, one op may differ from its float twin by the rounding of
its own result, no more. So a file is told right or wrong however badly conditioned the network is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.apart import expansions, float_twins, has_twin, index_of, real_constant, shown
from edge_sdk.artifact.compute import accumulation_length, compute_type
from edge_sdk.artifact.model import Artifact, Op, Quantization, Tensor, parse_artifact
from edge_sdk.engines.runner import Runner
from edge_sdk.engines.values import to_raw, to_real
from edge_sdk.errors import ModelError
from edge_sdk.folders import temporary_folder
from edge_sdk.signature import Arrays

# A result may be rounded to the wrong neighbour: one step. Fixed-point multipliers and a twin's own float32 rounding
# add a little.
_STEPS = 1.1
# TFLite computes these through tables, polynomials or several roundings in fixed point.
_ROUGH_STEPS = 3.5
# What only moves values computes nothing: a shift by one step is none of a rounding's.
_MOVED_STEPS = 0.6
_MOVING = frozenset({"BATCH_TO_SPACE_ND", "DEPTH_TO_SPACE", "EXPAND_DIMS", "GATHER", "GATHER_ND", "PACK", "PAD",
                     "RESHAPE", "REVERSE_V2", "SLICE", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V",
                     "SQUEEZE", "STRIDED_SLICE", "TILE", "TRANSPOSE", "UNPACK"})  # fmt: skip
_ROUGH = frozenset(
    {
        "AVERAGE_POOL_2D",
        "BATCH_MATMUL",
        "COS",
        "DIV",
        "ELU",
        "EXP",
        "GELU",
        "HARD_SWISH",
        "L2_NORMALIZATION",
        "LOG",
        "LOGISTIC",
        "LOG_SOFTMAX",
        "MEAN",
        "POW",
        "PRELU",
        "RESIZE_BILINEAR",
        "RSQRT",
        "SIN",
        "SOFTMAX",
        "SQRT",
        "SQUARED_DIFFERENCE",
        "SUM",
        "TANH",
        "TRANSPOSE_CONV",
        "LEAKY_RELU",
    }
)
# Sums of 64 bits are scaled with 16 of the multiplier's bits: up to one step where a result is at full scale.
# Source: MultiplyByQuantizedMultiplier(int64_t, ...), tflite/kernels/internal/common.cc.
_PRODUCTS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL"})
_MULTIPLIER_STEP = 1.0
# Tables of 16-bit kernels hold 513 values with straight lines between them.
_STEPS_16_BITS = 64.0
_SUMS = frozenset({"MEAN", "SUM", "AVERAGE_POOL_2D"})
_UNIT_ROUNDOFF = 2.0**-24
_BOOKKEEPING = frozenset({"integer", "control"})
# Between integers and real numbers, or two scales: their float twin does nothing.
_BETWEEN = frozenset({"QUANTIZE", "DEQUANTIZE"})
_NAMED = 60
_CHANNELS = 8


@dataclass(frozen=True)
class OpFault:
    """One op whose result is not what it should be.

    Attributes:
        op: its type.
        index: its place among the ops of the main subgraph.
        tensor: name of its result.
        steps: largest difference, in steps of the result's scale; for a float result in units of what float32 allows.
        limit: what was allowed, in the same unit.
        channels: indices along the last axis where it is beyond the limit, the first few.
        by: ``file`` where the reference kernels differ from the twin as well, ``delegate`` where only the engine's
            delegate does.
        engine: that runs it.
        unit: of ``steps`` and ``limit``, in words.
    """

    op: str
    index: int
    tensor: str
    steps: float
    limit: float
    channels: tuple[int, ...]
    by: Literal["file", "delegate"]
    engine: str
    unit: Literal["steps", "of its size"] = "steps"

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"kind": "op", "text": str(self)}

    def __str__(self) -> str:
        culprit = f", in {self.engine} with XNNPACK; TFLite's own kernels are right" if self.by == "delegate" else ""
        where = f" in channels {_listed(self.channels)}" if self.channels else ""
        return (
            f"{self.op} {self.index} `{self.tensor[-_NAMED:]}` is {self.steps:.3g} {self.unit} from the float op on "
            f"the same inputs{where} (at most {self.limit:.2g}){culprit}"
        )


@dataclass(frozen=True)
class OpCheck:
    """What became of all ops.

    Attributes:
        checked: ops compared with a float twin.
        unchecked: types of those that have none, with their number.
        faults: in the order of the ops.
    """

    checked: int
    unchecked: Mapping[str, int]
    faults: tuple[OpFault, ...]


def check_ops(data: bytes, samples: Iterable[Arrays]) -> OpCheck:
    """Runs a file with the engine's default delegate, shows what every op makes, and compares each with its float twin.

    Args:
        data: a .tflite of any precision; only its main subgraph is looked at.
        samples: real inputs by name; a few are enough.

    Raises:
        ModelError: the engine refuses the file or fails in a run.
    """
    with temporary_folder("ops") as folder:
        return _Trial(data, folder).run(list(samples))


class _Trial:
    def __init__(self, data: bytes, folder: Path) -> None:
        self._artifact = parse_artifact(data)
        self._graph = self._artifact.main
        self._shown = folder / "shown.tflite"
        self._shown.write_bytes(shown(data))
        computing = [op for op in self._graph.ops if compute_type(self._graph, op) not in _BOOKKEEPING]
        with_twin = [op for op in computing if has_twin(self._graph, op)]
        self._ops, self._twin = open_twins(data, with_twin, folder)
        expanded = expansions(self._graph)
        self._between = [op for op in self._graph.ops if op.name in _BETWEEN and op.outputs[0] not in expanded]
        kept = {op.index for op in self._ops}
        self._unchecked = [op.name for op in computing if op.index not in kept and op.name not in _BETWEEN]

    def run(self, samples: Sequence[Arrays]) -> OpCheck:
        delegated = self._compare(samples, xnnpack=True)
        if delegated:
            reference = self._compare(samples, xnnpack=False)
            delegated = {
                index: _by(fault, "file" if index in reference else "delegate") for index, fault in delegated.items()
            }
        counts = {name: self._unchecked.count(name) for name in dict.fromkeys(self._unchecked)}
        return OpCheck(
            len(self._ops) + len(self._between), counts, tuple(delegated[index] for index in sorted(delegated))
        )

    def _compare(self, samples: Sequence[Arrays], *, xnnpack: bool) -> dict[int, OpFault]:
        """Op index to its worst fault."""
        runner = Runner(self._shown, xnnpack=xnnpack)
        found: dict[int, OpFault] = {}
        for sample in samples:
            raw = {name: to_raw(values, self._artifact.signature.inputs[name]) for name, values in sample.items()}
            held = {self._artifact.signature.inputs[name].index: values for name, values in raw.items()}
            held |= {index_of(name): values for name, values in runner.run(raw).items()}
            for fault in self._faults(held, str(runner.engine)):
                if fault.index not in found or fault.steps > found[fault.index].steps:
                    found[fault.index] = fault
        return found

    def _faults(self, held: Mapping[int, npt.NDArray[Any]], engine: str) -> Iterable[OpFault]:
        tensors = self._graph.tensors
        given = {
            spec.name: to_real(held[index_of(spec.name)], tensors[index_of(spec.name)]) for spec in self._twin.inputs
        }
        expected = self._twin.run(given) if self._ops else {}
        for op in self._between:
            expected[f"out_{op.outputs[0]}"] = to_real(held[op.inputs[0]], tensors[op.inputs[0]])
        for op in (*self._ops, *self._between):
            for index in op.outputs:
                want, got = expected[f"out_{index}"], held[index]
                steps = _distance(want, got, tensors[index])
                limit = _limit(self._artifact, op, want, tensors[index], given)
                if want.dtype.kind == "f" and bool(np.any(steps > limit)):
                    yield OpFault(
                        op.name,
                        op.index,
                        tensors[index].name,
                        float(np.nanmax(steps)),
                        limit,
                        _channels(steps > limit),
                        "file",
                        engine,
                        "steps" if _grid(tensors[index], got) else "of its size",
                    )


def open_twins(
    data: bytes, ops: list[Op], folder: Path, *, xnnpack: bool = False, threads: int = 1
) -> tuple[tuple[Op, ...], Runner]:
    """Ops of a file alone, ready to run, and which: those whose twins the engine's float kernels take.

    Args:
        data: the file.
        ops: of its main subgraph, each with a twin.
        folder: the twins are written there.
        xnnpack: whether XNNPACK may compute them.
        threads: CPU threads.
    """
    path = folder / "twins.tflite"

    def open_them(chosen: list[Op]) -> Runner:
        path.write_bytes(float_twins(data, chosen).data)
        return Runner(path, xnnpack=xnnpack, threads=threads)

    try:
        return tuple(ops), open_them(ops)
    except ModelError:
        kinds = [kind for kind in dict.fromkeys(op.name for op in ops) if _opens(open_them, ops, kind)]
        kept = [op for op in ops if op.name in kinds]
        return tuple(kept), open_them(kept)


def _opens(open_them: Any, ops: list[Op], kind: str) -> bool:
    try:
        open_them([op for op in ops if op.name == kind])
    except ModelError:
        return False
    return True


def _grid(tensor: Tensor, got: npt.NDArray[Any]) -> Quantization | None:
    """What a result's integers stand for; None of a result in float."""
    return None if got.dtype.kind == "f" else tensor.quantization


def _distance(want: npt.NDArray[Any], got: npt.NDArray[Any], tensor: Tensor) -> npt.NDArray[np.float32]:
    """Difference in steps; a float result's in its own size."""
    grid = _grid(tensor, got)
    if grid is None:
        worst = np.abs(want.astype(np.float32) - got.astype(np.float32))
        size = float(np.max(np.abs(want), initial=0.0, where=np.isfinite(want))) or 1.0
        same = (want == got) | (np.isnan(want) & np.isnan(got))
        return np.where(same, 0.0, np.where(np.isnan(worst), np.inf, worst / size)).astype(np.float32)
    scale, point = np.float32(grid.scale[0]), np.float32(grid.zero_point[0])
    limits = np.iinfo(got.dtype)
    stored = np.clip(want / scale + point, limits.min, limits.max)
    steps: npt.NDArray[np.float32] = np.abs(stored - got)
    return np.where(np.isnan(steps), np.float32(0), steps)


def _limit(artifact: Artifact, op: Op, want: npt.NDArray[Any], tensor: Tensor, given: Arrays) -> float:
    if tensor.quantization is not None and tensor.dtype not in ("float32", "float16"):
        if tensor.dtype == "int16" and op.name in _ROUGH:
            return _STEPS_16_BITS
        if tensor.dtype == "int16" and op.name in _PRODUCTS:
            return _STEPS + _MULTIPLIER_STEP
        return _ROUGH_STEPS if op.name in _ROUGH else _MOVED_STEPS if op.name in _MOVING else _STEPS
    rounding = 64 * _UNIT_ROUNDOFF * float(np.sqrt(accumulation_length(artifact.main, op)))
    if compute_type(artifact.main, op) != "hybrid_int8":
        # What a float op loses by rounding its sum; polynomials of XNNPACK's exp and tanh are good to 1e-5.
        return max(2e-5, rounding * _cancelled(op, want, given))
    return rounding + _on_the_fly(artifact, op, want, given)


def _cancelled(op: Op, want: npt.NDArray[Any], given: Arrays) -> float:
    """How much larger what a sum adds up is than its results, at least 1: its rounding is of the former's size.

    The mean of what a norm has centred is nothing but rounding, which differs from engine to engine.
    """
    values = given.get(f"in_{op.inputs[0]}") if op.name in _SUMS else None
    if values is None or not values.size or not np.isfinite(values).all():
        return 1.0
    size = float(np.max(np.abs(want), initial=0.0)) or 1.0
    terms = values.size / max(1, want.size) if op.name == "SUM" else 1.0
    return max(1.0, float(np.mean(np.abs(values.astype(np.float64)))) * terms / size)


def _on_the_fly(artifact: Artifact, op: Op, want: npt.NDArray[Any], given: Arrays) -> float:
    """What rounding the operand to 8 bits of its range does to a result of size 1.

    Each value is off by up to half a step ``s``. One output sums them weighted: by ``|w| s / 2`` at most, and by twelve
    deviations of ``||w|| s / sqrt(12)`` where there are so many that they do not conspire.
    """
    values = given.get(f"in_{op.inputs[2 if op.name == 'TRANSPOSE_CONV' else 0]}")
    constants = [t for t in artifact.main.operands(op) if t.constant is not None and len(t.shape) > 1]
    if values is None or not constants:
        return 0.0
    weights = real_constant(constants[0]).astype(np.float64)
    axis = weights.ndim - 1 if op.name == "DEPTHWISE_CONV_2D" else 0
    rows = np.abs(np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1))
    worst = min(float(rows.sum(1).max()) / 2, 12 * float(np.sqrt((rows**2).sum(1).max() / 12)))
    size = float(np.max(np.abs(want), initial=0.0)) or 1.0
    return worst * float(np.max(np.abs(values))) / 127 / size


def _channels(beyond: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    """Where along the last axis; none where it is everywhere."""
    if beyond.ndim < 2:
        return ()
    rows = beyond.reshape(-1, beyond.shape[-1]).any(0)
    return () if rows.all() else tuple(int(i) for i in np.flatnonzero(rows)[:_CHANNELS])


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers)) + (" ..." if len(numbers) == _CHANNELS else "")


def _by(fault: OpFault, culprit: Literal["file", "delegate"]) -> OpFault:
    return replace(fault, by=culprit)
