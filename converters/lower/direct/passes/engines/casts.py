"""Casts of integers that need not be: what is known to fit 32 bits is computed in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor, with_ops
from edge_sdk.converters.lower.direct.passes.rewriting import rewritten

# Ops whose operands at these places hold the dtype in which they compute; None for all.
_SINKS: Mapping[str, tuple[int, ...] | None] = {
    **dict.fromkeys(("ABS", "BROADCAST_TO", "CUMSUM", "NEG", "PAD", "REDUCE_MAX", "REDUCE_MIN", "RESHAPE"), (0,)),
    **dict.fromkeys(("GATHER", "REVERSE_V2", "SLICE", "SPLIT_V", "STRIDED_SLICE", "SUM", "TILE", "TRANSPOSE"), (0,)),
    **dict.fromkeys(("ADD", "FLOOR_MOD", "MAXIMUM", "MINIMUM", "MUL", "SUB"), (0, 1)),
    **dict.fromkeys(("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL"), (0, 1)),
    "CONCATENATION": None,
    "PACK": None,
    "PADV2": (0, 2),
    "SELECT_V2": (1, 2),
    "SPLIT": (1,),
}


def sink_casts(graph: Graph) -> Graph:
    """Before: ``w = CAST(i) to int64; a = RESHAPE(w); j = CAST(a) to int32``. After: ``j = RESHAPE(i)``.

    Sums and products go with them where their results are known to fit.
    """
    widened: dict[Tensor, Tensor] = {}

    def rule(builder: Builder, op: Op) -> Sequence[Tensor] | None:
        source = op.inputs[0] if op.inputs else None
        if op.kind == "CAST" and source is not None and (source.dtype, op.output.dtype) == ("int32", "int64"):
            widened[op.output] = source
        if op.kind == "CAST" and source in widened and op.output.dtype == "int32":
            return [widened[source]]
        return _narrow(builder, op, widened)

    return _whole_places(_safe(graph, rewritten(graph, rule)))


def _safe(before: Graph, after: Graph) -> Graph:
    """An output of the file stays a tensor of its own."""
    own = set(after.outputs)
    return after if len(own) == len(after.outputs) and not own & set(after.inputs) else before


def _narrow(builder: Builder, op: Op, widened: dict[Tensor, Tensor]) -> list[Tensor] | None:
    """The op on what was widened, and its results widened instead."""
    if op.kind not in _SINKS:
        return None
    places = _SINKS[op.kind] or range(len(op.inputs))
    operands = [tensor for place in places if (tensor := op.inputs[place]) is not None]
    if not any(tensor in widened for tensor in operands) or not all(_is_narrow(builder, t, widened) for t in operands):
        return None
    builder.bounds.note(op)
    longs = [out for out in op.outputs if out.dtype == "int64"]
    if not all(builder.bounds.fits(out, "int32") for out in longs):
        return None
    inputs = [
        widened.get(tensor) or builder.cast(tensor, "int32") if tensor is not None and i in places else tensor
        for i, tensor in enumerate(op.inputs)
    ]
    results = [(out.shape, "int32" if out in longs else out.dtype) for out in op.outputs]
    made = builder.emit_many(op.kind, inputs, results, **op.options)
    wide = [builder.cast(tensor, out.dtype) for tensor, out in zip(made, op.outputs, strict=True)]
    widened.update((long, tensor) for long, tensor in zip(wide, made, strict=True) if long is not tensor)
    return wide


def _is_narrow(builder: Builder, tensor: Tensor, widened: Mapping[Tensor, Tensor]) -> bool:
    constant = tensor.data is not None and tensor.dtype == "int64" and builder.bounds.fits(tensor, "int32")
    return constant or tensor in widened


def _whole_places(graph: Graph) -> Graph:
    """Before: ``i = ARG_MAX(x); y = CAST(i) to int64``, and nobody else reads ``i``.

    After: ``y = ARG_MAX(x)`` of int64.
    """
    users, makers = graph.users(), graph.producers()
    joined: dict[Op, Op] = {}
    gone = set()
    for op in graph.ops:
        maker = makers.get(op.inputs[0]) if op.kind == "CAST" and op.inputs[0] is not None else None
        if maker is None or maker.kind not in ("ARG_MAX", "ARG_MIN") or op.output.dtype != "int64":
            continue
        if len(users[maker.output]) == 1 and maker.output not in graph.outputs:
            joined[maker] = maker.making(op.output).having(output_type="int64")
            gone.add(op)
    return with_ops(graph, [joined.get(op, op) for op in graph.ops if op not in gone])
