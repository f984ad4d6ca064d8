"""Factors and summands of channels that the products behind them take in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edge_sdk.converters.lower.direct.graph import Graph, Op, Tensor
from edge_sdk.converters.lower.direct.passes.matching import (
    Changes,
    View,
    by_rules,
    constant,
    integers,
    is_constant,
    is_fused,
    split_operands,
)

Floats = npt.NDArray[np.float32]


def fold_affine_forward(graph: Graph) -> Graph:
    """Moves factors and summands of channels into every product that reads them; what follows a norm is mostly these.

    Before::

        m = MUL(x, f)    a = ADD(m, s)    y = FULLY_CONNECTED(a, w, b)

    After, for constants ``f`` and ``s`` with one number for each channel::

        y = FULLY_CONNECTED(x, w * f, w s + b)

    Between them may stand moves that keep the channels last. A convolution takes it where it is not padded.
    """
    return by_rules(graph, {"MUL": _folded, "ADD": _folded, "SUB": _folded})


def _folded(view: View, op: Op, changes: Changes) -> None:
    operands = split_operands(op)
    if operands is None or is_fused(op) or op.output.dtype != "float32":
        return
    x, known = operands
    vector = _by_channel(known, x)
    if vector is None or op.output.shape != x.shape or (op.kind == "SUB" and op.inputs[0] is not x):
        return
    products = _products(view, op.output)
    if not products or changes.touches(*products) or not _own_weights(view, products):
        return
    for product in products:
        changes.replace(product, _with_factor(product, op.kind, vector))
    changes.replace(op)
    changes.rename(op.output, x)


def _by_channel(known: Tensor, x: Tensor) -> Floats | None:
    data = known.data
    if data is None or not x.shape or (data.size != 1 and (not data.ndim or data.size != data.shape[-1])):
        return None
    return np.broadcast_to(data.reshape(-1), (x.shape[-1],)) if data.size in (1, x.shape[-1]) else None


def _products(view: View, tensor: Tensor) -> list[Op]:
    """All that reads the tensor, through moves; empty if one of them cannot take factors."""
    found: list[Op] = []
    if view.is_output(tensor):
        return []
    for reader in view.readers(tensor):
        if _takes(reader, tensor):
            found.append(reader)
        elif _keeps_channels(reader, tensor):
            behind = _products(view, reader.output)
            if not behind:
                return []
            found += behind
        else:
            return []
    return found


def _takes(op: Op, tensor: Tensor) -> bool:
    if op.kind not in ("FULLY_CONNECTED", "CONV_2D") or op.inputs[0] is not tensor or op.inputs.count(tensor) > 1:
        return False
    weights = op.inputs[1]
    known = all(t is None or is_constant(t) for t in op.inputs[1:])
    whole = weights is not None and weights.shape[-1] == tensor.shape[-1] and weights.dtype == "float32"
    return known and whole and (op.kind == "FULLY_CONNECTED" or _is_unpadded(op))


def _is_unpadded(op: Op) -> bool:
    weights = op.inputs[1]
    return op.options.get("padding") == "VALID" or (weights is not None and weights.shape[1:3] == (1, 1))


def _keeps_channels(op: Op, tensor: Tensor) -> bool:
    if op.kind == "RESHAPE":
        return bool(op.output.shape) and op.output.shape[-1] == tensor.shape[-1]
    if op.kind == "TRANSPOSE":
        permutation = integers(op.inputs[1])
        return permutation is not None and permutation[-1] == len(permutation) - 1
    return False


def _own_weights(view: View, products: Sequence[Op]) -> bool:
    """Whether no other op has the same weights: a copy of them would make the file larger."""
    return all(
        view.only_reader(t) is not None or t.data is None or t.data.nbytes <= _SMALL_BYTES
        for product in products
        if (t := product.inputs[1]) is not None
    )


_SMALL_BYTES = 4096


def _with_factor(op: Op, kind: str, vector: Floats) -> Op:
    x, weights, bias = (*op.inputs, None)[:3]
    if weights is None or weights.data is None:
        return op
    if kind == "MUL":
        return op.reading(x, replace(weights, data=np.ascontiguousarray(weights.data * vector)), bias)
    axes = tuple(range(1, weights.data.ndim))
    more = np.sum(weights.data.astype(np.float64) * vector, axis=axes)
    old = bias.data if bias is not None and bias.data is not None else np.zeros(len(more))
    made = constant(bias.origin if bias is not None else op.output.origin, old + (-more if kind == "SUB" else more))
    return op.reading(x, weights, made)
