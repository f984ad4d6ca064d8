"""Dtypes for which an op has no kernel in the engine: computed in one that it has.

The facts are those of ai-edge-litert 2.1, found by running each op in each dtype without quantization.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor
from edge_sdk.converters.lower.direct.passes.engines.long_integers import LONG, WHOLE, as_signed, from_signed
from edge_sdk.converters.lower.direct.passes.rewriting import rewritten
from edge_sdk.errors import UnsupportedOpError

_SMALL = ("int8", "uint8", "int16")
_F32 = ("float32", "int32")
_ALL = ("float32", "int32", "int64")
_MOST = (*_ALL, *_SMALL)

# What an op computes in; ops that are not named take all that TFLite knows, or have been given what they take.
TAKES: Mapping[str, frozenset[str]] = {
    kind: frozenset(dtypes)
    for kind, dtypes in {
        "ABS": (*_F32, "int16"),
        "ADD": (*_ALL, "int16"),
        "ADD_N": _F32,
        "ARG_MAX": (*_F32, "int8", "uint8", "bool"),
        "ARG_MIN": (*_F32, "int8", "uint8", "bool"),
        "BITWISE_XOR": (*_SMALL, "int32", "uint16", "uint32"),
        "CONCATENATION": (*_MOST, "uint32", "bool"),
        "CUMSUM": _ALL,
        "DIV": _F32,
        "DYNAMIC_UPDATE_SLICE": (*_ALL, "int8", "int16", "bool"),
        "EQUAL": (*_ALL, "int16", "bool"),
        "FILL": (*_ALL, "int8", "int16", "bool"),
        "FLOOR_DIV": (*_F32, "int8", "int16"),
        "FLOOR_MOD": (*_ALL, "int8", "int16"),
        "GATHER": (*_MOST, "bool"),
        "GATHER_ND": (*_MOST, "bool"),
        "GREATER": _ALL,
        "GREATER_EQUAL": (*_ALL, "int16"),
        "LESS": (*_ALL, "int16"),
        "LESS_EQUAL": _ALL,
        "MAXIMUM": _MOST,
        "MEAN": _ALL,
        "MINIMUM": _MOST,
        "MIRROR_PAD": _MOST,
        "MUL": (*_ALL, "int16", "uint32"),
        "NEG": (*_ALL, "int8", "int16"),
        "NOT_EQUAL": (*_ALL, "int16", "bool"),
        "ONE_HOT": (*_ALL, "int8", "uint8", "bool"),
        "PACK": (*_MOST, "uint32"),
        "PAD": (*_MOST, "bool"),
        "PADV2": _MOST,
        "POW": _F32,
        "RANGE": _ALL,
        "REDUCE_MAX": _MOST,
        "REDUCE_MIN": _MOST,
        "REDUCE_PROD": _ALL,
        "RELU": ("float32",),
        "REVERSE_SEQUENCE": (*_ALL, "uint8", "int16"),
        "REVERSE_V2": (*_MOST, "bool"),
        "RIGHT_SHIFT": (*_SMALL, "int32", "uint16", "uint32"),
        "SCATTER_ND": (*_ALL, "int8", "uint8", "bool"),
        "SELECT_V2": (*_MOST, "uint32", "bool"),
        "SIGN": _F32,
        "SLICE": (*_MOST, "uint32", "bool"),
        "SPLIT": _MOST,
        "SPLIT_V": _MOST,
        "SQUARE": ("float32",),
        "SQUARED_DIFFERENCE": _F32,
        "STRIDED_SLICE": (*_MOST, "uint32", "bool"),
        "SUB": _ALL,
        "SUM": _ALL,
        "TILE": (*_ALL, "int8", "uint8", "bool"),
        "TOPK_V2": _MOST,
        "TRANSPOSE": (*_MOST, "bool"),
        "UNSORTED_SEGMENT_MAX": _F32,
        "UNSORTED_SEGMENT_MIN": _F32,
        "UNSORTED_SEGMENT_PROD": _F32,
        "UNSORTED_SEGMENT_SUM": _F32,
    }.items()
}
_BINARY = frozenset(
    {"ADD", "BITWISE_XOR", "DIV", "DYNAMIC_UPDATE_SLICE", "EQUAL", "FLOOR_DIV", "FLOOR_MOD", "GREATER"}
    | {"GREATER_EQUAL", "LESS", "LESS_EQUAL", "MAXIMUM", "MINIMUM", "MUL", "NOT_EQUAL", "POW", "RIGHT_SHIFT"}
    | {"SQUARED_DIFFERENCE", "SUB"}
)
_COMPARES = frozenset({"EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL"})
# Operands that hold the dtype in which the op computes; the first, where none are named.
_OPERANDS: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(_BINARY, (0, 1)),
    "FILL": (1,),
    "ONE_HOT": (2, 3),
    "PADV2": (0, 2),
    "SCATTER_ND": (1,),
    "SELECT_V2": (1, 2),
    "SPLIT": (1,),
}
_EVERY = frozenset({"ADD_N", "CONCATENATION", "PACK", "RANGE"})
_INDICES = frozenset({"ARG_MAX", "ARG_MIN"})
# The same bits whether they are read with a sign or without.
_SIGNLESS = frozenset(
    {
        "ADD",
        "BITWISE_XOR",
        "CONCATENATION",
        "CUMSUM",
        "DYNAMIC_UPDATE_SLICE",
        "EQUAL",
        "FILL",
        "GATHER",
        "GATHER_ND",
        "MIRROR_PAD",
    }
    | {"MUL", "NEG", "NOT_EQUAL", "ONE_HOT", "PACK", "PAD", "PADV2", "REVERSE_SEQUENCE", "REVERSE_V2", "SCATTER_ND"}
    | {"SELECT_V2", "SLICE", "SPLIT", "SPLIT_V", "STRIDED_SLICE", "SUB", "SUM", "TILE", "TRANSPOSE"}
)
_WIDER = ("int32", "int64")


def take_kernels(graph: Graph) -> Graph:
    """Before: ``y = MAXIMUM(a, b)`` of uint16. After: ``y = CAST(MAXIMUM(CAST(a), CAST(b)))`` in int32.

    Integers wrap round as they did: casts cut off what is above the dtype. 64 bits are narrowed where all numbers are
    known to fit 32, and computed by ops that know 64 bits where not.
    """
    return rewritten(graph, _rule)


def _rule(builder: Builder, op: Op) -> Sequence[Tensor] | None:
    places = _typed(op)
    dtype = _dtype_of(op, places)
    if op.kind == "CAST":
        return _cast_of_unsigned(builder, op)
    if dtype is None or op.kind not in TAKES or dtype in TAKES[op.kind]:
        return None
    if dtype == "uint64":
        return _unsigned(builder, op, places)
    if op.kind in WHOLE and not dtype.startswith("float"):
        return WHOLE[op.kind](builder, op)
    if (wide := _wider(builder, op, places, dtype)) is not None:
        return _cast_around(builder, op, places, wide)
    if dtype == "int64" and op.kind in LONG:
        return LONG[op.kind](builder, op)
    raise _no_kernel(op, dtype)


def _typed(op: Op) -> Sequence[int]:
    return range(len(op.inputs)) if op.kind in _EVERY else _OPERANDS.get(op.kind, (0,))


def _dtype_of(op: Op, places: Sequence[int]) -> str | None:
    """Of the operands; None where they are quantized, which other kernels take."""
    tensors = [op.inputs[place] for place in places if place < len(op.inputs)]
    first = next((tensor for tensor in tensors if tensor is not None), None)
    quantized = any(tensor is not None and tensor.quantization is not None for tensor in (*tensors, *op.outputs))
    return None if first is None or quantized else first.dtype


def _wider(builder: Builder, op: Op, places: Sequence[int], dtype: str) -> str | None:
    """The narrowest dtype of the op's that holds every operand's numbers, and results that do not wrap round."""
    if dtype.startswith("float"):
        return None
    builder.bounds.note(op)
    tensors = [op.inputs[place] for place in places]
    if dtype == "int64":
        tensors += [out for out in op.outputs if out.dtype == dtype and op.kind not in _INDICES]
    for wide in _WIDER:
        takes = wide in TAKES[op.kind] or (wide == "int64" != dtype and op.kind in LONG)
        if takes and all(builder.bounds.fits(tensor, wide) for tensor in tensors if tensor is not None):
            return wide
    return None


def _cast_around(builder: Builder, op: Op, places: Sequence[int], wide: str) -> list[Tensor]:
    first = op.inputs[places[0]]
    narrow = first.dtype if first is not None else wide
    inputs = [
        builder.cast(tensor, wide) if tensor is not None and i in places else tensor
        for i, tensor in enumerate(op.inputs)
    ]
    keeps = op.kind not in _COMPARES and op.kind not in _INDICES
    results = [(out.shape, wide if keeps and out.dtype == narrow else out.dtype) for out in op.outputs]
    made = builder.emit_many(op.kind, inputs, results, **op.options)
    return [builder.cast(tensor, out.dtype) for tensor, out in zip(made, op.outputs, strict=True)]


def _unsigned(builder: Builder, op: Op, places: Sequence[int]) -> list[Tensor]:
    """64 bits without a sign, as 64 bits with one."""
    if op.kind not in _SIGNLESS and op.kind not in _ORDERED:
        raise _no_kernel(op, "uint64")
    shifted = op.kind in _ORDERED
    inputs = [
        as_signed(builder, tensor, shifted=shifted) if tensor is not None and i in places else tensor
        for i, tensor in enumerate(op.inputs)
    ]
    results = [(out.shape, "int64" if out.dtype == "uint64" else out.dtype) for out in op.outputs]
    made = builder.emit_many(op.kind, inputs, results, **op.options)
    return [
        from_signed(builder, tensor, shifted=shifted) if out.dtype == "uint64" else tensor
        for tensor, out in zip(made, op.outputs, strict=True)
    ]


# Their order is that of the numbers less 2^63, which a sign can say.
_ORDERED = frozenset(
    {"GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "MAXIMUM", "MINIMUM", "REDUCE_MAX", "REDUCE_MIN", "TOPK_V2"}
)


def _cast_of_unsigned(builder: Builder, op: Op) -> list[Tensor] | None:
    """CAST knows no uint64."""
    source, result = op.inputs[0], op.output
    if source is None or "uint64" not in (source.dtype, result.dtype):
        return None
    if result.dtype == "uint64":
        return [from_signed(builder, builder.cast(source, "int64"), shifted=False)]
    signed = as_signed(builder, source, shifted=False)
    made = builder.cast(signed, result.dtype)
    if not result.dtype.startswith("float"):
        return [made]
    below = builder.emit("LESS", [signed, builder.constant(0, "int64")], signed.shape, "bool")
    lifted = builder.emit("ADD", [made, builder.constant(np.asarray(2.0**64, result.dtype))], made.shape)
    return [builder.emit("SELECT_V2", [below, lifted, made], made.shape, made.dtype)]


def _no_kernel(op: Op, dtype: str) -> UnsupportedOpError:
    why = f"TFLite has no {op.kind} for {dtype}"
    return UnsupportedOpError(
        f"`{op.output.origin}` cannot be lowered to TFLite: {why}",
        ops=[(op.kind, op.output.origin, why)],
        hint="compute it in int32 or float32 in the source model",
    )
