"""Makes ops and keeps the axes of values in order: what the functions of ``ops/`` are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sdk.artifact.model import Quantization
from edge_sdk.converters.lower.direct.bounds import Bounds
from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor
from edge_sdk.converters.lower.direct.lengths import Length, Size
from edge_sdk.converters.lower.direct.node import NoFormError
from edge_sdk.converters.lower.direct.padding import Padding
from edge_sdk.converters.lower.direct.value import Order, Value, identity, plain

_SHARED_BYTES = 1024
# What the engine's kernels compute in; int4 is only read.
_DTYPES = frozenset(
    {"bool", "complex64", "float16", "float32", "float64", "int8", "int16", "int32", "int64"}
    | {"resource", "string", "uint8", "uint16", "uint32", "uint64"}
)


class Builder:
    """Ops in the order in which they are made.

    Attributes:
        origin: what new tensors are said to come from; set for each node.
        bounds: between which numbers integer tensors lie.
        reals: float tensors that hold the same whole numbers as integer tensors made from them.
        padding: of which tensors only so many of the first rows count as the data says.
        sizes: integer tensors that hold sizes of padded ones, as cells of numbers and lengths.
    """

    def __init__(self) -> None:
        self.origin = ""
        self.bounds = Bounds()
        self.reals: dict[Tensor, Tensor] = {}
        self.padding = Padding()
        self.sizes: dict[Tensor, npt.NDArray[Any]] = {}
        self._lengths: dict[Length, Tensor] = {}
        self._made: dict[tuple[Any, ...], Any] = {}
        self._ops: list[Op] = []
        self._constants: dict[tuple[Any, ...], Tensor] = {}
        self._widened: dict[Tensor, Tensor] = {}
        self._arranged: dict[tuple[Tensor, Order], Tensor] = {}

    # --- tensors --------------------------------------------------------------------------------------------------

    def emit(
        self,
        kind: str,
        inputs: Sequence[Tensor | None],
        shape: Sequence[int],
        dtype: str | None = None,
        quantization: Quantization | None = None,
        **options: Any,
    ) -> Tensor:
        """A new op with one result.

        Args:
            kind: TFLite's name of the op.
            inputs: absent ones None.
            shape: the result's.
            dtype: the result's; the first input's by default.
            quantization: the result's.
            options: by the names of the op's table in the schema; enums by name, dtypes by numpy's name.
        """
        result = Tensor(self.origin, _plain_ints(shape), dtype or _first(inputs).dtype, None, quantization)
        self.add(Op(kind, tuple(inputs), (result,), options))
        return result

    def emit_many(
        self, kind: str, inputs: Sequence[Tensor | None], results: Sequence[tuple[Sequence[int], str]], **options: Any
    ) -> tuple[Tensor, ...]:
        """A new op with several results, each ``(shape, dtype)``."""
        made = tuple(Tensor(self.origin, _plain_ints(shape), dtype) for shape, dtype in results)
        self.add(Op(kind, tuple(inputs), made, options))
        return made

    def add(self, op: Op) -> None:
        """An op that is there already."""
        for tensor in (*op.inputs, *op.outputs):
            if tensor is not None and tensor.dtype not in _DTYPES and not _reads_int4(op, tensor):
                raise NoFormError(f"TFLite has no {op.kind} for {tensor.dtype}; use a wider dtype in the source model")
        self.bounds.note(op)
        self.padding.note(op)
        self._ops.append(op)

    def constant(
        self, values: npt.ArrayLike, dtype: str | None = None, quantization: Quantization | None = None
    ) -> Tensor:
        """A constant; equal small ones are one tensor."""
        data = np.asarray(values, dtype=dtype)
        # Not np.ascontiguousarray, which makes a scalar a vector.
        data = data if data.flags.c_contiguous else data.copy()
        if quantization is not None or data.nbytes > _SHARED_BYTES:
            return Tensor(self.origin, data.shape, data.dtype.name, data, quantization)
        key = (data.dtype.name, data.shape, data.tobytes())
        if key not in self._constants:
            self._constants[key] = Tensor(self.origin, data.shape, data.dtype.name, data)
        return self._constants[key]

    def fixed(self, values: npt.ArrayLike, dtype: str | None = None) -> Value:
        """A value whose numbers are known."""
        return plain(self.constant(values, dtype))

    # --- axes -----------------------------------------------------------------------------------------------------

    def arranged(self, value: Value, order: Order | None = None) -> Tensor:
        """The value's tensor with its axes in an order (the source's by default), transposed where it is not yet."""
        wanted = identity(value.rank) if order is None else order
        if value.order == wanted:
            return value.tensor
        if value.is_constant:
            return self.constant(value.data.transpose(wanted), quantization=_turned_grid(value, wanted))
        key = (value.tensor, tuple(value.place(axis) for axis in wanted))
        if key not in self._arranged:
            self._arranged[key] = self.transposed(value.tensor, key[1])
        return self._arranged[key]

    def is_free(self, value: Value, order: Order) -> bool:
        """Whether the value comes in an order without a TRANSPOSE."""
        if value.is_constant or value.order == order:
            return True
        return _moves_only_ones(value.tensor.shape, tuple(value.place(axis) for axis in order))

    def transposed(self, tensor: Tensor, permutation: Sequence[int]) -> Tensor:
        """The tensor's own axes permuted; where only axes of extent 1 move, by a reshape."""
        shape = [tensor.shape[axis] for axis in permutation]
        if _moves_only_ones(tensor.shape, permutation):
            return self.reshaped(tensor, shape)
        return self.emit("TRANSPOSE", [tensor, self.constant(permutation, "int32")], shape)

    def reshaped(self, tensor: Tensor, shape: Sequence[int]) -> Tensor:
        """The tensor with another shape of as many elements."""
        shape = _plain_ints(shape)
        if shape == tensor.shape:
            return tensor
        if tensor.data is not None:
            return self.constant(tensor.data.reshape(shape), quantization=_kept_grid(tensor, shape))
        return self.emit(
            "RESHAPE",
            [tensor, self.constant(shape, "int32")],
            shape,
            quantization=tensor.quantization,
            new_shape=np.array(shape, np.int32),
        )

    def cast(self, tensor: Tensor, dtype: str) -> Tensor:
        """The tensor in another dtype."""
        if tensor.dtype == dtype:
            return tensor
        if tensor.data is not None:
            return self.constant(tensor.data.astype(dtype))
        made = self.emit("CAST", [tensor], tensor.shape, dtype, in_data_type=tensor.dtype, out_data_type=dtype)
        if (tensor.dtype, dtype) == ("int32", "int64"):
            self._widened[made] = tensor
        return made

    def narrowed(self, tensor: Tensor) -> Tensor:
        """Integers as int32, without a cast where they were int32 before they became wider."""
        source = self._widened.get(tensor)
        return source if source is not None else self.cast(tensor, "int32")

    def as_dtype(self, value: Value, dtype: str) -> Value:
        """The value in another dtype, its axes where they were."""
        return Value(self.cast(value.tensor, dtype), value.order, value.spatial)

    # --- lengths that depend on data --------------------------------------------------------------------------------

    def length(self, size: Size) -> Tensor:
        """A size as the running file knows it: int32 without axes."""
        if not isinstance(size, Length):
            return self.constant(size, "int32")
        if size not in self._lengths:
            self._lengths[size] = self._computed(size)
        return self._lengths[size]

    def _computed(self, size: Length) -> Tensor:
        if size.kind == "count":
            return size.parts[0]  # type: ignore[no-any-return]
        if size.kind == "sum":
            parts = self.lengths(size.parts)
            return self.emit("SUM", [parts, self.constant([0], "int32")], (), keep_dims=False)
        kind = {"least": "MINIMUM", "times": "MUL", "rest": "SUB"}[size.kind]
        return self.emit(kind, [self.length(part) for part in size.parts], (), "int32")

    def lengths(self, sizes: Sequence[Size]) -> Tensor:
        """Several, side by side: int32 ``[sizes]``."""
        if not any(isinstance(size, Length) for size in sizes):
            return self.constant(np.array(sizes, np.int32))
        tensors = [self.length(size) for size in sizes]
        return self.emit("PACK", tensors, (len(tensors),), "int32", values_count=len(tensors), axis=0)

    def sized(self, cells: npt.NDArray[Any]) -> Value:
        """Cells of numbers and lengths as a value, int64; all that is computed with them stays known as such."""
        if not any(isinstance(cell, Length) for cell in cells.reshape(-1)):
            dtype = "bool" if all(isinstance(cell, bool) for cell in cells.reshape(-1)) and cells.size else "int64"
            return self.fixed(cells.astype(dtype))
        made = self.cast(self.reshaped(self.lengths(list(cells.reshape(-1))), cells.shape), "int64")
        self.sizes[made] = cells
        return plain(made)

    def cells(self, value: Value | None) -> npt.NDArray[Any] | None:
        """The numbers and lengths that a value holds; None where it is no size."""
        if value is None:
            return None
        if value.is_constant:
            return value.data.astype(object) if value.dtype in ("int32", "int64", "bool") else None
        return self.sizes.get(value.tensor)

    def counting(self, axis: int, rank: int, extent: int, count: Size) -> Tensor:
        """Which of the rows along an axis count: bool ``[1, ..., extent, ..., 1]``."""
        key = ("counting", axis, rank, extent, count)
        if key not in self._made:
            shape = [extent if i == axis else 1 for i in range(rank)]
            numbers = self.constant(np.arange(extent, dtype=np.int32).reshape(shape))
            self._made[key] = self.emit("LESS", [numbers, self.length(count)], shape, "bool")
        return self._made[key]  # type: ignore[no-any-return]

    def filled(self, tensor: Tensor, number: Any) -> Tensor:
        """A tensor with a number in the place of padding; itself where it has none."""
        rows = self.padding.of(tensor)
        if rows is None:
            return tensor
        counts = self.counting(rows.axis, len(tensor.shape), tensor.shape[rows.axis], rows.count)
        with self.padding.ignored():
            other = self.constant(number, tensor.dtype)
            return self.emit("SELECT_V2", [counts, tensor, other], tensor.shape, tensor.dtype)

    def once(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """What was made for a key before, or is made now."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    # --- the graph ------------------------------------------------------------------------------------------------

    def graph(self, name: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Graph:
        """All that was made, as a graph."""
        return Graph(name, tuple(inputs), tuple(outputs), tuple(self._ops))

    @property
    def ops(self) -> tuple[Op, ...]:
        """All that was made, in order."""
        return tuple(self._ops)

    def inner(self) -> Builder:
        """A builder for the body of a loop or branch."""
        made = Builder()
        made.origin = self.origin
        made.padding, made.sizes = self.padding, self.sizes
        return made


def _turned_grid(value: Value, order: Order) -> Quantization | None:
    """The grid of a constant whose axes move."""
    grid = value.tensor.quantization
    if grid is None or not grid.per_channel:
        return grid
    return replace(grid, axis=order.index(value.order[grid.axis]))


def _kept_grid(tensor: Tensor, shape: Sequence[int]) -> Quantization | None:
    """The grid of a constant in another shape: gone where its axis is no longer there."""
    grid = tensor.quantization
    until = grid.axis + 1 if grid is not None and grid.per_channel else 0
    return grid if tensor.shape[:until] == tuple(shape[:until]) else None


def _reads_int4(op: Op, tensor: Tensor) -> bool:
    return tensor.dtype == "int4" and op.kind == "CAST" and tensor not in op.outputs and op.output.dtype == "float32"


def _first(inputs: Sequence[Tensor | None]) -> Tensor:
    return next(tensor for tensor in inputs if tensor is not None)


def _plain_ints(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(extent) for extent in shape)


def _moves_only_ones(shape: Sequence[int], permutation: Sequence[int]) -> bool:
    moved = [axis for axis in permutation if shape[axis] != 1]
    return moved == sorted(moved)
