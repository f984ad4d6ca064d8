"""Integer ops where the source rounded to a grid: its own scales and zero points, not new ones.

Only graphs of :mod:`quantizers <edge_sdk.converters.lower.direct.quantizers>` hold ``GRID`` ops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edge_sdk.artifact.model import Quantization
from edge_sdk.artifact.ties import FIXED
from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor
from edge_sdk.converters.lower.direct.passes.engines.integer_constants import (
    as_product,
    border,
    clamps,
    factor_of,
    numbers_grid,
)

# Ops that hand values on: one grid for operand and result.
_MOVES = frozenset(
    {"BATCH_TO_SPACE_ND", "CONCATENATION", "DEPTH_TO_SPACE", "GATHER", "MAX_POOL_2D", "PAD", "RESHAPE", "SLICE"}
    | {"SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "STRIDED_SLICE", "TILE", "TRANSPOSE"}
)
# Those of one operand and one result.
_MOVES_ONE = _MOVES - {"CONCATENATION", "SPLIT", "SPLIT_V"}
# Ops that compute from one grid to another, and what they ask of their constants.
_WEIGHTED = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0}
_COMPUTES = frozenset(
    {"ADD", "AVERAGE_POOL_2D", "BATCH_MATMUL", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "MAXIMUM", "MEAN", "MINIMUM"}
    | {"MUL", "PRELU", "RELU", "RELU6", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "SOFTMAX", "SUB", "TANH"}
    | {*_WEIGHTED}
)
# Ops whose result has one grid in TFLite's specification, and those whose operands and result share one.
_FIXED = {name: Quantization((scale,), (zero,), 0) for name, (scale, zero) in FIXED.items()}
_SHARED = frozenset({"MAXIMUM", "MINIMUM", "AVERAGE_POOL_2D", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"})
Grid = tuple[Quantization, str]
_BYTE = 255
_BIAS = {"int8": "int32", "int16": "int64"}
# Sums bring operands to twice the larger scale and shift them left by 20 or 15 bits (TFLite's add.cc, sub.cc).
_SUMS = frozenset({"ADD", "SUB"})
_SUMS_HEADROOM = {"int8": 2.0**20, "int16": 2.0**15}


def to_integers(graph: Graph) -> Graph:
    """Gives ops between grids their integer form; QUANTIZE and DEQUANTIZE stand where float begins and ends.

    Before: ``a = GRID(x); c = CONV_2D(a, w, b); y = GRID(c)``, ``w`` with the grid that it lies on.
    After: ``a = QUANTIZE(x); y = CONV_2D(a, w8, b32); z = DEQUANTIZE(y)``.
    """
    if not any(op.kind == "GRID" for op in graph.ops):
        return graph
    return _Integers(graph).made()


class _Integers:
    """Walks the graph once; every float tensor may have an integer twin on its grid."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._users = graph.users()
        self._ends = set(graph.outputs)
        self._twin: dict[Tensor, Tensor] = {}
        self._unsigned: dict[Tensor, Tensor] = {}
        self._restored: set[Tensor] = set()
        self._ops: list[Op] = []

    def made(self) -> Graph:
        for op in self._graph.ops:
            self._step(op)
        outputs = tuple(self._as_float(tensor) for tensor in self._graph.outputs)
        return replace(self._graph, ops=tuple(self._ops), outputs=outputs)

    def _step(self, op: Op) -> None:
        if op.kind == "GRID":
            self._grid(op)
            return
        made = self._moved(op) or self._computed(op) or self._clamped(op)
        if made is None:
            self._ops.append(op.reading(*(self._as_float(t) if t is not None else None for t in op.inputs)))

    # --- grids ------------------------------------------------------------------------------------------------------

    def _grid(self, op: Op) -> None:
        """The result's twin: what made the value already, or a QUANTIZE."""
        source = op.inputs[0]
        if source is None:
            raise ValueError("a GRID without an operand")
        grid, dtype = op.options["grid"], op.options["grid_dtype"]
        twin = self._twin.get(source)
        if twin is None or (twin.quantization, twin.dtype) != (grid, dtype):
            made = replace(op.output, dtype=dtype, quantization=grid)
            self._ops.append(Op("QUANTIZE", (twin or source,), (made,)))
            twin = made
        self._twin[op.output] = twin

    def _as_float(self, tensor: Tensor) -> Tensor:
        """A tensor for ops that stay in float."""
        twin = self._twin.get(tensor)
        if twin is not None and tensor not in self._restored:
            self._ops.append(Op("DEQUANTIZE", (twin,), (tensor,)))
            self._restored.add(tensor)
        return tensor

    def _wanted_grid(self, tensor: Tensor) -> Grid | None:
        """The one grid that all readers round the value to, also behind a move.

        Before a product with a number it is that grid in the product's steps.
        """
        readers = self._users.get(tensor, [])
        if len(readers) == 1 and tensor not in self._ends:
            if readers[0].kind in _MOVES_ONE and readers[0].inputs[0] is tensor:
                return self._wanted_grid(readers[0].output)
            if readers[0].kind == "RELU":
                # Zero is on every grid: rounding before the clamp is the same.
                return self._wanted_grid(readers[0].output)
            if factor := factor_of(readers[0]):
                wanted = self._wanted_grid(readers[0].output)
                return _in_steps(wanted, factor) if wanted is not None else None
        grids = {(op.options["grid"], op.options["grid_dtype"]) for op in readers if op.kind == "GRID"}
        alone = len(grids) == 1 and all(op.kind == "GRID" for op in readers) and tensor not in self._ends
        return next(iter(grids)) if alone else None

    # --- ops --------------------------------------------------------------------------------------------------------

    def _moved(self, op: Op) -> Op | None:
        """A move of integers, on the grid of its operands."""
        if op.kind == "PADV2":
            return self._bordered(op)
        if op.kind not in _MOVES:
            return None
        place = 1 if op.kind == "SPLIT" else 0
        operands = list(op.inputs) if op.kind == "CONCATENATION" else [op.inputs[place]]
        twins = [self._twin.get(tensor) if tensor is not None else None for tensor in operands]
        grids = {(twin.quantization, twin.dtype) if twin is not None else None for twin in twins}
        if len(grids) != 1 or None in grids:
            return None
        return self._put(op, twins, place, next(iter(grids)))

    def _clamped(self, op: Op) -> Op | None:
        """A clamp that nothing rounds, on its operand's grid."""
        twin = self._twin.get(op.inputs[0]) if op.inputs[0] is not None else None
        if twin is None or op.output in self._ends or not clamps(op, twin, self._users.get(op.output, [])):
            return None
        return self._put(op, [twin], 0, (twin.quantization, twin.dtype))

    def _bordered(self, op: Op) -> Op | None:
        twin = self._twin.get(op.inputs[0]) if op.inputs[0] is not None else None
        value = border(op, twin, self._users.get(op.output, [])) if twin is not None else None
        if twin is None or value is None or op.output in self._ends:
            return None
        return self._put(op.reading(*op.inputs[:2], value), [twin], 0, (twin.quantization, twin.dtype))

    def _put(self, op: Op, twins: Sequence[Tensor | None], place: int, grid: Any) -> Op:
        inputs = list(op.inputs)
        inputs[place : place + len(twins)] = twins
        results = tuple(replace(t, dtype=grid[1], quantization=grid[0]) for t in op.outputs)
        made = op.reading(*inputs).making(*results)
        self._twin.update(zip(op.outputs, results, strict=True))
        self._ops.append(made)
        return made

    def _computed(self, op: Op) -> Op | None:
        """A computation in integers: operands on grids, the result rounded to one."""
        op = as_product(op)
        wanted = self._wanted_grid(op.output) if op.kind in {*_COMPUTES, "CONCATENATION"} else None
        if wanted is None:
            return None
        inputs = self._integer_inputs(op, wanted[1])
        if inputs is None or not _allowed(op.kind, inputs, wanted):
            return None
        if op.kind == "CONCATENATION":
            # What a source joins it rounds to one grid: so does QUANTIZE, before.
            inputs = [self._requantized(t, wanted) if t is not None else None for t in inputs]
        native = _native_grid(op.kind, inputs, wanted)
        if native is None:
            return None
        if any(t is not None and t.dtype == "uint8" for t in inputs):
            native = _shifted(wanted[0], 128), "uint8"
        result = replace(op.output, dtype=native[1], quantization=native[0])
        made = op.reading(*inputs).making(result)
        self._ops.append(made)
        twin = self._twin[op.output] = self._requantized(result, wanted)
        if result.dtype == "uint8":
            self._unsigned[twin] = result
        return made

    def _as_unsigned(self, twin: Tensor) -> Tensor:
        """The same bytes for a kernel that takes uint8: what the last one gave, or a QUANTIZE that moves the zero."""
        if twin not in self._unsigned and twin.quantization is not None:
            self._unsigned[twin] = self._requantized(twin, (_shifted(twin.quantization, 128), "uint8"))
        return self._unsigned[twin]

    def _requantized(self, tensor: Tensor, grid: Grid) -> Tensor:
        if (tensor.quantization, tensor.dtype) == grid:
            return tensor
        made = replace(tensor, quantization=grid[0], dtype=grid[1])
        self._ops.append(Op("QUANTIZE", (tensor,), (made,)))
        return made

    def _integer_inputs(self, op: Op, dtype: str) -> list[Tensor | None] | None:
        if op.kind in _WEIGHTED:
            return self._weighted(op, dtype)
        made: list[Tensor | None] = []
        for tensor in op.inputs:
            if tensor is None or tensor.dtype != "float32":
                made.append(tensor)
                continue
            twin = self._twin.get(tensor) or _on_grid(tensor, dtype, None) or numbers_grid(op, tensor, dtype)
            if twin is None or twin.dtype != dtype:
                return None
            made.append(twin)
        return made

    def _weighted(self, op: Op, dtype: str) -> list[Tensor | None] | None:
        """Operand, weights and a bias at the product of both scales; uint8 where weights have a zero point."""
        first = 2 if op.kind == "TRANSPOSE_CONV" else 0
        x, weights = op.inputs[first], op.inputs[1]
        bias = op.inputs[first + 1 if first else 2] if len(op.inputs) > (3 if first else 2) else None
        twin = self._twin.get(x) if x is not None else None
        integers = _on_grid(weights, "int8", _WEIGHTED[op.kind]) if weights is not None else None
        if integers is None and weights is not None and dtype == "int8":
            integers = _with_zero_point(weights)
        if twin is None or twin.dtype != dtype or twin.quantization is None or integers is None:
            return None
        if bias is not None and bias.data is None:
            return None
        rounded = _bias(bias, twin.quantization, integers, _BIAS[dtype])
        if integers.dtype == "uint8":
            twin = self._as_unsigned(twin)
        return [op.inputs[0], integers, twin, rounded] if first else [twin, integers, rounded]


