"""What ONNX Runtime's optimizer makes of transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edge_sdk.converters.lower.direct.builder import Builder
from edge_sdk.converters.lower.direct.node import Node, NoFormError
from edge_sdk.converters.lower.direct.ops.arithmetic.elementwise import binary, scalar
from edge_sdk.converters.lower.direct.ops.arithmetic.reduction import reduced
from edge_sdk.converters.lower.direct.ops.moving.gather import gather
from edge_sdk.converters.lower.direct.ops.moving.reshaping import reshape
from edge_sdk.converters.lower.direct.ops.moving.shape import sliced, split
from edge_sdk.converters.lower.direct.ops.products.matmul import matmul
from edge_sdk.converters.lower.direct.ops.runtime.standard import standard
from edge_sdk.converters.lower.direct.value import Value

# ONNX Runtime's own defaults.
_MASK_FILTER, _EPSILON = -10000.0, 1e-12


def _biased(builder: Builder, node: Node, place: int = 1) -> Value:
    x = node.input(0)
    return binary(builder, "ADD", [x, node.input(place)]) if node.given(place) else x


def _gelu(approximate: str) -> Callable[[Builder, Node], Value]:
    def form(builder: Builder, node: Node) -> Value:
        return standard(builder, node, "Gelu", [_biased(builder, node)], approximate=approximate)

    return form


def _quick_gelu(builder: Builder, node: Node) -> Value:
    return standard(builder, node, "Swish", [node.input(0)], alpha=float(node.attribute("alpha", 1.702)))


def _skip_norm(builder: Builder, node: Node) -> list[Value | None]:
    """A layer norm of a sum, and the sum: ``input, skip, gamma, beta, bias``."""
    total = binary(builder, "ADD", [node.input(0), node.input(1)])
    total = binary(builder, "ADD", [total, node.input(4)]) if node.given(4) else total
    beta = node.input(3) if node.given(3) else None
    return _with_sum(node, _norm(builder, node, "LayerNormalization", [total, node.input(2), beta]), total)


def _skip_simplified_norm(builder: Builder, node: Node) -> list[Value | None]:
    """``input, skip, gamma, bias``."""
    total = binary(builder, "ADD", [node.input(0), node.input(1)])
    total = binary(builder, "ADD", [total, node.input(3)]) if node.given(3) else total
    return _with_sum(node, _norm(builder, node, "RMSNormalization", [total, node.input(2)]), total)


def _norm(builder: Builder, node: Node, op: str, operands: Sequence[Value | None]) -> Value:
    return standard(builder, node, op, operands, axis=-1, epsilon=float(node.attribute("epsilon", _EPSILON)))


def _with_sum(node: Node, made: Value, total: Value) -> list[Value | None]:
    if any(node.outputs[1:3]):
        raise NoFormError("its mean and deviation are read, which only training needs")
    return [made, None, None, total][: len(node.outputs)]


def _simplified_norm(builder: Builder, node: Node) -> Value:
    return standard(builder, node, "RMSNormalization", node.inputs, **{"epsilon": 1e-5, **node.attributes})


def _embedded(builder: Builder, node: Node) -> list[Value]:
    """Sum of the words', the places' and the segments' rows, its layer norm, and how many words count."""
    words = node.input(0)
    steps = words.shape[1]
    places = node.input(3)
    if node.given(8):
        places = gather(builder, places, node.input(8), 0, never_below=True)
    else:
        places = sliced(builder, places, {0: range(steps)})
    total = binary(builder, "ADD", [gather(builder, node.input(2), words, 0, never_below=True), places])
    if node.given(1):
        segments = gather(builder, node.input(4), node.input(1), 0, never_below=True)
        total = binary(builder, "ADD", [total, segments])
    made = _norm(builder, node, "LayerNormalization", [total, node.input(5), node.input(6)])
    count = builder.fixed(np.zeros(words.shape[0], np.int32))
    if node.given(7) and not node.attribute("mask_index_type", 0):
        count = reduced(builder, builder.as_dtype(node.input(7), "int32"), "SUM", [1], keep=False)
    return [made, count, total][: len(node.outputs)]


