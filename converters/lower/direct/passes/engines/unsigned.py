"""What lies between kernels of unsigned bytes computes in unsigned bytes too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor, with_ops
from edge_sdk.converters.lower.direct.passes.matching import View

# What XNNPACK has for both kinds of bytes, and whose numbers are the same in either.
_EITHER = frozenset(
    {"ADD", "AVERAGE_POOL_2D", "CONCATENATION", "LOGISTIC", "MAX_POOL_2D", "MEAN", "MUL", "PAD", "RELU", "RELU6"}
    | {"RESHAPE", "RESIZE_BILINEAR", "SLICE", "SPLIT", "SPLIT_V", "STRIDED_SLICE", "SUB", "TANH", "TRANSPOSE"}
)
# Weights of one scale are the same numbers around 128; for their own sake unsigned kernels are the slower ones.
_WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
_HALF = 128


def stay_unsigned(graph: Graph) -> Graph:
    """Moves a change of sign behind the ops that take either; XNNPACK has no kernel for it.

    Before: ``a = QUANTIZE(u); b = QUANTIZE(v); c = ADD(a, b); w = QUANTIZE(c)``, the others int8.
    After: ``w = ADD(u, v)``.
    """
    if not any(_signs(op) or _unsigns(op) for op in graph.ops):
        return graph
    return _Walk(graph).made()


class _Walk:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._view = View(graph)
        self._unsigned: dict[Tensor, Tensor] = {}
        self._renamed: dict[Tensor, Tensor] = {}

    def made(self) -> Graph:
        ops = [made for op in self._graph.ops for made in self._step(op)]
        return with_ops(self._graph, ops, self._renamed)

    def _step(self, op: Op) -> Iterator[Op]:
        source = op.inputs[0] if op.inputs else None
        own = self._unsigned.get(source) if source is not None else None
        if _unsigns(op) and own is not None and not self._view.is_output(op.output):
            self._renamed[op.output] = own
        elif op.kind == "DEQUANTIZE" and own is not None:
            yield op.reading(own)
        elif (op.kind in _EITHER or _rescales(op) or self._bridges(op)) and (inputs := self._inputs(op)) is not None:
            yield from self._twice(op, inputs)
        else:
            if _signs(op) and source is not None:
                self._unsigned[op.output] = self._renamed.get(source, source)
            elif op.kind == "QUANTIZE" and source is not None and source.dtype == "float32" and self._is_unsigned(op):
                yield from self._begins(op)
            yield op

    def _is_unsigned(self, op: Op) -> bool:
        """Whether what begins as int8 goes on as unsigned bytes, also behind ops that take either."""
        return op.output.dtype == "int8" and self._is_wanted(op.output)

    def _is_wanted(self, tensor: Tensor) -> bool:
        readers = self._view.readers(tensor)
        if any(_unsigns(reader) or self._bridges(reader) for reader in readers):
            return True
        return len(readers) == 1 and readers[0].kind in _EITHER and self._is_wanted(readers[0].output)

    def _bridges(self, op: Op) -> bool:
        """Whether a product of int8 is read as unsigned bytes alone."""
        weights = op.inputs[1] if op.kind in _WEIGHTED else None
        if weights is None or weights.data is None or weights.dtype != "int8" or self._view.is_output(op.output):
            return False
        readers, grid = self._view.readers(op.output), weights.quantization
        return bool(readers) and grid is not None and not grid.per_channel and all(map(_unsigns, readers))

    def _begins(self, op: Op) -> Iterator[Op]:
        self._unsigned[op.output] = _moved(op.output)
        yield op.making(self._unsigned[op.output])

    def _inputs(self, op: Op) -> list[Tensor | None] | None:
        """The operands in unsigned bytes; None where one that is computed is not there in these."""
        made = [self._operand(tensor) for tensor in op.inputs]
        if any(new is None for new, old in zip(made, op.inputs, strict=True) if old is not None):
            return None
        return made if any(tensor in self._unsigned for tensor in op.inputs) else None

    def _operand(self, tensor: Tensor | None) -> Tensor | None:
        if tensor is None or tensor.dtype != "int8":
            return tensor
        if tensor.data is not None:
            return replace(_moved(tensor), data=(tensor.data.astype(np.int16) + _HALF).astype(np.uint8))
        return self._unsigned.get(tensor)

    def _twice(self, op: Op, inputs: list[Tensor | None]) -> Iterator[Op]:
        """The op in unsigned bytes, and what it gave before for whoever still reads that."""
        results = [_moved(tensor) for tensor in op.outputs]
        yield op.reading(*inputs).making(*results)
        for old, new in zip(op.outputs, results, strict=True):
            self._unsigned[old] = new
            yield Op("QUANTIZE", (new,), (old,))


def _moved(tensor: Tensor) -> Tensor:
    """The same real numbers as unsigned bytes."""
    grid = tensor.quantization
    if grid is None:
        raise ValueError(f"`{tensor.origin}` stands for no real numbers")
    return replace(
        tensor, dtype="uint8", quantization=replace(grid, zero_point=tuple(z + _HALF for z in grid.zero_point))
    )


def _signs(op: Op) -> bool:
    """Whether an op makes int8 of uint8 and nothing else."""
    return _changes(op, "uint8", "int8", -_HALF)


def _rescales(op: Op) -> bool:
    source = op.inputs[0] if op.kind == "QUANTIZE" else None
    return source is not None and source.dtype == op.output.dtype == "int8"


def _unsigns(op: Op) -> bool:
    return _changes(op, "int8", "uint8", _HALF)


def _changes(op: Op, before: str, after: str, by: int) -> bool:
    source = op.inputs[0] if op.kind == "QUANTIZE" else None
    if source is None or (source.dtype, op.output.dtype) != (before, after):
        return False
    old, new = source.quantization, op.output.quantization
    if old is None or new is None or old.scale != new.scale:
        return False
    return new.zero_point == tuple(zero + by for zero in old.zero_point)