def _in_steps(grid: Grid, factor: float) -> Grid:
    """The grid whose integers are the given one's once its values are multiplied."""
    quantization, dtype = grid
    scale = tuple(float(np.float32(one / factor)) for one in quantization.scale)
    return replace(quantization, scale=scale), dtype


def _on_grid(tensor: Tensor, dtype: str, axis: int | None) -> Tensor | None:
    """A constant as the integers that its grid says, where they are exact and the grid is one that TFLite has.

    Args:
        tensor: float numbers.
        dtype: the integers'.
        axis: where scales may differ; None where they may not.
    """
    grid = tensor.quantization
    if tensor.data is None or grid is None or (grid.per_channel and grid.axis != axis):
        return None
    integers = _steps(tensor.data, grid)
    limits = np.iinfo(dtype)
    if integers is None or integers.min(initial=0) < limits.min or integers.max(initial=0) > limits.max:
        return None
    return replace(tensor, data=integers.astype(dtype), dtype=dtype)


def _with_zero_point(weights: Tensor) -> Tensor | None:
    """Weights around another number than zero, as the one kernel that has a zero point for them takes them: uint8.

    Integers less their zero point need nine bits then. TFLite's int8 kernels have none, its uint8 kernels one for all
    channels.
    """
    grid = weights.quantization
    if weights.data is None or grid is None or grid.per_channel:
        return None
    integers = _steps(weights.data, grid)
    if integers is None:
        return None
    zero = max(-int(integers.min(initial=0)), 0)
    if zero > _BYTE or integers.max(initial=0) + zero > _BYTE:
        return None
    return replace(weights, data=(integers + zero).astype("uint8"), dtype="uint8", quantization=_shifted(grid, zero))