def _attention(builder: Builder, node: Node) -> list[Value]:
    """``input, weights, bias, mask``: query, key and value by one product."""
    _refuse_past(node, 4)
    x, weights = node.input(0), node.input(1)
    sizes = [int(size) for size in node.attribute("qkv_hidden_sizes", [])] or [weights.shape[1] // 3] * 3
    whole = matmul(builder, x, weights)
    whole = binary(builder, "ADD", [whole, node.input(2)]) if node.given(2) else whole
    return _attended(builder, node, split(builder, whole, 2, sizes), 3, 5)


def _multi_head(builder: Builder, node: Node) -> list[Value]:
    """``query, key, value, bias, mask of keys, summand``."""
    _refuse_past(node, 6)
    if not node.given(1) or not node.given(2) or any(node.input(place).rank != 3 for place in range(3)):
        raise NoFormError("query, key and value in one tensor, or by heads; export them as [batch, steps, width]")
    parts = [node.input(place) for place in range(3)]
    if node.given(3):
        biases = split(builder, node.input(3), 0, [part.shape[2] for part in parts])
        parts = [binary(builder, "ADD", [part, bias]) for part, bias in zip(parts, biases, strict=True)]
    return _attended(builder, node, parts, 4, 5)


def _refuse_past(node: Node, place: int) -> None:
    if node.given(place) or any(node.outputs[1:]):
        raise NoFormError("keys and values of steps before; export the model without a cache")


def _attended(builder: Builder, node: Node, parts: Sequence[Value], mask: int, summand: int) -> list[Value]:
    heads = int(node.attributes["num_heads"])
    penalties = _penalties(builder, node, mask, parts[1].shape[1]) if node.given(mask) else None
    if node.given(summand):
        more = node.input(summand)
        penalties = more if penalties is None else binary(builder, "ADD", [penalties, more])
    options: dict[str, Any] = {"q_num_heads": heads, "kv_num_heads": heads}
    options["is_causal"] = int(node.attribute("unidirectional", 0))
    if node.attribute("scale", 0.0):
        options["scale"] = float(node.attributes["scale"])
    return [standard(builder, node, "Attention", [*parts, penalties], **options)]


def _penalties(builder: Builder, node: Node, place: int, keys: int) -> Value:
    """What is added to scores ``[batch, heads, steps, keys]``: 0 for keys that count, else ``mask_filter_value``."""
    mask = builder.as_dtype(node.input(place), "int32")
    batch = node.input(0).shape[0]
    if mask.rank == 1 and mask.shape[0] == batch:
        places = builder.fixed(np.arange(keys, dtype=np.int32)[None])
        mask = builder.as_dtype(binary(builder, "LESS", [places, reshape(builder, mask, (batch, 1))], "bool"), "int32")
    if mask.rank not in (2, 3) or mask.shape[-1] != keys:
        raise NoFormError(
            f"a mask {list(mask.shape)} of {keys} keys; lengths, [batch, keys] and [batch, steps, keys] are"
        )
    shape = (mask.shape[0], 1, *mask.shape[1:]) if mask.rank == 3 else (mask.shape[0], 1, 1, mask.shape[1])
    laid = builder.as_dtype(reshape(builder, mask, shape), "float32")
    # (1 - mask) * filter, in one product and one sum.
    worst = float(node.attribute("mask_filter_value", _MASK_FILTER))
    made = binary(builder, "MUL", [laid, scalar(builder, -worst, laid)])
    return binary(builder, "ADD", [made, scalar(builder, worst, laid)])


OPS: dict[str, Callable[..., Any]] = {
    "Attention": _attention,
    "BiasGelu": _gelu("none"),
    "EmbedLayerNormalization": _embedded,
    "FastGelu": _gelu("tanh"),
    "Gelu": _gelu("none"),
    "MultiHeadAttention": _multi_head,
    "QuickGelu": _quick_gelu,
    "SimplifiedLayerNormalization": _simplified_norm,
    "SkipLayerNormalization": _skip_norm,
    "SkipSimplifiedLayerNormalization": _skip_simplified_norm,
}