def _steps(data: Any, grid: Quantization) -> Any:
    """Real numbers in whole steps of their scale; None where one lies between two steps."""
    scale = np.array(grid.scale, np.float32)
    if grid.per_channel:
        spread = [1] * data.ndim
        spread[grid.axis] = -1
        scale = scale.reshape(spread)
    integers = np.rint(data / scale)
    return integers if np.array_equal(integers.astype(np.float32) * scale, data) else None


def _shifted(grid: Quantization, by: int) -> Quantization:
    return replace(grid, zero_point=tuple(zero + by for zero in grid.zero_point))


def _bias(bias: Tensor | None, x: Quantization, weights: Tensor, dtype: str) -> Tensor | None:
    if bias is None or bias.data is None or weights.quantization is None:
        return None
    scale = np.float64(x.scale[0]) * np.array(weights.quantization.scale, np.float64)
    limits = np.iinfo(np.int32)
    data = np.clip(np.rint(bias.data / scale), limits.min, limits.max).astype(dtype)
    grid = Quantization(tuple(float(s) for s in scale), (0,) * scale.size, 0)
    return Tensor(bias.origin, data.shape, dtype, data, grid)


def _allowed(kind: str, inputs: Sequence[Tensor | None], wanted: Grid) -> bool:
    """Whether every engine's kernel is right on these scales and zero points; else the op stays in float.

    TFLite's kernel of a sum aborts where a result's step is too fine. XNNPACK of ai-edge-litert 2.1.0 to 2.1.2 takes
    the zero point of a product's second factor for 0, which the source chose.
    """
    if kind == "BATCH_MATMUL":
        second = inputs[1]
        return second is None or second.quantization is None or second.quantization.zero_point == (0,)
    if kind not in _SUMS:
        return True
    scales = [t.quantization.scale[0] for t in inputs if t is not None and t.quantization]
    return 2 * max(scales) < _SUMS_HEADROOM[wanted[1]] * wanted[0].scale[0]


def _native_grid(kind: str, inputs: Sequence[Tensor | None], wanted: Grid) -> Grid | None:
    """The grid of what the kernel gives: its own, its operands', or any; None where it has none for these."""
    if kind in _FIXED:
        return (_FIXED[kind], "int8") if wanted[1] == "int8" else None
    if kind not in _SHARED:
        return wanted
    grids = {(t.quantization, t.dtype) for t in inputs if t is not None and t.quantization}
    grid, dtype = grids.pop()
    return (grid, dtype) if not grids and grid is not None else None
